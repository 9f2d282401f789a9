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
static inline __m512 value(__m512i sums, const vit_quant *row,
                           const float *column_scale, const float *column_sum)
{
    __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row->scale),
                                 _mm512_loadu_ps(column_scale));

    return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale),
                         _mm512_mul_ps(_mm512_set1_ps(row->zero_point),
                                       _mm512_loadu_ps(column_sum)));
}

#define END(t, i, half, sums)                                                \
    _mm512_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
                     value(sums, (t)->quants + (i),                          \
                           (t)->column_scale + (half) * W,                   \
                           (t)->column_sum + (half) * W))

/* x[16] - zero in units of a row's scale. */
static inline __m512i wholes(const float *x, __m512 zero, __m512 inverse)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(
        _mm512_sub_ps(_mm512_loadu_ps(x), zero), inverse));
}

/* 64 of them as bytes: packing takes 16 bytes of each in turn, a fourth of a
 * vector's. */
static inline __m512i bytes(const float *x, __m512 zero, __m512 inverse)
{
    __m512i low = _mm512_packs_epi32(wholes(x, zero, inverse),
                                     wholes(x + 16, zero, inverse));
    __m512i high = _mm512_packs_epi32(wholes(x + 32, zero, inverse),
                                      wholes(x + 48, zero, inverse));

    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11,
                          15),
        _mm512_packs_epi16(low, high));
}

/* For int8_rows.h. */
typedef __m512 F;
enum { WIDTH = 16 };
#define LOADF _mm512_loadu_ps
#define SETF _mm512_set1_ps
#define ADDF _mm512_add_ps
#define MINF _mm512_min_ps
#define MAXF _mm512_max_ps
#define FMAF _mm512_fmadd_ps
#define LEAST _mm512_reduce_min_ps
#define MOST _mm512_reduce_max_ps
#define TOTAL _mm512_reduce_add_ps

#endif
