/* SPDX-License-Identifier: MIT */
/*
 * The kernels for AVX-512. Every lane does what the scalar kernel does for
 * its element, in the same order, fused or not as there, so the bits are the
 * same. Tails are masked: nothing past n is touched.
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
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The lanes that hold one of `left` elements. */
INLINE __mmask16 lanes(size_t left)
{
    return left >= LANES ? 0xffff : (__mmask16)((1u << left) - 1);
}

/* ---- conversion ---------------------------------------------------------- */

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

/* ---- scoring ------------------------------------------------------------- */

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

static void norm(const float *x, size_t n, float *squares)
{
    __m512 sum = _mm512_setzero_ps();

    for (size_t i = 0; i < n; i += LANES) {
        __m512 v = _mm512_maskz_loadu_ps(lanes(n - i), x + i);

        sum = _mm512_add_ps(sum, _mm512_mul_ps(v, v));
    }
    *squares = add_up(sum);
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

/* 16 rows of 16 channels become 16 channels of 16 rows: first within quarters
 * of four, then the quarters. */
INLINE void transpose(__m512 x[16])
{
    __m512 y[16];

    UNROLL for (int i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        UNROLL for (int k = 0; k < 2; k++) {
            __m512d low = _mm512_castps_pd(y[i + k]);
            __m512d high = _mm512_castps_pd(y[i + k + 2]);

            x[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            x[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    UNROLL for (int k = 0; k < 4; k++) {
        UNROLL for (int h = 0; h < 16; h += 8) {
            y[h + k] = _mm512_shuffle_f32x4(x[h + k], x[h + k + 4], 0x88);
            y[h + k + 4] = _mm512_shuffle_f32x4(x[h + k], x[h + k + 4], 0xdd);
        }
    }
    UNROLL for (int k = 0; k < 8; k++) {
        x[k] = _mm512_shuffle_f32x4(y[k], y[k + 8], 0x88);
        x[k + 8] = _mm512_shuffle_f32x4(y[k], y[k + 8], 0xdd);
    }
}

static void pack(float *panel, float *squares, const float *const *rows,
                 size_t count, size_t channels)
{
    __m512 sum = _mm512_setzero_ps();

    for (size_t c = 0; c < channels; c += LANES) {
        __mmask16 m = lanes(channels - c);
        __m512 x[16];

        UNROLL for (size_t j = 0; j < 16; j++)
            x[j] = j < count ? _mm512_maskz_loadu_ps(m, rows[j] + c)
                             : _mm512_setzero_ps();
        transpose(x);
        UNROLL for (size_t k = 0; k < 16; k++) {
            if (k < channels - c) {
                _mm512_storeu_ps(panel + (c + k) * LANES, x[k]);
                sum = _mm512_fmadd_ps(x[k], x[k], sum);
            }
        }
    }
    _mm512_storeu_ps(squares, sum);
}

enum scoring { DOT, DISTANCE };

/* Adds up channel by channel what P panels of a have in common with N rows of
 * b, the first of which is at `row`. */
INLINE void gather(enum scoring mode, int P, int N, const float *panel,
                   size_t channels, const float *row, __m512 sum[][2])
{
    UNROLL for (int n = 0; n < N; n++)
        sum[n][0] = sum[n][1] = _mm512_setzero_ps();
    for (size_t c = 0; c < channels; c++, panel += LANES, row += LANES) {
        UNROLL for (int n = 0; n < N; n++) {
            __m512 y = _mm512_set1_ps(row[n]);

            UNROLL for (int p = 0; p < P; p++) {
                __m512 x = _mm512_loadu_ps(panel +
                                           (size_t)p * channels * LANES);

                if (mode == DISTANCE) {
                    x = _mm512_sub_ps(x, y);
                    sum[n][p] = _mm512_fnmadd_ps(x, x, sum[n][p]);
                } else {
                    sum[n][p] = _mm512_fmadd_ps(x, y, sum[n][p]);
                }
            }
        }
    }
}

/* Each lane is a row of a and keeps the best of the rows of b, the earlier one
 * among equals. Eight of these at a time: half a panel. */
INLINE void best_rows(enum scoring mode, int P, const float *panel,
                      const tomerge_panels *b, const float *scale,
                      float *best, int32_t *index)
{
    enum { N = 8 };
    __m512 sum[N][2], top[2];
    __m512i at[2];

    top[0] = top[1] = _mm512_set1_ps(-INFINITY);
    at[0] = at[1] = _mm512_set1_epi32(-1);
    for (size_t j = 0; j < b->rows; j += N) {
        gather(mode, P, N, panel, b->channels, tomerge_packed_row(b, j), sum);
        UNROLL for (size_t n = 0; n < N; n++) {
            __m512 factor;

            if (n >= b->rows - j)
                break;
            factor = _mm512_set1_ps(scale[j + n]);
            UNROLL for (int p = 0; p < P; p++) {
                __m512 score = _mm512_mul_ps(sum[n][p], factor);
                __mmask16 m = _mm512_cmp_ps_mask(score, top[p], _CMP_GT_OQ);

                top[p] = _mm512_mask_mov_ps(top[p], m, score);
                at[p] = _mm512_mask_set1_epi32(at[p], m, (int32_t)(j + n));
            }
        }
    }
    UNROLL for (int p = 0; p < P; p++) {
        _mm512_storeu_ps(best + p * LANES, top[p]);
        _mm512_storeu_si512(index + p * LANES, at[p]);
    }
}

#define AT_ONCE 2
#include "../vectors/best.h"

static void dots(const float *panel, const float *other, size_t channels,
                 float (*out)[TOMERGE_PANEL])
{
    __m512 sum[TOMERGE_PANEL][2];

    gather(DOT, 1, TOMERGE_PANEL, panel, channels, other, sum);
    UNROLL for (int n = 0; n < TOMERGE_PANEL; n++)
        _mm512_storeu_ps(out[n], sum[n][0]);
}

#include "../elu.h"

/* ---- combining ----------------------------------------------------------- */

typedef __m512 V;
#define SET1 _mm512_set1_ps
#define ADD _mm512_add_ps
#define MUL _mm512_mul_ps
#define DIV _mm512_div_ps
#define FMA _mm512_fmadd_ps
#define FNMA _mm512_fnmadd_ps

INLINE __m512 get(const float *x, size_t left)
{
    return _mm512_maskz_loadu_ps(lanes(left), x);
}

INLINE void put(float *x, size_t left, __m512 value)
{
    _mm512_mask_storeu_ps(x, lanes(left), value);
}

INLINE int all_within(__m512 x, uint32_t low, uint32_t span)
{
    __m512i bits = _mm512_and_si512(_mm512_castps_si512(x),
                                    _mm512_set1_epi32(0x7fffffff));
    __m512i from_low = _mm512_sub_epi32(bits, _mm512_set1_epi32((int32_t)low));

    return _mm512_cmple_epu32_mask(from_low,
                                   _mm512_set1_epi32((int32_t)span)) == 0xffff;
}

INLINE __m512 larger(__m512 old, __m512 v)
{
    __mmask16 wins = _mm512_cmp_ps_mask(v, old, _CMP_GT_OQ) |
                     _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);

    return _mm512_mask_mov_ps(old, wins, v);
}

#include "../vectors/combine.h"

void tomerge_dsp_avx512(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "../kernels.def"
#undef KERNEL
}

#if defined(TARGET_HERE) && defined(__clang__)
#pragma clang attribute pop
#endif
