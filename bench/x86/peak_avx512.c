/* SPDX-License-Identifier: MIT */
/* The peak of AVX-512. */
#include <immintrin.h>

typedef __m512 V;
enum { W = 16, SUMS = 14 };
#define SET1 _mm512_set1_ps
#define FMA _mm512_fmadd_ps
#define ADD _mm512_add_ps
#define TIER "avx512"
#define DTYPE "f32"
#define PEAK peak_avx512

#include "peak_loop.h"
