/* SPDX-License-Identifier: MIT */
/*
 * The kernels for AVX2 with F16C. Every lane does what the scalar kernel does
 * for its element, in the same order; products are not fused into sums, so
 * the bits are the same. Tails are masked: nothing past n is touched.
 */
#include "../dsp.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* A build that gives this file no flags of its own. */
#ifndef __AVX2__
#define TARGET_HERE 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2"))), \
    apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,bmi2")
#endif
#endif

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* The lanes that hold one of `left` (0 .. 7) elements. */
INLINE __m256i lanes(size_t left)
{
    static const int32_t mask[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};

    return _mm256_loadu_si256((const __m256i *)(mask + LANES - left));
}

/* Up to eight of `left` elements, the rest 0. */
INLINE __m256 get(const float *x, size_t left)
{
    return left >= LANES ? _mm256_loadu_ps(x)
                         : _mm256_maskload_ps(x, lanes(left));
}

INLINE void put(float *x, size_t left, __m256 value)
{
    if (left >= LANES)
        _mm256_storeu_ps(x, value);
    else
        _mm256_maskstore_ps(x, lanes(left), value);
}

/* The same for halves, which have no masked moves. */
INLINE __m128i get_halves(const uint16_t *x, size_t left)
{
    uint16_t part[LANES] = {0};

    if (left >= LANES)
        return _mm_loadu_si128((const __m128i *)x);
    memcpy(part, x, left * sizeof(*x));
    return _mm_loadu_si128((const __m128i *)part);
}

INLINE void put_halves(uint16_t *x, size_t left, __m128i value)
{
    uint16_t part[LANES];

    if (left >= LANES) {
        _mm_storeu_si128((__m128i *)x, value);
        return;
    }
    _mm_storeu_si128((__m128i *)part, value);
    memcpy(x, part, left * sizeof(*x));
}

/* ---- conversion --------------------------------------------------------- */

static void load_bf16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m256i x = _mm256_cvtepu16_epi32(get_halves(in + i, n - i));

        put(out + i, n - i, _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)));
    }
}

static void load_f16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put(out + i, n - i, _mm256_cvtph_ps(get_halves(in + i, n - i)));
}

static void store_bf16(uint16_t *out, const float *in, size_t n)
{
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i half = _mm256_set1_epi32(0x7fff);
    const __m256i quiet = _mm256_set1_epi32(0x40);

    for (size_t i = 0; i < n; i += LANES) {
        __m256 x = get(in + i, n - i);
        __m256i bits = _mm256_castps_si256(x);
        __m256i upper = _mm256_srli_epi32(bits, 16);
        __m256i odd = _mm256_and_si256(upper, one);
        __m256i y = _mm256_srli_epi32(
            _mm256_add_epi32(bits, _mm256_add_epi32(half, odd)), 16);
        __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);

        y = _mm256_blendv_epi8(y, _mm256_or_si256(upper, quiet),
                               _mm256_castps_si256(nan));
        put_halves(out + i, n - i,
                   _mm_packus_epi32(_mm256_castsi256_si128(y),
                                    _mm256_extracti128_si256(y, 1)));
    }
}

static void store_f16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put_halves(out + i, n - i,
                   _mm256_cvtps_ph(get(in + i, n - i),
                                   _MM_FROUND_TO_NEAREST_INT));
}

/* ---- scoring -------------------------------------------------------------- */

/* Sixteen interleaved sums, added up pairwise. */
INLINE float add_up(const __m256 sum[2])
{
    __m256 sum8 = _mm256_add_ps(sum[0], sum[1]);
    __m128 sum4 = _mm_add_ps(_mm256_castps256_ps128(sum8),
                             _mm256_extractf128_ps(sum8, 1));

    sum4 = _mm_add_ps(sum4, _mm_movehl_ps(sum4, sum4));
    return _mm_cvtss_f32(_mm_add_ss(sum4, _mm_shuffle_ps(sum4, sum4, 1)));
}

static void norm(const float *x, size_t n, float *squares, uint32_t *peak)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    __m256i largest = _mm256_setzero_si256();
    uint32_t peaks[LANES];

    for (size_t i = 0; i < n; i += LANES) {
        __m256 v = get(x + i, n - i), *half = &sum[i / LANES % 2];

        *half = _mm256_add_ps(*half, _mm256_mul_ps(v, v));
        largest = _mm256_max_epu32(
            largest, _mm256_and_si256(_mm256_castps_si256(v), magnitude));
    }
    *squares = add_up(sum);
    _mm256_storeu_si256((__m256i *)peaks, largest);
    *peak = 0;
    for (int i = 0; i < LANES; i++)
        *peak = peaks[i] > *peak ? peaks[i] : *peak;
}

static void dot(const float *a, const float *b, size_t n, float *total)
{
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (size_t i = 0; i < n; i += LANES) {
        __m256 *half = &sum[i / LANES % 2];

        *half = _mm256_add_ps(*half, _mm256_mul_ps(get(a + i, n - i),
                                                   get(b + i, n - i)));
    }
    *total = add_up(sum);
}

enum scoring { DOT, DISTANCE };

/* Adds channel by channel what R rows have in common with one panel, whose
 * sixteen columns are two registers. */
INLINE void gather(enum scoring mode, int R, const tomerge_panels *b,
                   size_t panel, const float *a, __m256 sum[][2])
{
    const float *column = b->data + panel * b->channels * TOMERGE_PANEL;

    UNROLL for (int r = 0; r < R; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (size_t c = 0; c < b->channels; c++, column += TOMERGE_PANEL) {
        __m256 y[2] = {_mm256_loadu_ps(column),
                       _mm256_loadu_ps(column + LANES)};

        UNROLL for (int r = 0; r < R; r++) {
            __m256 x = _mm256_set1_ps(a[(size_t)r * b->channels + c]);

            UNROLL for (int h = 0; h < 2; h++) {
                __m256 left = x, right = y[h];

                if (mode == DISTANCE)
                    left = right = _mm256_sub_ps(x, y[h]);
                sum[r][h] = _mm256_add_ps(sum[r][h],
                                          _mm256_mul_ps(left, right));
            }
        }
    }
}

INLINE __m256 finish(enum scoring mode, const tomerge_panels *b, size_t column,
                     __m256 sum)
{
    __m256 bias = _mm256_loadu_ps(b->bias + column);

    if (mode == DISTANCE)
        return _mm256_sub_ps(bias, sum);
    return _mm256_add_ps(
        _mm256_mul_ps(sum, _mm256_loadu_ps(b->scale + column)), bias);
}

/* The best of sixteen lanes, the lowest column among equals. */
INLINE void reduce(const __m256 top[2], const __m256i at[2], float *best,
                   int32_t *index)
{
    float value[TOMERGE_PANEL];
    int32_t column[TOMERGE_PANEL];

    for (int h = 0; h < 2; h++) {
        _mm256_storeu_ps(value + h * LANES, top[h]);
        _mm256_storeu_si256((__m256i *)(column + h * LANES), at[h]);
    }
    *best = value[0];
    *index = column[0];
    for (int j = 1; j < TOMERGE_PANEL; j++) {
        if (value[j] > *best || (value[j] == *best && column[j] < *index)) {
            *best = value[j];
            *index = column[j];
        }
    }
}

/* Each lane keeps the best of its columns, the earlier one among equals. A
 * lane that found nothing above -infinity has column -1; so do then all. */
INLINE void best_rows(enum scoring mode, int R, const tomerge_panels *b,
                      const float *a, float *best, int32_t *index)
{
    __m256 sum[4][2], top[4][2];
    __m256i at[4][2], column = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);

    UNROLL for (int r = 0; r < R; r++) {
        top[r][0] = top[r][1] = _mm256_set1_ps(-INFINITY);
        at[r][0] = at[r][1] = _mm256_set1_epi32(-1);
    }
    for (size_t p = 0; p < b->columns / TOMERGE_PANEL; p++) {
        gather(mode, R, b, p, a, sum);
        UNROLL for (int h = 0; h < 2; h++) {
            UNROLL for (int r = 0; r < R; r++) {
                __m256 score = finish(mode, b, p * TOMERGE_PANEL +
                                      (size_t)h * LANES, sum[r][h]);
                __m256 wins = _mm256_cmp_ps(score, top[r][h], _CMP_GT_OQ);

                top[r][h] = _mm256_blendv_ps(top[r][h], score, wins);
                at[r][h] = _mm256_blendv_epi8(at[r][h], column,
                                              _mm256_castps_si256(wins));
            }
            column = _mm256_add_epi32(column, _mm256_set1_epi32(LANES));
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        reduce(top[r], at[r], best + r, index + r);
}

INLINE void best_of(enum scoring mode, const tomerge_panels *b, const float *a,
                    size_t rows, float *best, int32_t *index)
{
    size_t i = 0;

    for (; rows - i >= 4; i += 4)
        best_rows(mode, 4, b, a + i * b->channels, best + i, index + i);
    for (; i < rows; i++)
        best_rows(mode, 1, b, a + i * b->channels, best + i, index + i);
}

static void best_dot(const tomerge_panels *b, const float *a, size_t rows,
                     float *best, int32_t *index)
{
    best_of(DOT, b, a, rows, best, index);
}

static void best_distance(const tomerge_panels *b, const float *a, size_t rows,
                          float *best, int32_t *index)
{
    best_of(DISTANCE, b, a, rows, best, index);
}

static void dots(const tomerge_panels *b, const float *a, float *out)
{
    for (size_t p = 0; p < b->columns / TOMERGE_PANEL; p++) {
        size_t column = p * TOMERGE_PANEL;
        __m256 sum[1][2];

        gather(DOT, 1, b, p, a, sum);
        _mm256_storeu_ps(out + column, finish(DOT, b, column, sum[0][0]));
        _mm256_storeu_ps(out + column + LANES,
                         finish(DOT, b, column + LANES, sum[0][1]));
    }
}

/* ---- combining ------------------------------------------------------------ */

static void scale(float *acc, const float *x, float weight, size_t n)
{
    __m256 w = _mm256_set1_ps(weight);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i, _mm256_mul_ps(get(x + i, n - i), w));
}

static void accumulate(float *acc, const float *x, float weight, size_t n)
{
    __m256 w = _mm256_set1_ps(weight);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i,
            _mm256_add_ps(get(acc + i, n - i),
                          _mm256_mul_ps(get(x + i, n - i), w)));
}

static void divide(float *acc, float divisor, size_t n)
{
    __m256 d = _mm256_set1_ps(divisor);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i, _mm256_div_ps(get(acc + i, n - i), d));
}

static void maximum(float *acc, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m256 v = get(x + i, n - i), old = get(acc + i, n - i);
        __m256 wins = _mm256_or_ps(_mm256_cmp_ps(v, old, _CMP_GT_OQ),
                                   _mm256_cmp_ps(v, v, _CMP_UNORD_Q));

        put(acc + i, n - i, _mm256_blendv_ps(old, v, wins));
    }
}

static void mean_heads(float *out, const float *k, size_t heads,
                       ptrdiff_t head_stride, size_t n)
{
    __m256 count = _mm256_set1_ps((float)heads);

    for (size_t i = 0; i < n; i += LANES) {
        const float *from = k + i;
        __m256 sum = get(from, n - i);

        for (size_t h = 1; h < heads; h++) {
            from += head_stride;
            sum = _mm256_add_ps(sum, get(from, n - i));
        }
        put(out + i, n - i, _mm256_div_ps(sum, count));
    }
}

void tomerge_dsp_avx2(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "../kernels.def"
#undef KERNEL
}

#if defined(TARGET_HERE) && defined(__clang__)
#pragma clang attribute pop
#endif
