/* SPDX-License-Identifier: MIT */
/* int8 on NEON without instructions for it: tiles of 4 x 8. Products of bytes
 * are s16, and two of them still fit: 2 x 127 x 127 < 2^15. So two words of a
 * row are multiplied, added up, and then widened. */
#include "int8_neon.h"

enum { MR = 4, NR = 8 };

static inline int8x16_t row_word(const unsigned char *a)
{
    uint32_t word;

    memcpy(&word, a, sizeof(word));
    return vreinterpretq_s8_u32(vdupq_n_u32(word));
}

static inline int8x16_t columns(const uint32_t *b)
{
    return vreinterpretq_s8_u32(vld1q_u32(b));
}

/* Of 4 columns, [low, high]: a register holds two sums of each of 2. */
static inline void add(int32x4_t sum[2], int8x16_t x, int8x16_t y,
                       const uint32_t *b)
{
    int8x16_t u = columns(b), v = columns(b + NR);
    int16x8_t low = vmull_s8(vget_low_s8(u), vget_low_s8(x));
    int16x8_t high = vmull_high_s8(u, x);

    low = vmlal_s8(low, vget_low_s8(v), vget_low_s8(y));
    high = vmlal_high_s8(high, v, y);
    sum[0] = vpadalq_s16(sum[0], low);
    sum[1] = vpadalq_s16(sum[1], high);
}

/* `rows` is a constant wherever this is expanded. */
static inline __attribute__((always_inline)) void
tile_of(size_t rows, const vit_low_tile *t)
{
    int32x4_t sum[MR][2][2];
    const uint32_t *b = t->b;

    for (size_t i = 0; i < rows; i++)
        for (size_t q = 0; q < 4; q++)
            sum[i][q / 2][q % 2] = vdupq_n_s32(0);
    for (size_t p = 0; p < t->words; p += 2, b += 2 * NR) {
#pragma GCC unroll 4
        for (size_t i = 0; i < rows; i++) {
            const unsigned char *a = t->a + i * t->lda + p * sizeof(*b);
            int8x16_t x = row_word(a), y = row_word(a + sizeof(*b));

            add(sum[i][0], x, y, b);
            add(sum[i][1], x, y, b + 4);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t q = 0; q < 2; q++)
            vst1q_f32(t->c + i * t->ldc + 4 * q,
                      value(vpaddq_s32(sum[i][q][0], sum[i][q][1]), t, i,
                            4 * q));
}

static void tile(const vit_low_tile *t)
{
    switch (t->rows) {
    case 1: tile_of(1, t); break;
    case 2: tile_of(2, t); break;
    case 3: tile_of(3, t); break;
    case 4: tile_of(4, t); break;
    }
}

const vit_low tomevit_int8_neon = {
    .name = "neon", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 48, .strip = MR, .per_word = 4, .per_chunk = CHUNK,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
