/* SPDX-License-Identifier: MIT */
/* Vectors of 16 floats, as kernels.h and functions.h name what they do. */
#ifndef TOMEVIT_X86_VECTORS512_H
#define TOMEVIT_X86_VECTORS512_H

#include <immintrin.h>

typedef __m512 V;
enum { GROUP = 7 };
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define ZERO _mm512_setzero_ps
#define SET1 _mm512_set1_ps
#define ADD _mm512_add_ps
#define SUB _mm512_sub_ps
#define MUL _mm512_mul_ps
#define DIV _mm512_div_ps
#define FMA _mm512_fmadd_ps
#define FNMA _mm512_fnmadd_ps
#define MAX _mm512_max_ps
#define MIN _mm512_min_ps
#define FIRST(n) ((__mmask16)((1u << (n)) - 1))
#define LOAD_N(p, n) _mm512_maskz_loadu_ps(FIRST(n), p)
#define STORE_N(p, v, n) _mm512_mask_storeu_ps(p, FIRST(n), v)
#define SELECT_N(n, a, b) _mm512_mask_blend_ps(FIRST(n), b, a)
#define SUM _mm512_reduce_add_ps
#define MAXIMUM _mm512_reduce_max_ps
#define ROUND(v) \
    _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SCALE _mm512_scalef_ps

#endif
