/* SPDX-License-Identifier: MIT */
/* The peak of VNNI: 64 products of bytes an instruction. */
#include <immintrin.h>

typedef __m512i V;
enum { W = 64, SUMS = 14 };
#define SET1(x) _mm512_set1_epi32((int)(x))
#define FMA(sum, x, y) dot(sum, x, y)
#define ADD _mm512_add_epi32
#define TIER "avx512-vnni"
#define DTYPE "int8"
#define PEAK peak_avx512vnni

/* The intrinsic makes gcc 12 copy the sums. */
static inline __m512i dot(__m512i sum, __m512i x, __m512i y)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
    return sum;
}

#include "peak_loop.h"
