/* SPDX-License-Identifier: MIT */
/*
 * Kernels that give the same bits on every machine: the scalar ones, whose
 * sums, products, divisions and roots IEEE 754 fixes, with an exp and an erf
 * made of nothing else, where theirs are the C library's.
 */
#include "config.h"

#include <float.h>
#include <math.h>

#include "model.h"
#include "../base/numeric.h"

/* e^x = 2^n e^r with |r| <= ln(2) / 2; ln(2) in two parts, so that r is exact,
 * and e^r by its Taylor series, whose ninth term is below 2^-26 of it. */
static float exp_own(float x)
{
    float n, r, y;
    int whole;

    if (!(x > -87.0f))
        return x <= -87.0f ? 0.0f : x;      /* a NaN stays one */
    if (x > 88.0f)
        return INFINITY;
    n = x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f);
    whole = (int)n;
    n = (float)whole;
    r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    y = 1.0f / 5040.0f;
    y = y * r + 1.0f / 720.0f;
    y = y * r + 1.0f / 120.0f;
    y = y * r + 1.0f / 24.0f;
    y = y * r + 1.0f / 6.0f;
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    return y * vit_f32_from_bits((uint32_t)(whole + 127) << 23);
}

/* Abramowitz and Stegun, 7.1.26: within 1.5e-7. */
static float erf_own(float x)
{
    float a = fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a), y;

    y = 1.061405429f;
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    y = 1.0f - y * t * exp_own(-a * a);
    return x < 0.0f ? -y : y;
}

static void softmax(size_t n, float scale, const float *bias, float *s)
{
    float max = -INFINITY, sum = 0.0f, inverse;

    for (size_t i = 0; i < n; i++) {
        s[i] = s[i] * scale + (bias ? bias[i] : 0.0f);
        if (s[i] > max)
            max = s[i];
    }
    for (size_t i = 0; i < n; i++) {
        s[i] = exp_own(s[i] - max);
        sum += s[i];
    }
    inverse = 1.0f / sum;
    for (size_t i = 0; i < n; i++)
        s[i] *= inverse;
}

static void swiglu(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] / (1.0f + exp_own(-a[i])) * b[i];
}

static void finish(enum vit_finish how, size_t rows, size_t cols,
                   const float *c, size_t ldc, const float *bias,
                   float *y, size_t ldy)
{
    if (how != VIT_GELU) {
        tomevit_dsp_scalar.finish(how, rows, cols, c, ldc, bias, y, ldy);
        return;
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            float v = c[i * ldc + j] + bias[j];

            y[i * ldy + j] = 0.5f * v * (1.0f + erf_own(v * 0.70710678f));
        }
    }
}

int tomevit_dsp_portable(vit_dsp *dsp)
{
    *dsp = tomevit_dsp_scalar;
    dsp->name = "portable";
    dsp->softmax = softmax;
    dsp->swiglu = swiglu;
    dsp->finish = finish;
    return FLT_EVAL_METHOD == 0 ? 0 : -1;
}
