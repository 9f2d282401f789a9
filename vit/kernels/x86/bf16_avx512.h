/* SPDX-License-Identifier: MIT */
/* What the tiers of bf16 on AVX-512 share: rounding and packing. */
#ifndef TOMEVIT_X86_BF16_AVX512_H
#define TOMEVIT_X86_BF16_AVX512_H

#include "../low.h"
#include "avx512.h"
#include "tomevit.h"

#include <immintrin.h>

/* Rounded to bf16 in the upper half of each lane; the lower is anything. NaN
 * becomes a quiet one. */
static inline __m512i rounded(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16),
                                   _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, odd),
                                  _mm512_set1_epi32(0x7fff));

    return _mm512_mask_or_epi32(up, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                                bits, _mm512_set1_epi32(0x400000));
}

/* 32 elements as 16 words. A tier with an instruction for it defines
 * CONVERTS; that takes subnormal numbers for zeros, as the tier's products do
 * anyway. */
static inline __m512i both_pairs(__m512 low, __m512 high)
{
#ifdef CONVERTS
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
#else
    __m256i first = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded(low), 16));
    __m256i second = _mm512_cvtepi32_epi16(
        _mm512_srli_epi32(rounded(high), 16));

    return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
#endif
}

/* Elements first .. first + 31 of x[n]. */
static inline __m512i pairs_of(const float *x, size_t first, size_t n)
{
    return both_pairs(load_part(x, first, n), load_part(x, first + 16, n));
}

/* Rows of pairs. */
static inline vit_quant narrow_pairs(size_t k, const float *x,
                                     unsigned char *out, size_t step)
{
    size_t p = 0;

    for (; p + 32 <= k; p += 32, out += step)
        _mm512_storeu_si512(out, both_pairs(_mm512_loadu_ps(x + p),
                                            _mm512_loadu_ps(x + p + 16)));
    if (p < k)
        _mm512_storeu_si512(out, pairs_of(x, p, k));
    return (vit_quant){1.0f, 0.0f};
}

static inline void words_bf16(size_t k, const float *x, float unused,
                              uint32_t *out)
{
    (void)unused;
    for (size_t p = 0; p < k; p += 32) {
        size_t count = (k - p + 1) / 2;
        __mmask16 mask = (__mmask16)(count < 16 ? (1u << count) - 1 : 0xffff);

        _mm512_mask_storeu_epi32(out + p / 2, mask, pairs_of(x, p, k));
    }
}

static inline void interleave_bf16(size_t n, const float *even,
                                   const float *odd, uint32_t *out)
{
    const __m512i turns = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
        22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

    for (size_t i = 0; i < n; i += 16) {
        __m512 second = odd ? load_part(odd, i, n) : _mm512_setzero_ps();
        __m512i words = _mm512_permutexvar_epi16(
            turns, both_pairs(load_part(even, i, n), second));
        __mmask16 mask = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1
                                                : 0xffff);

        _mm512_mask_storeu_epi32(out + i, mask, words);
    }
}

/* Words are moved as floats: nothing looks at their values. */
static inline void transpose_words(size_t rows, size_t words,
                                   const uint32_t *x, size_t ldx, size_t width,
                                   uint32_t *out)
{
    for (size_t p = 0; p < words; p += 16) {
        size_t depth = words - p < 16 ? words - p : 16;
        __mmask16 mask = (__mmask16)((1u << depth) - 1);

        for (size_t i = 0; i < width; i += 16) {
            size_t columns = width - i < 16 ? width - i : 16;
            __m512 v[16];

            for (size_t r = 0; r < 16; r++)
                v[r] = i + r < rows
                    ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi32(
                          mask, x + (i + r) * ldx + p))
                    : _mm512_setzero_ps();
            transpose16(v);
            for (size_t q = 0; q < depth; q++)
                _mm512_mask_storeu_epi32(out + (p + q) * width + i,
                    (__mmask16)((1u << columns) - 1),
                    _mm512_castps_si512(v[q]));
        }
    }
}

#endif
