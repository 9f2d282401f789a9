/* SPDX-License-Identifier: MIT */
/* bf16 with the matrix product of 2 x 4 by 4 x 2. It adds four products and a
 * sum in an order and with a rounding of its own, and takes subnormal numbers
 * for zeros [Arm ARM, BFMMLA]. */
#include "neon.h"

#include <stdint.h>

typedef float32x4_t SUMS;
enum { NR = 32 }; /* a chunk, as rows are narrowed in whole ones */
#define ZERO() vdupq_n_f32(0.0f)
/* The intrinsic makes gcc 12 copy the sums and run out of registers. */
static inline float32x4_t multiply(float32x4_t sums, uint8x16_t a,
                                   uint8x16_t b)
{
    __asm__("bfmmla %0.4s, %1.8h, %2.8h" : "+w"(sums) : "w"(a), "w"(b));
    return sums;
}
#define MULTIPLY multiply
#define STARTS(t) ((t)->add)
#define BEGIN(t, i, j) vld1q_f32((t)->c + (i) * (t)->ldc + (j))
#define END(t, i, j, sums) vst1q_f32((t)->c + (i) * (t)->ldc + (j), sums)
#define JOIN_LOW(u, v) vcombine_f32(vget_low_f32(u), vget_low_f32(v))
#define JOIN_HIGH(u, v) vcombine_f32(vget_high_f32(u), vget_high_f32(v))

#include "pairs.h"

static inline uint16x4_t halves(float32x4_t x)
{
    return vreinterpret_u16_bf16(vcvt_bf16_f32(x));
}

#include "bf16_neon.h"

static vit_quant narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    for (size_t p = 0; p < k; p += 32, out += step)
        for (size_t i = 0; i < 32; i += 4)
            vst1_u8(out + 2 * i, vreinterpret_u8_u16(
                halves(load_part(x, p + i, k))));
    return (vit_quant){1.0f, 0.0f};
}

const vit_low tomevit_bf16_neonbf16 = {
    .name = "neon-bf16", .dtype = TOMEVIT_BF16, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .depth = 256, .per_word = 2,
    .per_chunk = 32, .interleaved = 1, .narrow = narrow, .words = words,
    .transpose = tomevit_transpose_words, .interleave = interleave,
    .tile = tile, .product = tomevit_low_blocked,
};
