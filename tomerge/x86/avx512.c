/* SPDX-License-Identifier: MIT */
/*
 * The kernels for AVX-512. Every lane does what the scalar kernel does for
 * its element, in the same order; products are not fused into sums, so the
 * bits are the same. Tails are masked: nothing past n is touched.
 */
#include "../dsp.h"

#include <immintrin.h>
#include <math.h>

/* A build that gives this file no flags of its own. */
#ifndef __AVX512F__
#define TARGET_HERE 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target(                        \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,f16c,bmi2"))),      \
    apply_to = function)
#else
#pragma GCC target(                                                          \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,f16c,bmi2")
#endif
#endif

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The lanes that hold one of `left` elements. */
INLINE __mmask16 lanes(size_t left)
{
    return left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
}

/* ---- conversion --------------------------------------------------------- */

static void load_bf16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512i x = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, in + i));

        _mm512_mask_storeu_epi32(out + i, m, _mm512_slli_epi32(x, 16));
    }
}

static void load_f16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m256i x = _mm256_maskz_loadu_epi16(m, in + i);

        _mm512_mask_storeu_ps(out + i, m, _mm512_cvtph_ps(x));
    }
}

static void store_bf16(uint16_t *out, const float *in, size_t n)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i half = _mm512_set1_epi32(0x7fff);
    const __m512i quiet = _mm512_set1_epi32(0x40);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 x = _mm512_maskz_loadu_ps(m, in + i);
        __m512i bits = _mm512_castps_si512(x);
        __m512i upper = _mm512_srli_epi32(bits, 16);
        __m512i odd = _mm512_and_si512(upper, one);
        __m512i y = _mm512_srli_epi32(
            _mm512_add_epi32(bits, _mm512_add_epi32(half, odd)), 16);

        y = _mm512_mask_or_epi32(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                                 upper, quiet);
        _mm256_mask_storeu_epi16(out + i, m, _mm512_cvtepi32_epi16(y));
    }
}

static void store_f16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 x = _mm512_maskz_loadu_ps(m, in + i);

        _mm256_mask_storeu_epi16(
            out + i, m, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
}

/* ---- scoring -------------------------------------------------------------- */

/* Sixteen interleaved sums, added up pairwise. */
INLINE float add_up(__m512 sum)
{
    __m256 sum8 = _mm256_add_ps(_mm512_castps512_ps256(sum),
                                _mm512_extractf32x8_ps(sum, 1));
    __m128 sum4 = _mm_add_ps(_mm256_castps256_ps128(sum8),
                             _mm256_extractf128_ps(sum8, 1));

    sum4 = _mm_add_ps(sum4, _mm_movehl_ps(sum4, sum4));
    return _mm_cvtss_f32(_mm_add_ss(sum4, _mm_shuffle_ps(sum4, sum4, 1)));
}

static void norm(const float *x, size_t n, float *squares, uint32_t *peak)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512 sum = _mm512_setzero_ps();
    __m512i largest = _mm512_setzero_si512();

    for (size_t i = 0; i < n; i += LANES) {
        __m512 v = _mm512_maskz_loadu_ps(lanes(n - i), x + i);

        sum = _mm512_add_ps(sum, _mm512_mul_ps(v, v));
        largest = _mm512_max_epu32(
            largest, _mm512_and_si512(_mm512_castps_si512(v), magnitude));
    }
    *squares = add_up(sum);
    *peak = _mm512_reduce_max_epu32(largest);
}

static void dot(const float *a, const float *b, size_t n, float *total)
{
    __m512 sum = _mm512_setzero_ps();

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);

        sum = _mm512_add_ps(sum,
                            _mm512_mul_ps(_mm512_maskz_loadu_ps(m, a + i),
                                          _mm512_maskz_loadu_ps(m, b + i)));
    }
    *total = add_up(sum);
}

enum scoring { DOT, DISTANCE };

/* Adds channel by channel what R rows have in common with one panel. */
INLINE void gather(enum scoring mode, int R, const tomerge_panels *b,
                   size_t panel, const float *a, __m512 sum[])
{
    const float *column = b->data + panel * b->channels * LANES;

    UNROLL for (int r = 0; r < R; r++)
        sum[r] = _mm512_setzero_ps();
    for (size_t c = 0; c < b->channels; c++, column += LANES) {
        __m512 y = _mm512_loadu_ps(column);

        UNROLL for (int r = 0; r < R; r++) {
            __m512 x = _mm512_set1_ps(a[(size_t)r * b->channels + c]);

            if (mode == DISTANCE) {
                x = _mm512_sub_ps(x, y);
                sum[r] = _mm512_add_ps(sum[r], _mm512_mul_ps(x, x));
            } else {
                sum[r] = _mm512_add_ps(sum[r], _mm512_mul_ps(x, y));
            }
        }
    }
}

INLINE __m512 finish(enum scoring mode, const tomerge_panels *b, size_t panel,
                     __m512 sum)
{
    __m512 bias = _mm512_loadu_ps(b->bias + panel * LANES);

    if (mode == DISTANCE)
        return _mm512_sub_ps(bias, sum);
    return _mm512_add_ps(
        _mm512_mul_ps(sum, _mm512_loadu_ps(b->scale + panel * LANES)), bias);
}

/* Each lane keeps the best of its columns, the earlier one among equals; at
 * the end the best lane wins, the lowest column among equals. */
INLINE void best_rows(enum scoring mode, int R, const tomerge_panels *b,
                      const float *a, float *best, int32_t *index)
{
    __m512 sum[8], top[8];
    __m512i at[8], column = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7,
                                             6, 5, 4, 3, 2, 1, 0);

    UNROLL for (int r = 0; r < R; r++) {
        top[r] = _mm512_set1_ps(-INFINITY);
        at[r] = _mm512_set1_epi32(-1);
    }
    for (size_t p = 0; p < b->columns / LANES; p++) {
        gather(mode, R, b, p, a, sum);
        UNROLL for (int r = 0; r < R; r++) {
            __m512 score = finish(mode, b, p, sum[r]);
            __mmask16 m = _mm512_cmp_ps_mask(score, top[r], _CMP_GT_OQ);

            top[r] = _mm512_mask_mov_ps(top[r], m, score);
            at[r] = _mm512_mask_mov_epi32(at[r], m, column);
        }
        column = _mm512_add_epi32(column, _mm512_set1_epi32(LANES));
    }
    UNROLL for (int r = 0; r < R; r++) {
        float highest = _mm512_reduce_max_ps(top[r]);
        __mmask16 m = _mm512_cmp_ps_mask(top[r], _mm512_set1_ps(highest),
                                         _CMP_EQ_OQ);

        best[r] = highest;
        index[r] = (int32_t)_mm512_mask_reduce_min_epu32(m, at[r]);
    }
}

INLINE void best_of(enum scoring mode, const tomerge_panels *b, const float *a,
                    size_t rows, float *best, int32_t *index)
{
    size_t i = 0;

    for (; rows - i >= 8; i += 8)
        best_rows(mode, 8, b, a + i * b->channels, best + i, index + i);
    for (; rows - i >= 2; i += 2)
        best_rows(mode, 2, b, a + i * b->channels, best + i, index + i);
    if (i < rows)
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
    for (size_t p = 0; p < b->columns / LANES; p++) {
        __m512 sum;

        gather(DOT, 1, b, p, a, &sum);
        _mm512_storeu_ps(out + p * LANES, finish(DOT, b, p, sum));
    }
}

/* ---- combining ------------------------------------------------------------ */

static void scale(float *acc, const float *x, float weight, size_t n)
{
    __m512 w = _mm512_set1_ps(weight);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(m, x + i);

        _mm512_mask_storeu_ps(acc + i, m, _mm512_mul_ps(v, w));
    }
}

static void accumulate(float *acc, const float *x, float weight, size_t n)
{
    __m512 w = _mm512_set1_ps(weight);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(m, x + i);
        __m512 sum = _mm512_maskz_loadu_ps(m, acc + i);

        _mm512_mask_storeu_ps(acc + i, m,
                              _mm512_add_ps(sum, _mm512_mul_ps(v, w)));
    }
}

static void divide(float *acc, float divisor, size_t n)
{
    __m512 d = _mm512_set1_ps(divisor);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(m, acc + i);

        _mm512_mask_storeu_ps(acc + i, m, _mm512_div_ps(v, d));
    }
}

static void maximum(float *acc, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(m, x + i);
        __m512 old = _mm512_maskz_loadu_ps(m, acc + i);
        __mmask16 wins = _mm512_cmp_ps_mask(v, old, _CMP_GT_OQ) |
                         _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);

        _mm512_mask_storeu_ps(acc + i, m & wins, v);
    }
}

static void mean_heads(float *out, const float *k, size_t heads,
                       ptrdiff_t head_stride, size_t n)
{
    __m512 count = _mm512_set1_ps((float)heads);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes(n - i);
        const float *from = k + i;
        __m512 sum = _mm512_maskz_loadu_ps(m, from);

        for (size_t h = 1; h < heads; h++) {
            from += head_stride;
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(m, from));
        }
        _mm512_mask_storeu_ps(out + i, m, _mm512_div_ps(sum, count));
    }
}

void tomerge_dsp_avx512(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "../kernels.def"
#undef KERNEL
}

#if defined(TARGET_HERE) && defined(__clang__)
#pragma clang attribute pop
#endif
