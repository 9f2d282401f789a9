/* SPDX-License-Identifier: MIT */
/*
 * Separable fixed-point resampling of 8-bit RGB: what the driver in
 * resample.c and the kernels of each tier share.
 *
 * Coefficients are integers of RESAMPLE_BITS fractional bits. Every tier adds
 * the same integers, so all of them give the same bytes.
 */
#ifndef TOMEVIT_RESAMPLE_H
#define TOMEVIT_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* 32 bits, less 8 of the sample and 2 for sign and overshoot. */
#define RESAMPLE_BITS 22

/* The part of one axis that the crop needs: output o of `outputs` is the sum
 * over t < count[o] of input[first[o] + t] * weight[o * taps + t]. */
typedef struct tomevit_filter {
    size_t inputs;         /* samples along the axis */
    size_t outputs;
    size_t taps;           /* the largest count, and the stride of `weight` */
    size_t *first;         /* [outputs], never decreasing */
    size_t *count;         /* [outputs], at least 1 */
    int32_t *weight;       /* [outputs, taps], zero past count */
} tomevit_filter;

typedef struct tomevit_resample_kernels {
    /* Along one row: rgb [inputs, 3] -> out [outputs, 3]. */
    void (*columns)(const tomevit_filter *filter, const uint8_t *rgb,
                    uint8_t *out);
    /* Across rows: the sum over t < count of row[t][i] * weight[t] for every
     * i < bytes. */
    void (*rows)(const uint8_t *const *row, const int32_t *weight,
                 size_t count, size_t bytes, uint8_t *out);
} tomevit_resample_kernels;

/* Rounds a sum of samples times coefficients to a sample. */
static inline uint8_t tomevit_resample_clip(int32_t sum)
{
    int32_t value = sum >> RESAMPLE_BITS;

    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Starting a sum here makes the shift round to nearest. */
#define RESAMPLE_HALF (INT32_C(1) << (RESAMPLE_BITS - 1))

#endif
