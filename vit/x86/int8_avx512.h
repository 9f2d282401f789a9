/* SPDX-License-Identifier: MIT */
/* What the tiers of int8 on AVX-512 share: rows in, sums out. */
#ifndef TOMEVIT_X86_INT8_AVX512_H
#define TOMEVIT_X86_INT8_AVX512_H

#include "../low.h"
#include "avx512.h"
#include "tomevit.h"

#include <immintrin.h>

typedef __m512i I;
enum { W = 16 };
#define LOADI(p) _mm512_loadu_si512(p)
#define SETI(w) _mm512_set1_epi32(w)

/* What sums stand for, in the scalar kernel's order. */
static inline __m512 value(__m512i sums, const vit_level *row,
                           const float *column_scale, const float *column_sum)
{
    __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row->scale),
                                 _mm512_loadu_ps(column_scale));

    return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale),
                         _mm512_mul_ps(_mm512_set1_ps(row->centre),
                                       _mm512_loadu_ps(column_sum)));
}

#define END(t, i, half, sums)                                                \
    _mm512_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
                     value(sums, (t)->levels + (i),                          \
                           (t)->column_scale + (half) * W,                   \
                           (t)->column_sum + (half) * W))

/* Which of elements p .. p + 15 of x[k] there are. */
static inline __mmask16 present(size_t k, size_t p)
{
    size_t left = k > p ? k - p : 0;

    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
}

/* Zeros times elements are zeros, or NaN if one is not finite. */
static inline vit_level level(size_t k, const float *x, float *inverse)
{
    __m512 low = _mm512_set1_ps(x[0]), high = low, zeros = _mm512_setzero_ps();
    float most;

    for (size_t p = 0; p < k; p += 16) {
        __m512 v = _mm512_mask_loadu_ps(_mm512_set1_ps(x[0]), present(k, p),
                                        x + p);

        low = _mm512_min_ps(low, v);
        high = _mm512_max_ps(high, v);
        zeros = _mm512_fmadd_ps(v, _mm512_setzero_ps(), zeros);
    }
    most = _mm512_reduce_max_ps(high) + _mm512_reduce_add_ps(zeros);
    return tomevit_int8_level(_mm512_reduce_min_ps(low), most, inverse);
}

/* Elements p .. p + 15 of a row as whole numbers, zeros past its end. */
static inline __m512i wholes(size_t k, const float *x, size_t p, __m512 centre,
                             __m512 inverse)
{
    __mmask16 there = present(k, p);
    __m512 v = _mm512_maskz_sub_ps(there,
                                   _mm512_maskz_loadu_ps(there, x + p), centre);

    return _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
}

#endif
