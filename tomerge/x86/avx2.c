/* SPDX-License-Identifier: MIT */
/*
 * The kernels for AVX2 with F16C. Every lane does what the scalar kernel does
 * for its element, in the same order, fused or not as there, so the bits are
 * the same. Tails are masked: nothing past n is touched.
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

/* ---- conversion ---------------------------------------------------------- */

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

/* ---- scoring ------------------------------------------------------------- */

/* Sixteen interleaved sums, added up pairwise. */
INLINE float add_up(const __m256 sum[2])
{
    __m256 sum8 = _mm256_add_ps(sum[0], sum[1]);
    __m128 sum4 = _mm_add_ps(_mm256_castps256_ps128(sum8),
                             _mm256_extractf128_ps(sum8, 1));

    sum4 = _mm_add_ps(sum4, _mm_movehl_ps(sum4, sum4));
    return _mm_cvtss_f32(_mm_add_ss(sum4, _mm_shuffle_ps(sum4, sum4, 1)));
}

static void norm(const float *x, size_t n, float *squares)
{
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (size_t i = 0; i < n; i += LANES) {
        __m256 v = get(x + i, n - i), *half = &sum[i / LANES % 2];

        *half = _mm256_add_ps(*half, _mm256_mul_ps(v, v));
    }
    *squares = add_up(sum);
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

/* 8 rows of 8 channels become 8 channels of 8 rows: first within quarters of
 * four, then the quarters. */
INLINE void transpose(__m256 x[8])
{
    __m256 y[8];

    UNROLL for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int k = 0; k < 2; k++) {
            x[i + 2 * k] = _mm256_shuffle_ps(y[i + k], y[i + k + 2], 0x44);
            x[i + 2 * k + 1] = _mm256_shuffle_ps(y[i + k], y[i + k + 2], 0xee);
        }
    }
    UNROLL for (int k = 0; k < 4; k++) {
        y[k] = _mm256_permute2f128_ps(x[k], x[k + 4], 0x20);
        y[k + 4] = _mm256_permute2f128_ps(x[k], x[k + 4], 0x31);
    }
    UNROLL for (int k = 0; k < 8; k++)
        x[k] = y[k];
}

/* Half a panel. */
INLINE void pack_half(float *panel, float *squares, const float *const *rows,
                      size_t count, size_t channels)
{
    __m256 sum = _mm256_setzero_ps();

    for (size_t c = 0; c < channels; c += LANES) {
        __m256 x[8];

        UNROLL for (size_t j = 0; j < 8; j++)
            x[j] = j < count ? get(rows[j] + c, channels - c)
                             : _mm256_setzero_ps();
        transpose(x);
        UNROLL for (size_t k = 0; k < 8; k++) {
            if (k < channels - c) {
                _mm256_storeu_ps(panel + (c + k) * TOMERGE_PANEL, x[k]);
                sum = _mm256_fmadd_ps(x[k], x[k], sum);
            }
        }
    }
    _mm256_storeu_ps(squares, sum);
}

static void pack(float *panel, float *squares, const float *const *rows,
                 size_t count, size_t channels)
{
    size_t first = count < LANES ? count : LANES;

    pack_half(panel, squares, rows, first, channels);
    pack_half(panel + LANES, squares + LANES, rows + first, count - first,
              channels);
}

enum scoring { DOT, DISTANCE };

/* Adds up channel by channel what a panel of a, which is two registers, has in
 * common with N rows of b, the first of which is at `row`. */
INLINE void gather(enum scoring mode, int N, const float *panel,
                   size_t channels, const float *row, __m256 sum[][2])
{
    UNROLL for (int n = 0; n < N; n++)
        sum[n][0] = sum[n][1] = _mm256_setzero_ps();
    for (size_t c = 0; c < channels; c++) {
        __m256 x[2] = {_mm256_loadu_ps(panel), _mm256_loadu_ps(panel + LANES)};

        UNROLL for (int n = 0; n < N; n++) {
            __m256 y = _mm256_set1_ps(row[n]);

            UNROLL for (int h = 0; h < 2; h++) {
                __m256 difference = _mm256_sub_ps(x[h], y);

                sum[n][h] = mode == DISTANCE
                    ? _mm256_fnmadd_ps(difference, difference, sum[n][h])
                    : _mm256_fmadd_ps(x[h], y, sum[n][h]);
            }
        }
        panel += TOMERGE_PANEL;
        row += TOMERGE_PANEL;
    }
}

/* Each lane is a row of a and keeps the best of the rows of b, the earlier one
 * among equals. Four of these at a time: a quarter of a panel. */
INLINE void best_rows(enum scoring mode, const float *panel,
                      const tomerge_panels *b, const float *scale,
                      float *best, int32_t *index)
{
    enum { N = 4 };
    __m256 sum[N][2], top[2];
    __m256i at[2];

    top[0] = top[1] = _mm256_set1_ps(-INFINITY);
    at[0] = at[1] = _mm256_set1_epi32(-1);
    for (size_t j = 0; j < b->rows; j += N) {
        gather(mode, N, panel, b->channels, tomerge_packed_row(b, j), sum);
        UNROLL for (size_t n = 0; n < N; n++) {
            __m256i row = _mm256_set1_epi32((int32_t)(j + n));

            if (n >= b->rows - j)
                break;
            UNROLL for (int h = 0; h < 2; h++) {
                __m256 score = _mm256_mul_ps(sum[n][h],
                                             _mm256_set1_ps(scale[j + n]));
                __m256 wins = _mm256_cmp_ps(score, top[h], _CMP_GT_OQ);

                top[h] = _mm256_blendv_ps(top[h], score, wins);
                at[h] = _mm256_blendv_epi8(at[h], row,
                                           _mm256_castps_si256(wins));
            }
        }
    }
    UNROLL for (int h = 0; h < 2; h++) {
        _mm256_storeu_ps(best + h * LANES, top[h]);
        _mm256_storeu_si256((__m256i *)(index + h * LANES), at[h]);
    }
}

#include "../vectors/best.h"

static void dots(const float *panel, const float *other, size_t channels,
                 float (*out)[TOMERGE_PANEL])
{
    enum { N = 4 };

    for (int first = 0; first < TOMERGE_PANEL; first += N) {
        __m256 sum[N][2];

        gather(DOT, N, panel, channels, other + first, sum);
        UNROLL for (int n = 0; n < N; n++) {
            _mm256_storeu_ps(out[first + n], sum[n][0]);
            _mm256_storeu_ps(out[first + n] + LANES, sum[n][1]);
        }
    }
}

#include "../elu.h"

/* ---- combining ----------------------------------------------------------- */

typedef __m256 V;
#define SET1 _mm256_set1_ps
#define ADD _mm256_add_ps
#define MUL _mm256_mul_ps
#define DIV _mm256_div_ps
#define FMA _mm256_fmadd_ps
#define FNMA _mm256_fnmadd_ps

INLINE int all_within(__m256 x, uint32_t low, uint32_t span)
{
    __m256i bits = _mm256_and_si256(_mm256_castps_si256(x),
                                    _mm256_set1_epi32(0x7fffffff));
    __m256i from_low = _mm256_sub_epi32(bits, _mm256_set1_epi32((int32_t)low));
    __m256i most = _mm256_set1_epi32((int32_t)span);
    __m256i fits = _mm256_cmpeq_epi32(_mm256_min_epu32(from_low, most),
                                      from_low);

    return _mm256_movemask_ps(_mm256_castsi256_ps(fits)) == 0xff;
}

INLINE __m256 larger(__m256 old, __m256 v)
{
    __m256 wins = _mm256_or_ps(_mm256_cmp_ps(v, old, _CMP_GT_OQ),
                               _mm256_cmp_ps(v, v, _CMP_UNORD_Q));

    return _mm256_blendv_ps(old, v, wins);
}

#include "../vectors/combine.h"

void tomerge_dsp_avx2(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "../kernels.def"
#undef KERNEL
}

#if defined(TARGET_HERE) && defined(__clang__)
#pragma clang attribute pop
#endif
