/* SPDX-License-Identifier: MIT */
/* int8 on AVX2: tiles of 6 x 16, words of two elements as s16, whose products
 * are added up exactly. (An instruction on bytes would saturate.) */
#include "../low.h"
#include "avx2.h"
#include "tomevit.h"

typedef __m256i I;
typedef __m256i SUMS;
enum { W = 8, MR = 6, HEAD = 0 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define LOADI(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define SETI(w) _mm256_set1_epi32(w)

/* The intrinsics make gcc 12 multiply far ahead of adding and run out of
 * registers. */
static inline __m256i dot(__m256i sums, __m256i x, __m256i b)
{
    __m256i products;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sums), "=&x"(products) : "x"(x), "x"(b));
    return sums;
}

#define DOT(sums, x, b) dot(sums, x, b)
#define BEGIN(t, i, half) _mm256_setzero_si256()
/* What sums stand for, in the scalar kernel's order. */
static inline __m256 value(__m256i sums, const vit_quant *row,
                           const float *column_scale, const float *column_sum)
{
    __m256 scale = _mm256_mul_ps(_mm256_set1_ps(row->scale),
                                 _mm256_loadu_ps(column_scale));

    return _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), scale),
                         _mm256_mul_ps(_mm256_set1_ps(row->zero_point),
                                       _mm256_loadu_ps(column_sum)));
}

#define END(t, i, half, sums)                                                \
    _mm256_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
                     value(sums, (t)->quants + (i),                          \
                           (t)->column_scale + (half) * W,                   \
                           (t)->column_sum + (half) * W))

#include "../vectors/low_dot.h"

/* ---- rows ---------------------------------------------------------------- */

typedef __m256 F;
enum { WIDTH = 8, CHUNK = 32 };
#define LOADF _mm256_loadu_ps
#define SETF _mm256_set1_ps
#define ADDF _mm256_add_ps
#define MINF _mm256_min_ps
#define MAXF _mm256_max_ps
#define FMAF _mm256_fmadd_ps

/* Across one vector, by an operation on halves of it. */
#define ACROSS(name, op)                                                     \
    static inline float name(__m256 v)                                       \
    {                                                                        \
        __m128 x = op(_mm256_castps256_ps128(v),                             \
                      _mm256_extractf128_ps(v, 1));                          \
                                                                             \
        x = op(x, _mm_movehl_ps(x, x));                                      \
        return _mm_cvtss_f32(op(x, _mm_movehdup_ps(x)));                     \
    }

ACROSS(least, _mm_min_ps)
ACROSS(greatest, _mm_max_ps)
ACROSS(total, _mm_add_ps)
#define LEAST least
#define MOST greatest
#define TOTAL total

static inline __m256i wholes(const float *x, __m256 zero, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(
        _mm256_sub_ps(_mm256_loadu_ps(x), zero), inverse));
}

static inline void store_chunk(const float *x, __m256 zero, __m256 inverse,
                               unsigned char *out)
{
    for (size_t i = 0; i < CHUNK; i += 16) {
        __m256i packed = _mm256_packs_epi32(wholes(x + i, zero, inverse),
                                            wholes(x + i + 8, zero,
                                                   inverse));

        _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i),
                            _mm256_permute4x64_epi64(packed, 0xd8));
    }
}

#include "../vectors/int8_rows.h"

const vit_low tomevit_int8_avx2 = {
    .name = "avx2", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 48, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s16,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
