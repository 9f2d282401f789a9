/* SPDX-License-Identifier: MIT */
/* Sides of products that are cut off at the ends of a range. */
#ifndef TOMEVIT_RANGES_H
#define TOMEVIT_RANGES_H

#include <stddef.h>

/* x[n], between range[0] and range[1]; NULL: as it is. What is no number stays
 * none. */
static inline void tomevit_cut_off(const float *range, size_t n, float *x)
{
    for (size_t i = 0; range && i < n; i++) {
        float v = x[i] < range[0] ? range[0] : x[i];

        x[i] = v > range[1] ? range[1] : v;
    }
}

/* The same of rows [rows, stride], of each n numbers. */
static inline void tomevit_cut_rows(const float *range, size_t rows,
                                    size_t stride, size_t n, float *x)
{
    for (size_t i = 0; range && i < rows; i++)
        tomevit_cut_off(range, n, x + i * stride);
}

#endif
