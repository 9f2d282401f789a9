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
static inline __m256 value(__m256i sums, const vit_level *row,
                           const float *column_scale, const float *column_sum)
{
    __m256 scale = _mm256_mul_ps(_mm256_set1_ps(row->scale),
                                 _mm256_loadu_ps(column_scale));

    return _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), scale),
                         _mm256_mul_ps(_mm256_set1_ps(row->centre),
                                       _mm256_loadu_ps(column_sum)));
}

#define END(t, i, half, sums)                                                \
    _mm256_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
                     value(sums, (t)->levels + (i),                          \
                           (t)->column_scale + (half) * W,                   \
                           (t)->column_sum + (half) * W))

#include "low_dot.h"

/* Which of elements p .. p + 7 of x[k] there are. */
static inline __m256i present(size_t k, size_t p)
{
    size_t left = k > p ? k - p : 0;

    return first(left < 8 ? left : 8);
}

/* Zeros times elements are zeros, or NaN if one is not finite. */
static vit_level level(size_t k, const float *x, float *inverse)
{
    __m256 low = _mm256_set1_ps(x[0]), high = low, zeros = _mm256_setzero_ps();
    float least = x[0], most = x[0], finite = 0.0f, lanes[3][8];

    for (size_t p = 0; p < k; p += 8) {
        __m256i there = present(k, p);
        __m256 v = _mm256_blendv_ps(_mm256_set1_ps(x[0]),
                                    _mm256_maskload_ps(x + p, there),
                                    _mm256_castsi256_ps(there));

        low = _mm256_min_ps(low, v);
        high = _mm256_max_ps(high, v);
        zeros = _mm256_fmadd_ps(v, _mm256_setzero_ps(), zeros);
    }
    _mm256_storeu_ps(lanes[0], low);
    _mm256_storeu_ps(lanes[1], high);
    _mm256_storeu_ps(lanes[2], zeros);
    for (size_t i = 0; i < 8; i++) {
        least = lanes[0][i] < least ? lanes[0][i] : least;
        most = lanes[1][i] > most ? lanes[1][i] : most;
        finite += lanes[2][i];
    }
    return tomevit_int8_level(least, most + finite, inverse);
}

/* Elements p .. p + 7 of a row as whole numbers, zeros past its end. */
static inline __m256i wholes(size_t k, const float *x, size_t p, __m256 centre,
                             __m256 inverse)
{
    __m256i there = present(k, p);
    __m256 v = _mm256_sub_ps(_mm256_maskload_ps(x + p, there), centre);

    v = _mm256_and_ps(v, _mm256_castsi256_ps(there));
    return _mm256_cvtps_epi32(_mm256_mul_ps(v, inverse));
}

static vit_level narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    float inverse;
    vit_level row = level(k, x, &inverse);
    __m256 centre = _mm256_set1_ps(row.centre), by = _mm256_set1_ps(inverse);

    for (size_t p = 0; p < k; p += 32, out += step) {
        for (size_t i = 0; i < 32; i += 16) {
            __m256i low = wholes(k, x, p + i, centre, by);
            __m256i high = wholes(k, x, p + i + 8, centre, by);

            _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i),
                _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
        }
    }
    return row;
}

const vit_low tomevit_int8_avx2 = {
    .name = "avx2", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s16,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
