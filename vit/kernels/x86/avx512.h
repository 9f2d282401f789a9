/* SPDX-License-Identifier: MIT */
/* What files for AVX-512 share: ends of rows, and rows to columns. */
#ifndef TOMEVIT_X86_AVX512_H
#define TOMEVIT_X86_AVX512_H

#include <immintrin.h>
#include <stddef.h>

/* Elements first .. first + 15 of x[n], zeros past its end. */
static inline __m512 load_part(const float *x, size_t first, size_t n)
{
    size_t left = n > first ? n - first : 0;

    if (left >= 16)
        return _mm512_loadu_ps(x + first);
    return _mm512_maskz_loadu_ps((__mmask16)((1u << left) - 1), x + first);
}

/* A block of 16 x 16: pairs, then fours, eights and sixteens. */
static inline void transpose16(__m512 v[16])
{
    __m512 t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}

#endif
