/* SPDX-License-Identifier: MIT */
/*
 * Numbers of 16 bits: bf16 and f16 (IEEE 754 binary16) to f32, which is
 * always exact, and f32 to both, to the nearest and ties to even. NaN stays
 * NaN, infinities and the sign of zero are kept.
 */
#ifndef TOMEVIT_NUMERIC_H
#define TOMEVIT_NUMERIC_H

#include <stdint.h>
#include <string.h>

static inline float vit_f32_from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t vit_f32_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float vit_f32_from_bf16(uint16_t bits)
{
    return vit_f32_from_bits((uint32_t)bits << 16);
}

static inline float vit_f32_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 31;
    uint32_t mantissa = half & 0x3ff;

    if (exponent == 31)
        return vit_f32_from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) {
        /* Zero or subnormal: mantissa * 2^-24, exact in f32. */
        float magnitude = (float)mantissa * 0x1p-24f;

        return vit_f32_from_bits(sign | vit_f32_bits(magnitude));
    }
    return vit_f32_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* To the nearest, ties to even; beyond 65504 to infinity. */
static inline uint16_t vit_f16_from_f32(float value)
{
    uint32_t bits = vit_f32_bits(value), sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;

    if (magnitude > 0x7f800000)                 /* NaN, made quiet */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000)                /* half way from 65504 up */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000)                 /* below 2^-14: subnormal */
        return (uint16_t)(sign | (vit_f32_bits(vit_f32_from_bits(magnitude) +
                                               0.5f) - 0x3f000000));
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}

static inline uint16_t vit_bf16_from_f32(float value)
{
    uint32_t bits = vit_f32_bits(value);

    /* Rounding could carry a NaN's mantissa away: make it quiet instead. */
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
