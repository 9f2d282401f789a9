/* SPDX-License-Identifier: MIT */
/* int8 on AVX-512 without VNNI: tiles of 12 x 32, words of two elements as
 * s16, whose products are added up exactly. */
#include "int8_avx512.h"

typedef __m512i SUMS;
enum { MR = 12, HEAD = 0 };
#define EACH_ROW(M) \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)

/* As in int8_avx2.c. */
static inline __m512i dot(__m512i sums, __m512i x, __m512i b)
{
    __m512i products;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+v"(sums), "=&v"(products) : "v"(x), "v"(b));
    return sums;
}

#define DOT(sums, x, b) dot(sums, x, b)
#define BEGIN(t, i, half) _mm512_setzero_si512()

#include "low_dot.h"

static vit_level narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    float inverse;
    vit_level row = level(k, x, &inverse);
    __m512 centre = _mm512_set1_ps(row.centre), by = _mm512_set1_ps(inverse);

    for (size_t p = 0; p < k; p += 32, out += step)
        for (size_t i = 0; i < 32; i += 16)
            _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i),
                _mm512_cvtepi32_epi16(wholes(k, x, p + i, centre, by)));
    return row;
}

const vit_low tomevit_int8_avx512 = {
    .name = "avx512", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s16,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
