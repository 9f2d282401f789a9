/* SPDX-License-Identifier: MIT */
/*
 * softmax of rows of scores, narrowed to pairs of bf16 as it is written. The
 * steps and their order are those of `softmax` in kernels.h, so that its bits
 * are narrowed; but the end of a row is computed together with what is before
 * it, where a few vectors by themselves would wait for one another.
 */
#ifndef TOMEVIT_X86_SOFTMAX512_H
#define TOMEVIT_X86_SOFTMAX512_H

#include "bf16_avx512.h"
#include "vectors512.h"
#include "../vectors/functions.h"

/* Those of vector `i` that there are in a row of n. */
static inline __mmask16 there(size_t n, size_t i)
{
    size_t left = n - 16 * i;

    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
}

/* Vector `i` of s = scale * s + bias, and the larger of it and `most`. */
INLINE V scaled(size_t n, size_t i, V scale, const float *bias, float *s,
                V most)
{
    __mmask16 mask = there(n, i);
    V v = MUL(_mm512_maskz_loadu_ps(mask, s + i * 16), scale);

    if (bias)
        v = ADD(v, _mm512_maskz_loadu_ps(mask, bias + i * 16));
    _mm512_mask_storeu_ps(s + i * 16, mask, v);
    return _mm512_mask_max_ps(most, mask, v, most);
}

/* s = scale * s + bias; the largest. */
INLINE float largest(size_t n, V scale, const float *bias, float *s)
{
    V even = SET1(-__builtin_inff()), odd = even;
    size_t i = 0;

    for (; i * 16 + 16 < n; i += 2) {
        even = scaled(n, i, scale, bias, s, even);
        odd = scaled(n, i + 1, scale, bias, s, odd);
    }
    if (i * 16 < n)
        even = scaled(n, i, scale, bias, s, even);
    return MAXIMUM(MAX(odd, even));
}

/* s = e^(s - max) of n vectors, in turn added to the sum; zeros are what the
 * last lacks. */
INLINE V exponentials(size_t n, __mmask16 last, float *s, V max, V sum)
{
    V v[GROUP];

    EACH(i) v[i] = SUB(_mm512_maskz_loadu_ps(i + 1 < n ? 0xffff : last,
                                             s + i * 16), max);
    exp_vectors(n, v);
    v[n - 1] = _mm512_maskz_mov_ps(last, v[n - 1]);
    EACH(i) _mm512_mask_storeu_ps(s + i * 16, i + 1 < n ? 0xffff : last, v[i]);
    EACH(i) sum = ADD(sum, v[i]);
    return sum;
}

/* The same of 1 .. GROUP vectors. */
static inline V last_exponentials(size_t n, __mmask16 last, float *s, V max,
                                  V sum)
{
    switch (n) {
    case 1:
        return exponentials(1, last, s, max, sum);
    case 2:
        return exponentials(2, last, s, max, sum);
    case 3:
        return exponentials(3, last, s, max, sum);
    case 4:
        return exponentials(4, last, s, max, sum);
    case 5:
        return exponentials(5, last, s, max, sum);
    case 6:
        return exponentials(6, last, s, max, sum);
    default:
        return exponentials(GROUP, last, s, max, sum);
    }
}

/* All of a row; the sum. */
static float row_exponentials(size_t n, float max, float *s)
{
    size_t vectors = (n + 15) / 16, i = 0;
    V sum = ZERO();

    for (; vectors - i > GROUP; i += GROUP)
        sum = exponentials(GROUP, 0xffff, s + i * 16, SET1(max), sum);
    return SUM(last_exponentials(vectors - i, there(n, vectors - 1),
                                 s + i * 16, SET1(max), sum));
}

/* s[n] times `factor`. */
INLINE void narrow_scaled(size_t n, V factor, const float *s,
                          unsigned char *out, size_t step)
{
    __mmask16 low, high;
    size_t i = 0;

    for (; i + 32 <= n; i += 32, out += step)
        _mm512_storeu_si512(out, both_pairs(MUL(LOAD(s + i), factor),
                                            MUL(LOAD(s + i + 16), factor)));
    if (i == n)
        return;
    low = there(n, i / 16);
    high = n - i > 16 ? there(n, i / 16 + 1) : 0;
    _mm512_storeu_si512(out, both_pairs(
        _mm512_maskz_mul_ps(low, _mm512_maskz_loadu_ps(low, s + i), factor),
        _mm512_maskz_mul_ps(high, _mm512_maskz_loadu_ps(high, s + i + 16),
                            factor)));
}

/* Each step of all rows before the next: a row alone would wait for its
 * largest element, and for its sum. */
static void softmax_pairs(size_t rows, size_t n, float scale,
                          const float *bias, float *s, size_t lds,
                          unsigned char *out, size_t ldo, size_t step)
{
    float of_row[VIT_SOFTMAX_ROWS];

    for (size_t r = 0; r < rows; r++)
        of_row[r] = largest(n, SET1(scale), bias, s + r * lds);
    for (size_t r = 0; r < rows; r++)
        of_row[r] = row_exponentials(n, of_row[r], s + r * lds);
    for (size_t r = 0; r < rows; r++)
        narrow_scaled(n, SET1(1.0f / of_row[r]), s + r * lds, out + r * ldo,
                      step);
}

#endif
