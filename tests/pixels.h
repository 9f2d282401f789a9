/* SPDX-License-Identifier: MIT */
/* What the tests of images share: made-up pictures and a hash of pixels. */
#ifndef TOMERGE_TESTS_PIXELS_H
#define TOMERGE_TESTS_PIXELS_H

#include "draws.h"

#include <stddef.h>
#include <stdint.h>

static inline uint64_t pixels_hash(const uint8_t *bytes, size_t count)
{
    uint64_t hash = hash_basis;

    for (size_t i = 0; i < count; i++)
        hash = hash_more(hash, bytes[i]);
    return hash;
}

/* Curved stripes of every frequency: harsh on rounding and on overshoot. */
static inline uint8_t pixels_stripes(size_t x, size_t y, size_t c)
{
    size_t v = x * x * (3 + c) + y * y * (5 + 2 * c) + x * y * 7 + c * 91;

    return (uint8_t)(v ^ (v >> 5));
}

static inline void pixels_fill(uint8_t *rgb, size_t width, size_t height)
{
    for (size_t i = 0; i < 3 * width * height; i++)
        rgb[i] = pixels_stripes(i / 3 % width, i / 3 / width, i % 3);
}

#endif
