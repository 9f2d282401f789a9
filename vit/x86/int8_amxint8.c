/* SPDX-License-Identifier: MIT */
/* int8 with AMX. */
#include "int8_avx512.h"

typedef int32_t SUM;
#define TDP(c, a, b) _tile_dpbssd(c, a, b)

/* The scales' product first, as the scalar kernel has it. */
static inline void to_floats(const vit_low_product *p, size_t i, size_t rows,
                             size_t j, const int32_t *sums, float *c)
{
    __m512 low = _mm512_loadu_ps(p->column_scale + j);
    __m512 high = _mm512_loadu_ps(p->column_scale + j + 16);

    for (size_t r = 0; r < rows; r++, sums += 32, c += 32) {
        __m512 scale = _mm512_set1_ps(p->row_scale[i + r]);

        _mm512_storeu_ps(c, _mm512_mul_ps(
            _mm512_cvtepi32_ps(_mm512_loadu_si512(sums)),
            _mm512_mul_ps(scale, low)));
        _mm512_storeu_ps(c + 16, _mm512_mul_ps(
            _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + 16)),
            _mm512_mul_ps(scale, high)));
    }
}

#include "amx.h"

#ifndef TABLE
#define TABLE tomevit_int8_amxint8
#endif

static float narrow(size_t k, const float *x, unsigned char *out, size_t step)
{
    float inverse, scale = tomevit_int8_scale(peak(k, x), &inverse);

    for (size_t p = 0; p < k; p += 64, out += step)
        for (size_t i = 0; i < 64; i += 16)
            _mm_storeu_si128((__m128i *)(void *)(out + i),
                _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(
                    load_part(x, p + i, k), _mm512_set1_ps(inverse)))));
    return scale;
}

const vit_low TABLE = {
    .name = "amx-int8", .dtype = TOMEVIT_INT8, .mr = BLOCK, .nr = TILE_ROWS,
    .block_rows = 256, .strip = 2 * BLOCK, .per_word = 4, .per_chunk = 64,
    .interleaved = TILE_ROWS, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .product = product,
};
