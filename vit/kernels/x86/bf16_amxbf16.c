/* SPDX-License-Identifier: MIT */
/* bf16 with AMX. Like the instruction of AVX-512 it adds pairs in an order of
 * its own and takes subnormal numbers for zeros. */
#include "bf16_avx512.h"

typedef float SUM;
#define TDP(c, a, b) _tile_dpbf16ps(c, a, b)

static inline void to_floats(const vit_low_product *p, size_t i, size_t rows,
                             size_t j, const float *sums, float *c)
{
    (void)p, (void)i, (void)j;
    for (size_t r = 0; r < rows * 32; r += 16)
        _mm512_storeu_ps(c + r, _mm512_loadu_ps(sums + r));
}

#include "amx.h"

#ifndef TABLE
#define TABLE tomevit_bf16_amxbf16
#endif

const vit_low TABLE = {
    .name = "amx-bf16", .dtype = TOMEVIT_BF16, .mr = BLOCK, .nr = TILE_ROWS,
    .block_rows = 256, .strip = 2 * BLOCK, .per_word = 2, .per_chunk = 32,
    .interleaved = TILE_ROWS, .narrow = narrow_pairs, .words = words_bf16,
    .transpose = transpose_words, .interleave = interleave_bf16,
    .product = product,
};
