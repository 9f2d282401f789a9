/* SPDX-License-Identifier: MIT */
/*
 * Damped moving averages along a sequence, several states a channel, in both
 * directions: what Mega [arXiv 2209.10655, section 3.1] and Megalodon [arXiv
 * 2404.08801, section 3.1; states are complex] mix tokens by. Of one channel
 *
 *     h_t = q h_(t-1) + x_t    y_t = sum of w h_t over the states
 *
 * from the first row on; and from the last row back, where y_t is of the state
 * before x_t: the row itself counts once, as the authors' code for images has
 * it. Channels go in blocks of lanes and states in groups, which stay in
 * registers: a kernel of dsp.h passes all rows by one group of one block in one
 * direction, and gives the same bits on every tier.
 */
#ifndef TOMEVIT_EMA_H
#define TOMEVIT_EMA_H

#include "dsp.h"
#include "ema_pass.h"

enum { VIT_EMA_STATES = 64 };

/* What a checkpoint holds, rows of both directions one after the other. */
typedef struct vit_ema_source {
    size_t channels, states;
    int turning;           /* states are complex */
    const float *alpha, *delta; /* [2 channels, states] */
    const float *beta;     /* [2 channels, states]; theta [2 channels] */
    const float *gamma;    /* [2 channels, states], turning: [.., 2] */
} vit_ema_source;

/* q and w of both directions: [2, blocks, groups, states of one, 2 or 4,
 * lanes], zeros past the last channel and the last state. */
size_t tomevit_ema_length(size_t channels, size_t states, int turning);
void tomevit_ema_pack(const vit_ema_source *from, float *coefficients);

/* What the average does with rows that stand for several tokens. */
enum vit_ema_merge {
    VIT_EMA_UNMERGE,       /* every place sees the row that it went to; a row
                            * gets the mean over its places */
    VIT_EMA_PLACE,         /* a row weighs its size at its place */
    VIT_EMA_STEPS,         /* a row lasts so many steps as it has tokens */
    VIT_EMA_ROWS           /* as if nothing had merged */
};

/* row[max(tokens, rows)] is the caller's. trace [tokens] is the row of each
 * token, place and size [rows] those of the rows, in the order of their
 * places. */
vit_ema_order tomevit_ema_order(int how, size_t tokens, size_t rows,
                                const int32_t *trace, const int32_t *place,
                                const float *size, int32_t *row);

/* y[rows, ldy] of x[rows, ldx]: the lanes of block `block` alone. `count`
 * [rows] is scratch. */
void tomevit_ema(const vit_dsp *dsp, const float *coefficients,
                 size_t channels, size_t states, int turning, size_t block,
                 const vit_ema_order *order, size_t rows, const float *x,
                 size_t ldx, float *y, size_t ldy, float *count);

#endif
