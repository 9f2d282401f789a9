/* SPDX-License-Identifier: MIT */
/* The peak of AVX512-BF16: 32 products an instruction. */
#include <immintrin.h>

typedef __m512 V;
enum { W = 32, SUMS = 14 };
#define SET1 _mm512_set1_ps
#define FMA(sum, x, y) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(y))
#define ADD _mm512_add_ps
#define TIER "avx512-bf16"
#define DTYPE "bf16"
#define PEAK peak_avx512bf16

#include "peak_loop.h"
