/* SPDX-License-Identifier: MIT */
/*
 * The f32 kernels of the forward pass: one constant table a CPU tier. The
 * scalar table is the specification; the others compute the same sums in the
 * same order and differ from it only in rounding (fused multiply-add,
 * polynomials for exp and erf).
 *
 * What row i of a result holds depends on row i of the input alone, never on
 * the rows computed beside it: bits do not change with the batch.
 */
#ifndef TOMEVIT_DSP_H
#define TOMEVIT_DSP_H

#include "ema_pass.h"

#include <stddef.h>
#include <stdint.h>

/* What to do with a finished tile c of a product, b being its bias. */
enum vit_finish {
    VIT_STORE,             /* y = c + b */
    VIT_GELU,              /* y = gelu(c + b), the erf form */
    VIT_ADD,               /* y = y + (c + b): a residual */
    VIT_GELU_TANH,         /* gelu by tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
    VIT_QUICK_GELU,        /* x sigmoid(1.702 x) */
    VIT_SILU               /* x sigmoid(x) */
};

/* Rows of no tier's tile, columns of no tier's panel exceed these. */
enum { VIT_MAX_MR = 16, VIT_MAX_NR = 32 };

/* What will be needed later, brought to the caches meanwhile: a little with
 * every 8 steps of a product, as all at once would hold up its own loads. */
typedef struct vit_ahead {
    const float *panel;    /* k * nr / 4 floats, to L2 */
    const float *rows;     /* nr floats of each of as many rows as are computed,
                            * or of k / 8 if those are fewer, to L1 */
    size_t stride;         /* of these rows */
} vit_ahead;

typedef struct vit_dsp {
    const char *name;      /* as tomerge_cpu_name */
    size_t mr, nr;         /* rows and columns of a GEMM tile */

    /* c[rows, nr] = a[rows, k] b[k, nr], or += if `add`; rows in 1 .. mr.
     * Every sum runs over k in ascending order. */
    void (*gemm)(size_t rows, size_t k, const float *a, size_t lda,
                 const float *b, float *c, size_t ldc, int add,
                 vit_ahead ahead);

    /* y[rows, cols] from c as `how` says. */
    void (*finish)(enum vit_finish how, size_t rows, size_t cols,
                   const float *c, size_t ldc, const float *bias,
                   float *y, size_t ldy);

    /* Transposes x[rows, k] to out[k, width], zero in columns rows .. width. */
    void (*pack)(size_t rows, size_t k, const float *x, size_t ldx,
                 size_t width, float *out);

    /* y[n] = (x - mean) / sqrt(variance + eps) * weight + bias; y may be x */
    void (*layer_norm)(size_t n, const float *x, const float *weight,
                       const float *bias, float eps, float *y);

    /* y[n] = x / sqrt(mean of squares + eps) * weight; y may be x, weight NULL
     * means 1 [arXiv 1910.07467] */
    void (*rms_norm)(size_t n, const float *x, const float *weight, float eps,
                     float *y);

    /* s[n] = softmax(scale * s + bias), in place; bias NULL means 0. */
    void (*softmax)(size_t n, float scale, const float *bias, float *s);

    /* y[n] = a sigmoid(a) b; y may be a or b */
    void (*swiglu)(size_t n, const float *a, const float *b, float *y);

    /* y[n] = gelu(a) b; y may be a or b */
    void (*geglu)(size_t n, const float *a, const float *b, float *y);

    /* the same with GELU by tanh */
    void (*geglu_tanh)(size_t n, const float *a, const float *b, float *y);

    /* y[n] = gelu(bias + the sum over t of weight[t, n] x[t][n]), t ascending;
     * an x[t] of NULL adds nothing. One place of a convolution of every channel
     * by itself; without taps the GELU alone. y may be bias. */
    void (*depthwise)(size_t n, size_t taps, const float *weight,
                      const float *const *x, const float *bias, float *y);

    /* Turns the pairs of x[heads, channels] in place: x c + x' s, x' being the
     * other of each one's pair, which lies half the channels away or (halves 0)
     * beside it. turn [2, channels] holds c and s, which is minus the sine for
     * the first of a pair; that of head i begins i * stride on. */
    void (*rotate)(size_t heads, size_t channels, int halves,
                   const float *turn, size_t stride, float *x);

    /* Adds to y what one direction of an average makes of a group of states
     * and a block of channels; ema.h says more. The same bits on every tier. */
    void (*ema)(const float *coefficients, int turning, int back,
                const vit_ema_order *order, const float *x, size_t ldx,
                float *y, size_t ldy);

    /* s[n] = laplace(scale * s + bias) * weight; weight NULL means 1 */
    void (*laplace)(size_t n, float scale, const float *bias,
                    const float *weight, float *s);

    /* x[n] += sigmoid(u) * (silu(h) - x) */
    void (*highway)(size_t n, const float *u, const float *h, float *x);
} vit_dsp;

/* Rows of the next tile where `left` are left: mr, unless the last tile would
 * have fewer than 4. Their sums wait for each other, so that one row takes as
 * long as 4: the last two tiles share their rows. */
static inline size_t vit_tile_rows(size_t left, size_t mr)
{
    return left <= mr ? left : left < mr + 4 ? (left + 1) / 2 : mr;
}

/* Brings rows to the caches ahead of their use, [rows, columns]: they lie too
 * far apart for the hardware to see the next one coming. */
static inline void vit_fetch(const float *x, size_t stride, size_t rows,
                             size_t columns)
{
    enum { LINE = 64 / sizeof(float) };

    for (size_t i = 0; i < rows; i++, x += stride)
        for (size_t j = 0; j < columns; j += LINE)
            __builtin_prefetch(x + j);
}

extern const vit_dsp tomevit_dsp_scalar;
extern const vit_dsp tomevit_dsp_avx2;
extern const vit_dsp tomevit_dsp_avx512;
extern const vit_dsp tomevit_dsp_neon;

/* The best table for these CPU flags. */
const vit_dsp *tomevit_dsp_choose(uint32_t cpu_flags);

/* All tables built in, lowest tier first, with the flag each needs; for tests
 * and benches. NULL past the last. */
const vit_dsp *tomevit_dsp_tier(size_t index, uint32_t *needs);

#endif
