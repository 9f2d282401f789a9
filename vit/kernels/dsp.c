/* SPDX-License-Identifier: MIT */
/* The scalar kernels, which say what every other tier must compute, and the
 * choice of a tier. */
#include "config.h"

#include "dsp.h"
#include "laplace.h"
#include "tomerge.h"

#include <math.h>

enum { MR = 4, NR = 8 };

static void gemm(size_t rows, size_t k, const float *a, size_t lda,
                 const float *b, float *c, size_t ldc, int add,
                 vit_ahead ahead)
{
    (void)ahead;
    for (size_t i = 0; i < rows; i++) {
        float sum[NR];

        for (size_t j = 0; j < NR; j++)
            sum[j] = add ? c[i * ldc + j] : 0.0f;
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < NR; j++)
                sum[j] += a[i * lda + p] * b[p * NR + j];
        for (size_t j = 0; j < NR; j++)
            c[i * ldc + j] = sum[j];
    }
}

static float gelu(float x)
{
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

/* x sigmoid(z): tanh(z / 2) is 2 sigmoid(z) - 1, so every smooth gate but the
 * erf form is one of these. */
static float gate(float x, float z)
{
    return x / (1.0f + expf(-z));
}

static float activate(enum vit_finish how, float x)
{
    switch (how) {
    case VIT_GELU:
        return gelu(x);
    case VIT_GELU_TANH:
        return gate(x, 1.59576912f * (x + 0.044715f * x * x * x));
    case VIT_QUICK_GELU:
        return gate(x, 1.702f * x);
    case VIT_SILU:
        return gate(x, x);
    default:
        return x;
    }
}

static void finish(enum vit_finish how, size_t rows, size_t cols,
                   const float *c, size_t ldc, const float *bias,
                   float *y, size_t ldy)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            float v = c[i * ldc + j] + bias[j];

            y[i * ldy + j] = how == VIT_ADD ? y[i * ldy + j] + v
                                            : activate(how, v);
        }
    }
}

static void pack(size_t rows, size_t k, const float *x, size_t ldx,
                 size_t width, float *out)
{
    for (size_t p = 0; p < k; p++)
        for (size_t i = 0; i < width; i++)
            out[p * width + i] = i < rows ? x[i * ldx + p] : 0.0f;
}

static void layer_norm(size_t n, const float *x, const float *weight,
                       const float *bias, float eps, float *y)
{
    float sum = 0.0f, squares = 0.0f, mean, scale;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    mean = sum / (float)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    scale = 1.0f / sqrtf(squares / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

static void rms_norm(size_t n, const float *x, const float *weight, float eps,
                     float *y)
{
    float squares = 0.0f, scale;

    for (size_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    scale = 1.0f / sqrtf(squares / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = weight ? x[i] * scale * weight[i] : x[i] * scale;
}

static void softmax(size_t n, float scale, const float *bias, float *s)
{
    float max = -INFINITY, sum = 0.0f;

    for (size_t i = 0; i < n; i++) {
        s[i] = s[i] * scale + (bias ? bias[i] : 0.0f);
        if (s[i] > max)
            max = s[i];
    }
    for (size_t i = 0; i < n; i++) {
        s[i] = expf(s[i] - max);
        sum += s[i];
    }
    for (size_t i = 0; i < n; i++)
        s[i] *= 1.0f / sum;
}

static void swiglu(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = gate(a[i], a[i]) * b[i];
}

static void geglu(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = gelu(a[i]) * b[i];
}

static void geglu_tanh(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = activate(VIT_GELU_TANH, a[i]) * b[i];
}

static void depthwise(size_t n, size_t taps, const float *weight,
                      const float *const *x, const float *bias, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float sum = bias[i];

        for (size_t t = 0; t < taps; t++)
            if (x[t])
                sum += weight[t * n + i] * x[t][i];
        y[i] = gelu(sum);
    }
}

static void rotate(size_t heads, size_t channels, int halves,
                   const float *turn, size_t stride, float *x)
{
    size_t apart = halves ? channels / 2 : 1;

    for (size_t h = 0; h < heads; h++, x += channels, turn += stride) {
        const float *c = turn, *s = turn + channels;

        for (size_t k = 0; k < channels / 2; k++) {
            size_t i = halves ? k : 2 * k, j = i + apart;
            float a = x[i], b = x[j];

            x[i] = a * c[i] + b * s[i];
            x[j] = b * c[j] + a * s[j];
        }
    }
}

static void laplace(size_t n, float scale, const float *bias,
                    const float *weight, float *s)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = tomevit_laplace(s[i] * scale + bias[i]);
        if (weight)
            s[i] *= weight[i];
    }
}

static void highway(size_t n, const float *u, const float *h, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] += gate(gate(h[i], h[i]) - x[i], u[i]);
}

const vit_dsp tomevit_dsp_scalar = {
    "scalar", MR, NR, gemm, finish, pack, layer_norm, rms_norm, softmax,
    swiglu, geglu, geglu_tanh, depthwise, rotate, tomevit_ema_pass, laplace,
    highway,
};

static const struct {
    const vit_dsp *dsp;
    uint32_t needs;
} tiers[] = {
    {&tomevit_dsp_scalar, 0},
#ifdef HAVE_AVX2
    {&tomevit_dsp_avx2, TOMERGE_CPU_AVX2},
#endif
#ifdef HAVE_AVX512
    {&tomevit_dsp_avx512, TOMERGE_CPU_AVX512},
#endif
#ifdef HAVE_NEON
    {&tomevit_dsp_neon, TOMERGE_CPU_NEON},
#endif
};
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

const vit_dsp *tomevit_dsp_choose(uint32_t cpu_flags)
{
    size_t best = 0;

    for (size_t i = 1; i < TIERS; i++)
        if (cpu_flags & tiers[i].needs)
            best = i;
    return tiers[best].dsp;
}

const vit_dsp *tomevit_dsp_tier(size_t index, uint32_t *needs)
{
    if (index >= TIERS)
        return NULL;
    *needs = tiers[index].needs;
    return tiers[index].dsp;
}
