/* SPDX-License-Identifier: MIT */
/* int8 with the matrix product of 2 x 8 by 8 x 2 bytes. */
#include "int8_neon.h"

typedef int32x4_t SUMS;
enum { NR = 8 };
#define ZERO() vdupq_n_s32(0)
/* The intrinsic makes gcc 12 copy the sums and run out of registers. */
static inline int32x4_t multiply(int32x4_t sums, uint8x16_t a, uint8x16_t b)
{
    __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(sums) : "w"(a), "w"(b));
    return sums;
}
#define MULTIPLY multiply
#define STARTS(t) 0
#define BEGIN(t, i, j) ((void)(t), (void)(j), ZERO())
#define END(t, i, j, sums) \
    vst1q_f32((t)->c + (i) * (t)->ldc + (j), value(sums, t, i, j))
#define JOIN_LOW(u, v) vcombine_s32(vget_low_s32(u), vget_low_s32(v))
#define JOIN_HIGH(u, v) vcombine_s32(vget_high_s32(u), vget_high_s32(v))

#include "pairs.h"

const vit_low tomevit_int8_neoni8mm = {
    .name = "neon-i8mm", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 48, .strip = MR, .per_word = 4, .per_chunk = CHUNK,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
