/* SPDX-License-Identifier: MIT */
/* bf16 on AVX-512 alone: tiles of 14 x 32. */
#include "bf16_avx512.h"

typedef __m512 V;
typedef __m512i I;
enum { W = 16, MR = 14 };
#define EACH_ROW(M) \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)

#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define ZERO _mm512_setzero_ps
#define SET1 _mm512_set1_ps
#define FMA _mm512_fmadd_ps
#define LOADI(p) _mm512_loadu_si512(p)
#define EVEN(w) _mm512_castsi512_ps(_mm512_slli_epi32(w, 16))
#define UPPER(w) _mm512_andnot_si512(_mm512_set1_epi32(0xffff), w)
#define ODD(w) _mm512_castsi512_ps(UPPER(w))

#include "../vectors/low_widen.h"

static vit_quant narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    for (size_t p = 0; p < k; p += 16, out += step)
        _mm512_storeu_si512(out, UPPER(rounded(load_part(x, p, k))));
    return (vit_quant){1.0f, 0.0f};
}

const vit_low tomevit_bf16_avx512 = {
    .name = "avx512",
    .dtype = TOMEVIT_BF16,
    .mr = MR,
    .nr = NR,
    .block_rows = 112,
    .strip = MR,
    .depth = 224,
    .per_word = 2,
    .per_chunk = 16,
    .interleaved = 1,
    .widens = 1,
    .narrow = narrow,
    .words = words_bf16,
    .transpose = transpose_words,
    .interleave = interleave_bf16,
    .tile = tile,
    .product = tomevit_low_blocked,
};
