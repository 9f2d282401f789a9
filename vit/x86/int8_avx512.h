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

/* The scales' product first, as the scalar kernel has it. */
#define END(t, i, half, sums)                                                \
    _mm512_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
        _mm512_mul_ps(_mm512_cvtepi32_ps(sums),                              \
            _mm512_mul_ps(_mm512_set1_ps((t)->row_scale[i]),                 \
                          _mm512_loadu_ps((t)->column_scale + (half) * W))))

/* The largest magnitude, compared as whole numbers: infinities and NaN are
 * above all others. */
static inline float peak(size_t k, const float *x)
{
    __m512i most = _mm512_setzero_si512();

    for (size_t p = 0; p < k; p += 16)
        most = _mm512_max_epu32(most, _mm512_and_si512(
            _mm512_castps_si512(load_part(x, p, k)),
            _mm512_set1_epi32(0x7fffffff)));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(
        (int)_mm512_reduce_max_epu32(most))));
}

#endif
