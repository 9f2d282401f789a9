/* SPDX-License-Identifier: MIT */
/* int8 with AMX. */
#include "int8_avx512.h"

typedef int32_t CELL;
#define TDP(c, a, b) _tile_dpbssd(c, a, b)
#define NARROWS 0

static inline __m512 sums_of(const vit_low_product *p, size_t row,
                             size_t column, const int32_t *sums)
{
    return value(_mm512_loadu_si512(sums), p->quants + row,
                 p->column_scale + column, p->column_sum + column);
}

#include "amx.h"

#ifndef TABLE
#define TABLE tomevit_int8_amxint8
#endif

enum { CHUNK = 64 };

static inline void store_chunk(const float *x, __m512 zero, __m512 inverse,
                               unsigned char *out)
{
    _mm512_storeu_si512(out, bytes(x, zero, inverse));
}

#include "../vectors/int8_rows.h"

const vit_low TABLE = {
    .name = "amx-int8", .dtype = TOMEVIT_INT8, .mr = BLOCK, .nr = TILE_ROWS,
    .block_rows = 192, .strip = 2 * BLOCK, .per_word = 4, .per_chunk = 64,
    .interleaved = TILE_ROWS, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .product = product,
};
