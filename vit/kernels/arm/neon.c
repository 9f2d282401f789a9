/* SPDX-License-Identifier: MIT */
/* NEON: tiles of 8 x 8, 16 of the 32 registers holding sums and 8 the rows. */
#include "neon.h"

#define NAME "neon"
#define TABLE tomevit_dsp_neon

typedef float32x4_t V;
enum { W = 4, MR = 8, GROUP = 7 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)

#define LOAD vld1q_f32
#define STORE vst1q_f32
#define ZERO() vdupq_n_f32(0.0f)
#define SET1 vdupq_n_f32
#define ADD vaddq_f32
#define SUB vsubq_f32
#define MUL vmulq_f32
#define DIV vdivq_f32
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define FNMA(a, b, c) vfmsq_f32(c, a, b)
#define MAX vmaxq_f32
#define MIN vminq_f32

#define LOAD_N load_n
#define STORE_N store_n
#define SELECT_N(n, a, b) vbslq_f32(first(n), a, b)
#define SUM vaddvq_f32
#define MAXIMUM vmaxvq_f32
#define ROUND vrndnq_f32
#define SCALE(v, k)                                                          \
    vmulq_f32(v, vreinterpretq_f32_s32(vshlq_n_s32(                          \
        vaddq_s32(vcvtnq_s32_f32(k), vdupq_n_s32(127)), 23)))
#define TRANSPOSE transpose4
#define SWAP_PAIRS vrev64q_f32

/* ---- products ------------------------------------------------------------ */

#include "../dsp.h"
#include "../vectors/prefetch.h"

/* An instruction multiplies by one lane of a register: four steps of a row are
 * one load, where the template would load every element by itself. */
#define ROW_DECLARE(i) float32x4_t l##i, h##i, a##i;
#define ROW_ZERO(i) l##i = h##i = ZERO();
#define ROW_SUMS(i)                                                          \
    if ((i) < rows) {                                                        \
        l##i = vld1q_f32(c + (i) * ldc);                                     \
        h##i = vld1q_f32(c + (i) * ldc + W);                                 \
    }
#define ROW_FOUR(i) a##i = vld1q_f32(a + ((i) < rows ? (i) : 0) * lda);
#define ROW_LANE(i, lane)                                                    \
    if ((i) < rows) {                                                        \
        l##i = vfmaq_laneq_f32(l##i, lo, a##i, lane);                        \
        h##i = vfmaq_laneq_f32(h##i, hi, a##i, lane);                        \
    }
#define ROW_STEP0(i) ROW_LANE(i, 0)
#define ROW_STEP1(i) ROW_LANE(i, 1)
#define ROW_STEP2(i) ROW_LANE(i, 2)
#define ROW_STEP3(i) ROW_LANE(i, 3)
#define STEP(lane)                                                           \
    {                                                                        \
        float32x4_t lo = vld1q_f32(b), hi = vld1q_f32(b + W);                \
                                                                             \
        b += 2 * W;                                                          \
        EACH_ROW(ROW_STEP##lane)                                             \
    }
#define ROW_LAST(i)                                                          \
    if ((i) < rows) {                                                        \
        l##i = vfmaq_n_f32(l##i, lo, a[(i) * lda]);                          \
        h##i = vfmaq_n_f32(h##i, hi, a[(i) * lda]);                          \
    }
#define ROW_STORE(i)                                                         \
    if ((i) < rows) {                                                        \
        vst1q_f32(c + (i) * ldc, l##i);                                      \
        vst1q_f32(c + (i) * ldc + W, h##i);                                  \
    }

/* `rows` is a constant wherever this is expanded. */
static inline __attribute__((always_inline)) void
tile(size_t rows, size_t k, const float *a, size_t lda, const float *b,
     float *c, size_t ldc, int add, vit_ahead ahead)
{
    const float *last = ahead.rows + (rows - 1) * ahead.stride;
    EACH_ROW(ROW_DECLARE)

    EACH_ROW(ROW_ZERO)
    if (add) {
        EACH_ROW(ROW_SUMS)
    }
    for (; k >= 4; k -= 4, a += 4) {
        EACH_ROW(ROW_FOUR)
        PREFETCH_SECOND(ahead.panel);
        PREFETCH_FIRST(ahead.rows);
        ahead.panel += 2 * W;
        ahead.rows += ahead.rows < last ? ahead.stride : 0;
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
    }
    for (; k; k--, a++, b += 2 * W) {
        float32x4_t lo = vld1q_f32(b), hi = vld1q_f32(b + W);

        EACH_ROW(ROW_LAST)
    }
    EACH_ROW(ROW_STORE)
}

#define ROW_CASE(i)                                                          \
    case (i) + 1:                                                            \
        tile((i) + 1, k, a, lda, b, c, ldc, add, ahead);                     \
        break;

static void multiply(size_t rows, size_t k, const float *a, size_t lda,
                     const float *b, float *c, size_t ldc, int add,
                     vit_ahead ahead)
{
    switch (rows) {
        EACH_ROW(ROW_CASE)
    }
}
#define GEMM multiply

#include "../vectors/kernels.h"
