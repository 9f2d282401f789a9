/* SPDX-License-Identifier: MIT */
/* bf16 on NEON without instructions for it: tiles of 4 x 16, 16 of the 32
 * registers holding sums. A vector is two registers, as rows are narrowed a
 * chunk of 16 at a time and two vectors make the width of a tile. */
#include "neon.h"

#include <stdint.h>

typedef float32x4x2_t V;
typedef uint32x4x2_t I;
enum { W = 8, MR = 4 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3)

static inline V both(float32x4_t low, float32x4_t high)
{
    return (V){{low, high}};
}

static inline V load(const float *x)
{
    return both(vld1q_f32(x), vld1q_f32(x + 4));
}

static inline void store(float *x, V v)
{
    vst1q_f32(x, v.val[0]);
    vst1q_f32(x + 4, v.val[1]);
}

static inline V fused(V a, V b, V c)
{
    return both(vfmaq_f32(c.val[0], a.val[0], b.val[0]),
                vfmaq_f32(c.val[1], a.val[1], b.val[1]));
}

static inline I load_words(const uint32_t *x)
{
    return (I){{vld1q_u32(x), vld1q_u32(x + 4)}};
}

#define LOAD load
#define STORE store
#define ZERO() both(vdupq_n_f32(0.0f), vdupq_n_f32(0.0f))
#define SET1(x) both(vdupq_n_f32(x), vdupq_n_f32(x))
#define FMA fused
#define LOADI load_words
#define UPPER(w) vandq_u32(w, vdupq_n_u32(0xffff0000))
#define FLOATS(a, b) both(vreinterpretq_f32_u32(a), vreinterpretq_f32_u32(b))
#define EVEN(w) FLOATS(vshlq_n_u32((w).val[0], 16), vshlq_n_u32((w).val[1], 16))
#define ODD(w) FLOATS(UPPER((w).val[0]), UPPER((w).val[1]))

#include "../vectors/low_widen.h"

/* Rounded to bf16 in the upper half of each lane; the lower is anything. NaN
 * becomes a quiet one. */
static inline uint32x4_t rounded(float32x4_t x)
{
    uint32x4_t bits = vreinterpretq_u32_f32(x);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));

    return vbslq_u32(vceqq_f32(x, x), up, quiet);
}

static inline uint16x4_t halves(float32x4_t x)
{
    return vshrn_n_u32(rounded(x), 16);
}

#include "bf16_neon.h"

static vit_quant narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    for (size_t p = 0; p < k; p += 16, out += step)
        for (size_t i = 0; i < 16; i += 4)
            vst1q_u8(out + i * sizeof(float), vreinterpretq_u8_u32(
                UPPER(rounded(load_part(x, p + i, k)))));
    return (vit_quant){1.0f, 0.0f};
}

const vit_low tomevit_bf16_neon = {
    .name = "neon", .dtype = TOMEVIT_BF16, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .depth = 224, .per_word = 2,
    .per_chunk = 16, .interleaved = 1, .widens = 1, .narrow = narrow,
    .words = words, .transpose = tomevit_transpose_words,
    .interleave = interleave, .tile = tile, .product = tomevit_low_blocked,
};
