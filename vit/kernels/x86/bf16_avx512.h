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

/* 16 elements as 8 words. */
static inline __m256i pairs(__m512 x)
{
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded(x), 16));
}

/* Rows of pairs. */
static inline vit_level narrow_pairs(size_t k, const float *x,
                                     unsigned char *out, size_t step)
{
    for (size_t p = 0; p < k; p += 32, out += step) {
        _mm256_storeu_si256((__m256i *)(void *)out,
                            pairs(load_part(x, p, k)));
        _mm256_storeu_si256((__m256i *)(void *)(out + 32),
                            pairs(load_part(x, p + 16, k)));
    }
    return (vit_level){1.0f, 0.0f};
}

static inline void words_bf16(size_t k, const float *x, float unused,
                              uint32_t *out)
{
    (void)unused;
    for (size_t p = 0; p < k; p += 16) {
        size_t count = (k - p + 1) / 2;
        __mmask8 mask = (__mmask8)(count < 8 ? (1u << count) - 1 : 0xff);

        _mm256_mask_storeu_epi32(out + p / 2, mask, pairs(load_part(x, p, k)));
    }
}

static inline void interleave_bf16(size_t n, const float *even,
                                   const float *odd, uint32_t *out)
{
    for (size_t i = 0; i < n; i += 16) {
        __m512i low = _mm512_srli_epi32(rounded(load_part(even, i, n)), 16);
        __m512i high = odd ? rounded(load_part(odd, i, n))
                           : _mm512_setzero_si512();
        __mmask16 mask = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1
                                                : 0xffff);

        high = _mm512_andnot_si512(_mm512_set1_epi32(0xffff), high);
        _mm512_mask_storeu_epi32(out + i, mask, _mm512_or_si512(low, high));
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
