/* SPDX-License-Identifier: MIT */
/*
 * Rotary positions: by how much the pairs of a head's channels are turned at a
 * place. Whatever the rule, the angle of pair k is
 *
 *     y rates[k] + x rates[h / 2 + k]
 *
 * with y and x of the place's row and column: axial rules have a zero in one of
 * them. Angles are worked out in double precision, and sine and cosine by
 * polynomials of our own, so that they are the same bits on every tier.
 */
#ifndef TOMEVIT_ROPE_H
#define TOMEVIT_ROPE_H

#include "weights.h"

/* What kernels turn one head by: [2, h], as vit_dsp.rotate takes it. */
static inline size_t tomevit_turn_length(const tomevit_description *d)
{
    return 2 * tomevit_head_dim(d);
}

/* 1 if every layer and head has rates of its own, else all have the same. */
static inline int tomevit_rope_each_head(const tomevit_description *d)
{
    return d->rope.kind == TOMEVIT_ROTARY_MIXED;
}

/* rates [2, h / 2] of an axial rule; periods [h / 4] of the file, or NULL. */
void tomevit_rope_axial(const tomevit_description *d, const float *periods,
                        double *rates);

/* Those of one layer and head that were learnt: first, second [h / 2], of
 * columns and rows if the rule says xy, of rows and columns otherwise. */
void tomevit_rope_learnt(const tomevit_description *d, const float *first,
                         const float *second, double *rates);

/* turn [2, h] of one head at a place, which need not be a patch's: row and
 * column are counted from 0 at the first patch. */
void tomevit_rope_turn(const tomevit_description *d, const double *rates,
                       double row, double column, float *turn);

#endif
