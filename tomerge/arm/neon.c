/* SPDX-License-Identifier: MIT */
/*
 * The kernels for NEON. Every lane does what the scalar kernel does for its
 * element, in the same order, fused or not as there, so the bits are the same.
 * Ends of rows go through a vector in memory: nothing past n is touched.
 */
#include "../dsp.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 4, PARTS = TOMERGE_PANEL / LANES };

/* Up to four of `left` elements, the rest 0. */
INLINE float32x4_t get(const float *x, size_t left)
{
    float part[LANES] = {0};

    if (left >= LANES)
        return vld1q_f32(x);
    memcpy(part, x, left * sizeof(*x));
    return vld1q_f32(part);
}

INLINE void put(float *x, size_t left, float32x4_t value)
{
    float part[LANES];

    if (left >= LANES) {
        vst1q_f32(x, value);
        return;
    }
    vst1q_f32(part, value);
    memcpy(x, part, left * sizeof(*x));
}

INLINE uint16x4_t get_halves(const uint16_t *x, size_t left)
{
    uint16_t part[LANES] = {0};

    if (left >= LANES)
        return vld1_u16(x);
    memcpy(part, x, left * sizeof(*x));
    return vld1_u16(part);
}

INLINE void put_halves(uint16_t *x, size_t left, uint16x4_t value)
{
    uint16_t part[LANES];

    if (left >= LANES) {
        vst1_u16(x, value);
        return;
    }
    vst1_u16(part, value);
    memcpy(x, part, left * sizeof(*x));
}

/* ---- conversion ---------------------------------------------------------- */

static void load_bf16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put(out + i, n - i,
            vreinterpretq_f32_u32(vshll_n_u16(get_halves(in + i, n - i), 16)));
}

static void load_f16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put(out + i, n - i,
            vcvt_f32_f16(vreinterpret_f16_u16(get_halves(in + i, n - i))));
}

static void store_bf16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t x = get(in + i, n - i);
        uint32x4_t bits = vreinterpretq_u32_f32(x);
        uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
        uint32x4_t up = vaddq_u32(bits,
                                  vaddq_u32(odd, vdupq_n_u32(0x7fff)));
        uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));

        put_halves(out + i, n - i,
                   vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), up, quiet), 16));
    }
}

static void store_f16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put_halves(out + i, n - i,
                   vreinterpret_u16_f16(vcvt_f16_f32(get(in + i, n - i))));
}

/* ---- scoring ------------------------------------------------------------- */

/* Sixteen interleaved sums, added up pairwise. */
INLINE float add_up(const float32x4_t sum[PARTS])
{
    float32x4_t sum4 = vaddq_f32(vaddq_f32(sum[0], sum[2]),
                                 vaddq_f32(sum[1], sum[3]));
    float32x2_t sum2 = vadd_f32(vget_low_f32(sum4), vget_high_f32(sum4));

    return vget_lane_f32(sum2, 0) + vget_lane_f32(sum2, 1);
}

INLINE void clear(float32x4_t sum[PARTS])
{
    UNROLL for (int q = 0; q < PARTS; q++)
        sum[q] = vdupq_n_f32(0);
}

static void dot(const float *a, const float *b, size_t n, float *total)
{
    float32x4_t sum[PARTS];
    size_t i = 0;

    clear(sum);
    for (; i + TOMERGE_PANEL <= n; i += TOMERGE_PANEL)
        UNROLL for (int q = 0; q < PARTS; q++)
            sum[q] = vaddq_f32(sum[q], vmulq_f32(vld1q_f32(a + i + q * LANES),
                                                 vld1q_f32(b + i + q * LANES)));
    UNROLL for (int q = 0; q < PARTS; q++, i += LANES)
        if (i < n)
            sum[q] = vaddq_f32(sum[q],
                               vmulq_f32(get(a + i, n - i), get(b + i, n - i)));
    *total = add_up(sum);
}

static void norm(const float *x, size_t n, float *squares)
{
    dot(x, x, n, squares);
}

/* 4 rows of 4 channels become 4 channels of 4 rows. */
INLINE void transpose(float32x4_t x[4])
{
    float32x4x2_t low = vzipq_f32(x[0], x[2]), high = vzipq_f32(x[1], x[3]);
    float32x4x2_t front = vzipq_f32(low.val[0], high.val[0]);
    float32x4x2_t back = vzipq_f32(low.val[1], high.val[1]);

    x[0] = front.val[0];
    x[1] = front.val[1];
    x[2] = back.val[0];
    x[3] = back.val[1];
}

/* A quarter of a panel. */
INLINE void pack_part(float *panel, float *squares, const float *const *rows,
                      size_t count, size_t channels)
{
    float32x4_t sum = vdupq_n_f32(0);

    for (size_t c = 0; c < channels; c += LANES) {
        float32x4_t x[4];

        UNROLL for (size_t j = 0; j < 4; j++)
            x[j] = j < count ? get(rows[j] + c, channels - c)
                             : vdupq_n_f32(0);
        transpose(x);
        UNROLL for (size_t k = 0; k < 4; k++) {
            if (k < channels - c) {
                vst1q_f32(panel + (c + k) * TOMERGE_PANEL, x[k]);
                sum = vfmaq_f32(sum, x[k], x[k]);
            }
        }
    }
    vst1q_f32(squares, sum);
}

static void pack(float *panel, float *squares, const float *const *rows,
                 size_t count, size_t channels)
{
    for (size_t j = 0; j < TOMERGE_PANEL; j += LANES)
        pack_part(panel + j, squares + j, count > j ? rows + j : rows,
                  count > j ? count - j : 0, channels);
}

enum scoring { DOT, DISTANCE };

/* Adds up channel by channel what a panel of a, which is four registers, has
 * in common with N rows of b, the first of which is at `row`. */
INLINE void gather(enum scoring mode, int N, const float *panel,
                   size_t channels, const float *row, float32x4_t sum[][PARTS])
{
    UNROLL for (int n = 0; n < N; n++)
        clear(sum[n]);
    for (size_t c = 0; c < channels; c++) {
        float32x4_t x[PARTS];

        UNROLL for (int h = 0; h < PARTS; h++)
            x[h] = vld1q_f32(panel + h * LANES);
        UNROLL for (int n = 0; n < N; n++) {
            float32x4_t y = vdupq_n_f32(row[n]);

            UNROLL for (int h = 0; h < PARTS; h++) {
                float32x4_t difference = vsubq_f32(x[h], y);

                sum[n][h] = mode == DISTANCE
                    ? vfmsq_f32(sum[n][h], difference, difference)
                    : vfmaq_f32(sum[n][h], x[h], y);
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
    float32x4_t sum[N][PARTS], top[PARTS];
    int32x4_t at[PARTS];

    UNROLL for (int h = 0; h < PARTS; h++) {
        top[h] = vdupq_n_f32(-INFINITY);
        at[h] = vdupq_n_s32(-1);
    }
    for (size_t j = 0; j < b->rows; j += N) {
        gather(mode, N, panel, b->channels, tomerge_packed_row(b, j), sum);
        UNROLL for (size_t n = 0; n < N; n++) {
            int32x4_t row = vdupq_n_s32((int32_t)(j + n));

            if (n >= b->rows - j)
                break;
            UNROLL for (int h = 0; h < PARTS; h++) {
                float32x4_t score = vmulq_f32(sum[n][h],
                                              vdupq_n_f32(scale[j + n]));
                uint32x4_t wins = vcgtq_f32(score, top[h]);

                top[h] = vbslq_f32(wins, score, top[h]);
                at[h] = vbslq_s32(wins, row, at[h]);
            }
        }
    }
    UNROLL for (int h = 0; h < PARTS; h++) {
        vst1q_f32(best + h * LANES, top[h]);
        vst1q_s32(index + h * LANES, at[h]);
    }
}

#include "../vectors/best.h"

static void dots(const float *panel, const float *other, size_t channels,
                 float (*out)[TOMERGE_PANEL])
{
    enum { N = 4 };

    for (int first = 0; first < TOMERGE_PANEL; first += N) {
        float32x4_t sum[N][PARTS];

        gather(DOT, N, panel, channels, other + first, sum);
        UNROLL for (int n = 0; n < N; n++)
            UNROLL for (int h = 0; h < PARTS; h++)
                vst1q_f32(out[first + n] + h * LANES, sum[n][h]);
    }
}

#include "../elu.h"

/* ---- combining ----------------------------------------------------------- */

typedef float32x4_t V;
#define SET1 vdupq_n_f32
#define ADD vaddq_f32
#define MUL vmulq_f32
#define DIV vdivq_f32
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define FNMA(a, b, c) vfmsq_f32(c, a, b)

INLINE int all_within(float32x4_t x, uint32_t low, uint32_t span)
{
    uint32x4_t bits = vandq_u32(vreinterpretq_u32_f32(x),
                                vdupq_n_u32(0x7fffffff));

    return vmaxvq_u32(vsubq_u32(bits, vdupq_n_u32(low))) <= span;
}

INLINE float32x4_t larger(float32x4_t old, float32x4_t v)
{
    uint32x4_t wins = vorrq_u32(vcgtq_f32(v, old),
                                vmvnq_u32(vceqq_f32(v, v)));

    return vbslq_f32(wins, v, old);
}

#include "../vectors/combine.h"

void tomerge_dsp_neon(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "../kernels.def"
#undef KERNEL
}
