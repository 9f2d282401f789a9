/* SPDX-License-Identifier: MIT */
/* IEEE 754's binary16. */
#include "half.h"

#include <math.h>
#include <string.h>

/* Halves that are not normal are multiples of 2^-24, as others are of 2^-10
 * times their power of two: both round by adding half a unit, less a bit where
 * what is kept is even. */
uint16_t half_of(float value)
{
    uint32_t bits, magnitude, sign;

    memcpy(&bits, &value, sizeof(bits));
    magnitude = bits & 0x7fffffffu;
    sign = bits >> 16 & 0x8000u;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u)       /* 65520 */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u)        /* 2^-14: rint rounds ties to even */
        return (uint16_t)(sign | (uint32_t)rintf(fabsf(value) * 0x1p24f));
    magnitude += 0xfffu + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}

float half_value(uint16_t half)
{
    uint32_t exponent = half >> 10 & 31u, fraction = half & 1023u;
    float value = exponent == 31 ? (fraction ? NAN : INFINITY)
        : exponent ? ldexpf((float)(1024 + fraction), (int)exponent - 25)
                   : ldexpf((float)fraction, -24);

    return half & 0x8000u ? -value : value;
}
