/* SPDX-License-Identifier: MIT */
/*
 * bf16 and f16 against f32, one number at a time: the specification of the
 * row conversions. To f32 is exact; from f32 rounds to nearest, ties to even;
 * a NaN stays a NaN with the leading bits of its payload, made quiet. And the
 * fused multiply-add, the same on machines that have none.
 */
#ifndef TOMERGE_NUMERIC_H
#define TOMERGE_NUMERIC_H

#include "build.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define TOMERGE_F32_INF 0x7f800000u

static inline uint32_t tomerge_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float tomerge_float(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The upper half of an f32: even a signalling NaN passes as it is. */
static inline float tomerge_from_bf16(uint16_t half)
{
    return tomerge_float((uint32_t)half << 16);
}

static inline uint16_t tomerge_to_bf16(float value)
{
    uint32_t bits = tomerge_bits(value);

    if ((bits & 0x7fffffff) > TOMERGE_F32_INF)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float tomerge_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;

    if (exponent == 0x1f)
        return tomerge_float(sign | TOMERGE_F32_INF | fraction << 13 |
                             (fraction ? 0x400000 : 0));
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;

        return tomerge_float(sign | tomerge_bits(small));
    }
    return tomerge_float(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t tomerge_to_f16(float value)
{
    uint32_t bits = tomerge_bits(value), magnitude = bits & 0x7fffffff;
    uint32_t sign = bits >> 16 & 0x8000;

    if (magnitude > TOMERGE_F32_INF)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* rounds beyond the largest, 65504 */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        /* Below 2^-14 the step is 2^-24, which is that of an f32 in
         * [0.5, 1): the addition does the rounding. */
        float shifted = tomerge_float(magnitude) + 0.5f;

        return (uint16_t)(sign | (tomerge_bits(shifted) - 0x3f000000));
    }
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | ((magnitude >> 13) - (112 << 10)));
}

/* The double sum of a + b, rounded to f32 as if it had been exact. The first
 * rounding can mislead the second only where it ends halfway between two f32,
 * or below their normal range. There it is made one to odd instead: to
 * whichever neighbour has an odd last bit, unless it was exact (Boldo,
 * Melquiond: "Emulation of a FMA and Correctly Rounded Sums", IEEE Trans.
 * Computers 57 (4), 2008). */
static inline float tomerge_round_sum(double a, double b)
{
    double sum = a + b, part = sum - a;
    double error = (a - (sum - part)) + (b - part);
    int64_t bits, up = (error > 0) - (error < 0);

    memcpy(&bits, &sum, sizeof(bits));
    if (!(bits & 1))
        bits += bits < 0 ? -up : up; /* away from zero is up in bits */
    memcpy(&sum, &bits, sizeof(sum));
    return (float)sum;
}

/* x y + z, rounded once, on any machine. The product is exact in double. */
TM_WRAPS static inline float tomerge_fma(float x, float y, float z)
{
#ifdef FP_FAST_FMAF
    return fmaf(x, y, z);
#else
    double product = (double)x * (double)y, sum = product + (double)z;
    uint64_t bits;

    memcpy(&bits, &sum, sizeof(bits));
    /* Halfway, or nearer to 0 than 2^-126 but not 0. */
    if (((bits & 0x1fffffff) == 0x10000000) |
        (bits * 2 - 1 < 0x7020000000000000 - 1))
        return tomerge_round_sum(product, (double)z);
    return (float)sum;
#endif
}

#endif
