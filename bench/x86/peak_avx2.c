/* SPDX-License-Identifier: MIT */
/* The peak of AVX2 and FMA. */
#include <immintrin.h>

typedef __m256 V;
enum { W = 8, SUMS = 12 };
#define SET1 _mm256_set1_ps
#define FMA _mm256_fmadd_ps
#define ADD _mm256_add_ps
#define TIER "avx2"
#define DTYPE "f32"
#define PEAK peak_avx2

#include "peak_loop.h"
