/* SPDX-License-Identifier: MIT */
/* The part of ema.h that is a kernel of every tier. */
#ifndef TOMEVIT_EMA_PASS_H
#define TOMEVIT_EMA_PASS_H

#include <stddef.h>
#include <stdint.h>

/* Channels of a block; states of a group, real and complex. */
enum { VIT_EMA_LANES = 16, VIT_EMA_REAL = 8, VIT_EMA_TURNING = 4 };

static inline size_t vit_ema_group(int turning)
{
    return turning ? VIT_EMA_TURNING : VIT_EMA_REAL;
}

/* In which order rows pass. */
typedef struct vit_ema_order {
    size_t steps;
    int32_t *row;          /* [steps]: the row that passes, -1: none */
    const float *weight;   /* [rows], or NULL: 1 */
    int mean;              /* a row passes several times: the mean of them */
} vit_ema_order;

/* Adds to y[rows, ldy] what the group of states at `coefficients` makes of
 * x[rows, ldx] in the order given, or from its end back. A step is rounded
 * product by product and sum by sum, states in their order. */
void tomevit_ema_pass(const float *coefficients, int turning, int back,
                      const vit_ema_order *order, const float *x, size_t ldx,
                      float *y, size_t ldy);

#endif
