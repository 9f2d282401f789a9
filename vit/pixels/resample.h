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

/* Rows that `columns` takes at once. */
enum { RESAMPLE_ROWS = 4 };

/* The part of one axis that the crop needs: output o of `outputs` is the sum
 * over t < count[o] of input[first[o] + t] * weight[o * taps + t]. */
typedef struct tomevit_filter {
    size_t inputs;         /* samples along the axis */
    size_t outputs;
    size_t taps;           /* the largest count, and the stride of `weight` */
    size_t *first;         /* [outputs], never decreasing */
    size_t *count;         /* [outputs], at least 1 */
    int32_t *weight;       /* [outputs, taps], zero past count */
    size_t groups;         /* of four taps */
    uint32_t *digits;      /* [outputs, groups, words of a group, digits]: see
                            * tomevit_resample_kernels */
} tomevit_filter;

/* Rows of columns' output are so far apart, and may be written and read up
 * to there: 3 * outputs rounded up, and at least 16 bytes more. */
static inline size_t tomevit_resample_stride(size_t outputs)
{
    return (3 * outputs + 16 + 63) / 64 * 64;
}

typedef struct tomevit_resample_kernels {
    const char *name;
    /* For instructions that multiply small numbers a weight is the sum of
     * digit[d] * 2^(bits * d), each of `bits` bits with a sign; one word holds
     * digit d of 32 / bits taps. 0: only filter->weight is made. */
    unsigned bits, digits;
    /* Along RESAMPLE_ROWS rows: rgb[r] [inputs, 3] -> out[r] [outputs, 3]. Of
     * each row `readable` bytes may be read, 3 * inputs or more. */
    void (*columns)(const tomevit_filter *filter, const uint8_t *const *rgb,
                    size_t readable, uint8_t *const *out);
    /* Across rows: out[i], i < bytes, is output `output` of the filter over
     * row[t][i], t < count[output]. Nothing past `bytes` is read. */
    void (*rows)(const tomevit_filter *filter, size_t output,
                 const uint8_t *const *row, size_t bytes, uint8_t *out);
} tomevit_resample_kernels;

extern const tomevit_resample_kernels tomevit_resample_avx2,
    tomevit_resample_avx512vnni;

/* The kernels by number, with the CPU features they need; NULL at the end. */
const tomevit_resample_kernels *tomevit_resample_tier(size_t index,
                                                      uint32_t *needs);

/* Rounds a sum of samples times coefficients to a sample. */
static inline uint8_t tomevit_resample_clip(int32_t sum)
{
    int32_t value = sum >> RESAMPLE_BITS;

    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Starting a sum here makes the shift round to nearest. */
#define RESAMPLE_HALF (INT32_C(1) << (RESAMPLE_BITS - 1))

/* Output `output` of a row, plainly. */
static inline void tomevit_resample_pixel(const tomevit_filter *filter,
                                          size_t output, const uint8_t *rgb,
                                          uint8_t out[3])
{
    const uint8_t *p = rgb + 3 * filter->first[output];
    const int32_t *weight = filter->weight + output * filter->taps;
    int32_t r = RESAMPLE_HALF, g = RESAMPLE_HALF, b = RESAMPLE_HALF;

    for (size_t t = 0; t < filter->count[output]; t++, p += 3) {
        r += p[0] * weight[t];
        g += p[1] * weight[t];
        b += p[2] * weight[t];
    }
    out[0] = tomevit_resample_clip(r);
    out[1] = tomevit_resample_clip(g);
    out[2] = tomevit_resample_clip(b);
}

/* Outputs from the front of a row whose groups, read `width` bytes at a time,
 * end within its `readable` bytes. */
static inline size_t tomevit_resample_within(const tomevit_filter *filter,
                                             size_t width, size_t readable)
{
    size_t reach = 12 * (filter->groups - 1) + width, o = filter->outputs;

    while (o > 0 && 3 * filter->first[o - 1] + reach > readable)
        o--;
    return o;
}

/* Outputs from `o` on of all rows, plainly. */
static inline void tomevit_resample_rest(const tomevit_filter *filter,
                                         size_t o, const uint8_t *const *rgb,
                                         uint8_t *const *out)
{
    for (; o < filter->outputs; o++)
        for (size_t r = 0; r < RESAMPLE_ROWS; r++)
            tomevit_resample_pixel(filter, o, rgb[r], out[r] + 3 * o);
}

#endif
