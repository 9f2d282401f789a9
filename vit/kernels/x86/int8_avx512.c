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

#include "../vectors/low_dot.h"

enum { CHUNK = 32 };

static inline void store_chunk(const float *x, __m512 zero, __m512 inverse,
                               unsigned char *out)
{
    __m512i packed = _mm512_packs_epi32(wholes(x, zero, inverse),
                                        wholes(x + 16, zero, inverse));

    _mm512_storeu_si512(out, _mm512_permutexvar_epi64(
        _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed));
}

#include "../vectors/int8_rows.h"

const vit_low tomevit_int8_avx512 = {
    .name = "avx512", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 48, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s16,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
