/* SPDX-License-Identifier: MIT */
/*
 * Functions of vectors, written once for every width: exp, and the activations
 * of a layer. A tier's file defines, then includes this:
 *
 *   V                vector of floats
 *   ZERO SET1 ADD SUB MUL DIV MAX MIN  as usual
 *   FMA(a, b, c), FNMA(a, b, c)        c + a * b, c - a * b
 *   ROUND(v), SCALE(v, k)  nearest integer; v 2^k for integral k in -126 .. 127
 *   GROUP            vectors that are computed together: as many as the
 *                    registers hold three times
 */
#ifndef TOMEVIT_FUNCTIONS_H
#define TOMEVIT_FUNCTIONS_H

#include "../dsp.h"

#define INLINE static inline __attribute__((always_inline))

/* Each takes n <= GROUP vectors at once and goes step by step: a step waits for
 * the one before it, and a core cannot look far enough ahead to fill the time
 * with the next vector's. `n` is a constant wherever these are expanded. */
#define EACH(i) _Pragma("GCC unroll 8") for (size_t i = 0; i < n; i++)

/* e^x for x <= 87, at most 2 ulp off; below -87 it stays at e^-87, 1.6e-38.
 * x = k ln2 + r; e^r by a polynomial, minimax on |r| <= ln2 / 2. */
INLINE void exp_vectors(size_t n, V *x)
{
    static const float c[] = {8.36871006e-3f, 4.1668389e-2f, 1.66665211e-1f,
                              4.9999994e-1f, 1.0f, 1.0f};
    V k[GROUP], r[GROUP], e[GROUP];

    EACH(i) x[i] = MAX(x[i], SET1(-87.0f));
    EACH(i) k[i] = ROUND(MUL(x[i], SET1(1.44269504f)));
    EACH(i) r[i] = FNMA(k[i], SET1(0.693359375f), x[i]);
    EACH(i) r[i] = FNMA(k[i], SET1(-2.12194440e-4f), r[i]);
    EACH(i) e[i] = SET1(1.38146128e-3f);
#pragma GCC unroll 8
    for (size_t q = 0; q < sizeof(c) / sizeof(c[0]); q++)
        EACH(i) e[i] = FMA(e[i], r[i], SET1(c[q]));
    EACH(i) x[i] = SCALE(e[i], k[i]);
}

/* erf(z) with |error| < 4e-7: z times a polynomial in z^2, minimax on
 * |z| <= 3.7 in u = 2 z^2 / 3.7^2 - 1, where its coefficients stay small;
 * beyond, erf(3.7), which is 1 - 1.7e-7. */
INLINE void erf_vectors(size_t n, V *z)
{
    static const float c[] = {
        -0.00150466547f, 0.00392740965f, -0.0036473684f, 0.00522323186f,
        -0.0141516663f, 0.0251461416f, -0.0362002738f, 0.0514753573f,
        -0.0704366341f, 0.0906248838f, -0.112645566f, 0.140789539f,
        -0.19046773f, 0.382137537f,
    };
    V u[GROUP], p[GROUP];

    EACH(i) z[i] = MIN(MAX(z[i], SET1(-3.7f)), SET1(3.7f));
    EACH(i) u[i] = MUL(z[i], z[i]);
    EACH(i) u[i] = FMA(u[i], SET1(2.0f / (3.7f * 3.7f)), SET1(-1.0f));
    EACH(i) p[i] = SET1(c[0]);
#pragma GCC unroll 16
    for (size_t q = 1; q < sizeof(c) / sizeof(c[0]); q++)
        EACH(i) p[i] = FMA(p[i], u[i], SET1(c[q]));
    EACH(i) z[i] = MUL(p[i], z[i]);
}

/* gelu(x) = x / 2 (1 + erf(x / sqrt(2))) */
INLINE void gelu(size_t n, V *x)
{
    V z[GROUP];

    EACH(i) z[i] = MUL(x[i], SET1(0.70710678f));
    erf_vectors(n, z);
    EACH(i) x[i] = MUL(x[i], SET1(0.5f));
    EACH(i) x[i] = FMA(x[i], z[i], x[i]);
}

/* x sigmoid(z). Beyond |z| = 87 sigmoid(z) stays as it is there: 1, or less
 * than the smallest difference that x could make. */
INLINE void gate(size_t n, V *x, V *z)
{
    EACH(i) z[i] = MIN(MAX(z[i], SET1(-87.0f)), SET1(87.0f));
    EACH(i) z[i] = SUB(ZERO(), z[i]);
    exp_vectors(n, z);
    EACH(i) x[i] = DIV(x[i], ADD(SET1(1.0f), z[i]));
}

INLINE void gelu_tanh(size_t n, V *x)
{
    V z[GROUP];

    EACH(i) z[i] = MUL(SET1(0.044715f), MUL(x[i], x[i]));
    EACH(i) z[i] = MUL(SET1(1.59576912f), FMA(z[i], x[i], x[i]));
    gate(n, x, z);
}

INLINE void quick_gelu(size_t n, V *x)
{
    V z[GROUP];

    EACH(i) z[i] = MUL(SET1(1.702f), x[i]);
    gate(n, x, z);
}

INLINE void silu(size_t n, V *x)
{
    V z[GROUP];

    EACH(i) z[i] = x[i];
    gate(n, x, z);
}

INLINE void activate(enum vit_finish how, size_t n, V *v)
{
    if (how == VIT_GELU)
        gelu(n, v);
    else if (how == VIT_GELU_TANH)
        gelu_tanh(n, v);
    else if (how == VIT_QUICK_GELU)
        quick_gelu(n, v);
    else if (how == VIT_SILU)
        silu(n, v);
}

#endif
