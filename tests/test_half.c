/* SPDX-License-Identifier: MIT */
/* binary16: every half, and what lies between two of them. */
#include "../src/embeddings/half.h"

#include <criterion/criterion.h>
#include <math.h>

Test(half, every_one_is_itself)
{
    for (unsigned h = 0; h < 65536; h++) {
        float value = half_value((uint16_t)h);

        if (isnan(value))
            cr_assert(isnan(half_value(half_of(value))));
        else
            cr_assert_eq(half_of(value), h, "%04x becomes %04x", h,
                         half_of(value));
    }
    cr_expect_eq(half_value(0x3c00), 1.0f);
    cr_expect_eq(half_value(0x7bff), 65504.0f);
    cr_expect_eq(half_value(0x0001), 0x1p-24f);
    cr_expect_eq(half_value(0x0400), 0x1p-14f);
    cr_expect_eq(half_value(0xfc00), -INFINITY);
}

/* The middle of two neighbours, which float holds exactly, goes to the even
 * one; the next float below and above it to the nearer. */
Test(half, rounds_to_nearest_even)
{
    for (unsigned h = 0; h < 0x7c00; h++) {
        float low = half_value((uint16_t)h);
        float high = h == 0x7bff ? 65536.0f : half_value((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;

        for (unsigned sign = 0; sign < 2; sign++) {
            float s = sign ? -1.0f : 1.0f;
            cr_assert_eq(half_of(s * middle), (h + (h & 1)) | sign << 15);
            cr_assert_eq(half_of(s * nextafterf(middle, 0)), h | sign << 15);
            cr_assert_eq(half_of(s * nextafterf(middle, INFINITY)),
                         (h + 1) | sign << 15);
        }
    }
    cr_expect_eq(half_of(1e30f), 0x7c00);
    cr_expect_eq(half_of(-1e-30f), 0x8000);
}
