/* SPDX-License-Identifier: MIT */
/* bf16 with AMX. Like the instruction of AVX-512 it adds pairs in an order of
 * its own and takes subnormal numbers for zeros. */
#define CONVERTS
#include "softmax512.h"

typedef float CELL;
#define TDP(c, a, b) _tile_dpbf16ps(c, a, b)
#define NARROWS 1

static inline __m512 sums_of(const vit_low_product *p, size_t row,
                             size_t column, const float *sums)
{
    (void)p, (void)row, (void)column;
    return _mm512_loadu_ps(sums);
}

static inline void store_chunk(unsigned char *out, __m512 low, __m512 high)
{
    _mm512_storeu_si512(out, both_pairs(low, high));
}

#include "amx.h"

#ifndef TABLE
#define TABLE tomevit_bf16_amxbf16
#endif

const vit_low TABLE = {
    .name = "amx-bf16", .dtype = TOMEVIT_BF16, .mr = BLOCK, .nr = TILE_ROWS,
    .block_rows = 192, .strip = 2 * BLOCK, .per_word = 2, .per_chunk = 32,
    .interleaved = TILE_ROWS, .narrow = narrow_pairs,
    .softmax = softmax_pairs, .words = words_bf16,
    .transpose = transpose_words, .interleave = interleave_bf16,
    .product = product,
};
