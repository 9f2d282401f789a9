/* SPDX-License-Identifier: MIT */
/* int8 with AMX. */
#include "int8_avx512.h"

typedef int32_t SUM;
#define TDP(c, a, b) _tile_dpbssd(c, a, b)

static inline void to_floats(const vit_low_product *p, size_t i, size_t rows,
                             size_t j, const int32_t *sums, float *c)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t h = 0; h < 32; h += 16, sums += 16, c += 16)
            _mm512_storeu_ps(c, value(_mm512_loadu_si512(sums),
                                      p->levels + i + r,
                                      p->column_scale + j + h,
                                      p->column_sum + j + h));
}

#include "amx.h"

#ifndef TABLE
#define TABLE tomevit_int8_amxint8
#endif

enum { CHUNK = 64 };

static inline void store_chunk(const float *x, __m512 centre, __m512 inverse,
                               unsigned char *out)
{
    _mm512_storeu_si512(out, bytes(x, centre, inverse));
}

#include "int8_rows.h"

const vit_low TABLE = {
    .name = "amx-int8", .dtype = TOMEVIT_INT8, .mr = BLOCK, .nr = TILE_ROWS,
    .block_rows = 256, .strip = 2 * BLOCK, .per_word = 4, .per_chunk = 64,
    .interleaved = TILE_ROWS, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .product = product,
};
