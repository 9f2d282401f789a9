/* SPDX-License-Identifier: MIT */
/* 16-bit numbers: every one of them, and what rounds to them. Numbers in
 * metadata, which are text: whole or none. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../vit/base/numeric.h"
#include "../vit/base/real.h"
#include "model_file.h"

/* What 16 bits mean, by the formula of IEEE 754. */
static double meaning(unsigned bits, int mantissa_bits, int bias)
{
    unsigned mantissa = bits & ((1u << mantissa_bits) - 1);
    int exponent = (int)(bits & 0x7fff) >> mantissa_bits;
    double magnitude = exponent == 0
        ? ldexp(mantissa, 1 - bias - mantissa_bits)
        : ldexp(mantissa + (1u << mantissa_bits),
                exponent - bias - mantissa_bits);

    if (exponent == 2 * bias + 1)
        magnitude = mantissa ? (double)NAN : (double)INFINITY;
    return bits & 0x8000 ? -magnitude : magnitude;
}

static void check(float value, double expected, unsigned bits)
{
    if (isnan(expected))
        cr_assert(isnan(value), "%04x", bits);
    else
        cr_assert_eq((double)value, expected, "%04x: %g", bits, (double)value);
    cr_assert_eq(!!signbit(value), bits >> 15, "%04x", bits);
}

Test(numeric, every_f16_and_bf16_is_exact)
{
    unsigned bits;

    for (bits = 0; bits < 65536; bits++) {
        check(vit_f32_from_f16((uint16_t)bits), meaning(bits, 10, 15), bits);
        check(vit_f32_from_bf16((uint16_t)bits), meaning(bits, 7, 127), bits);
    }
}

Test(numeric, bf16_keeps_what_it_can_hold)
{
    unsigned bits;

    for (bits = 0; bits < 65536; bits++) {
        float value = vit_f32_from_bf16((uint16_t)bits);
        uint16_t back = vit_bf16_from_f32(value);

        if (isnan(value))
            cr_assert(isnan(vit_f32_from_bf16(back)));
        else
            cr_assert_eq(back, bits);
    }
}

/* The values between two neighbours: below, at and above the middle. */
Test(numeric, bf16_rounds_to_nearest_ties_to_even)
{
    uint32_t low, half;

    for (low = 0; low < 0x7f80; low += 1)
        for (half = 0x7fff; half <= 0x8001; half++) {
            float value = vit_f32_from_bits(low << 16 | half);
            uint16_t rounded = vit_bf16_from_f32(value);
            unsigned expected = low + (half > 0x8000 ||
                                       (half == 0x8000 && (low & 1)));

            cr_assert_eq(rounded, expected, "%08x", low << 16 | half);
            cr_assert_eq(vit_bf16_from_f32(-value), expected | 0x8000);
            if (low < 0x7f00)
                cr_assert_eq((double)vit_f32_from_bf16(rounded),
                             model_file_round(value, 7, -126));
        }
}

Test(numeric, bf16_of_NaN_is_NaN)
{
    static const uint32_t nans[] = {0x7f800001, 0xff800001, 0x7fc00000,
                                    0x7fffffff, 0xffffffff, 0x7f80ffff};
    size_t i;

    for (i = 0; i < sizeof(nans) / sizeof(*nans); i++) {
        uint16_t bits = vit_bf16_from_f32(vit_f32_from_bits(nans[i]));

        cr_assert(isnan(vit_f32_from_bf16(bits)), "%08x", nans[i]);
        cr_assert_eq(bits >> 15, nans[i] >> 31);
    }
}

Test(numeric, a_count_in_text_is_digits_alone)
{
    static const char *const others[] = {
        "", " 12", "12 ", "12abc", "0x10", "1e3", "12.0", "-1", "+1", "a"
    };
    char most[32], more[32];
    size_t value;

    snprintf(most, sizeof(most), "%zu", SIZE_MAX);
    snprintf(more, sizeof(more), "%zu0", SIZE_MAX);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        value = 77;
        cr_assert_neq(tomevit_count_read(others[i], &value), 0, "%s",
                      others[i]);
        cr_assert_eq(value, 77, "%s", others[i]);
    }
    cr_assert(tomevit_count_read("0", &value) == 0 && value == 0);
    cr_assert(tomevit_count_read("0123", &value) == 0 && value == 123);
    cr_assert(tomevit_count_read(most, &value) == 0 && value == SIZE_MAX);
    cr_assert_neq(tomevit_count_read(more, &value), 0);
    most[strlen(most) - 1]++; /* the digit after SIZE_MAX's last, 5 */
    cr_assert_neq(tomevit_count_read(most, &value), 0);
}
