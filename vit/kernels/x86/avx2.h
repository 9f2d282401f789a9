/* SPDX-License-Identifier: MIT */
/* What files for AVX2 share: ends of rows, and rows to columns. */
#ifndef TOMEVIT_X86_AVX2_H
#define TOMEVIT_X86_AVX2_H

#include <immintrin.h>
#include <stddef.h>

/* A mask of the first n of 8 lanes. */
static inline __m256i first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Elements start .. start + 7 of x[n], zeros past its end. */
static inline __m256 load_part(const float *x, size_t start, size_t n)
{
    size_t left = n > start ? n - start : 0;

    if (left >= 8)
        return _mm256_loadu_ps(x + start);
    return _mm256_maskload_ps(x + start, first(left));
}

/* A block of 8 x 8: pairs, then fours and eights. */
static inline void transpose8(__m256 v[8])
{
    __m256 t[8];

    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        v[i] = t[i];
}

#endif
