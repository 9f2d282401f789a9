/* SPDX-License-Identifier: MIT */
/* AVX2 and FMA: tiles of 6 x 16, 12 of the 16 registers holding sums. */
#include "avx2.h"

#define NAME "avx2"
#define TABLE tomevit_dsp_avx2

typedef __m256 V;
enum { W = 8, MR = 6, GROUP = 3 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define ZERO _mm256_setzero_ps
#define SET1 _mm256_set1_ps
#define ADD _mm256_add_ps
#define SUB _mm256_sub_ps
#define MUL _mm256_mul_ps
#define DIV _mm256_div_ps
#define FMA _mm256_fmadd_ps
#define FNMA _mm256_fnmadd_ps
#define MAX _mm256_max_ps
#define MIN _mm256_min_ps

#define LOAD_N(p, n) _mm256_maskload_ps(p, first(n))
#define STORE_N(p, v, n) _mm256_maskstore_ps(p, first(n), v)
#define SELECT_N(n, a, b) \
    _mm256_blendv_ps(b, a, _mm256_castsi256_ps(first(n)))

static inline float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v),
                          _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float max8(__m256 v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v),
                          _mm256_extractf128_ps(v, 1));

    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
#define SUM sum8
#define MAXIMUM max8
#define ROUND(v) \
    _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SCALE(v, k) \
    _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32( \
        _mm256_cvtps_epi32(k), _mm256_set1_epi32(127)), 23)))

#define TRANSPOSE transpose8
#define SWAP_PAIRS(v) _mm256_permute_ps(v, 0xb1)

#include "../vectors/kernels.h"
