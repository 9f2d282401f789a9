/* SPDX-License-Identifier: MIT */
/* Norms over the rows of a sequence, for groups of channels: of all rows at
 * once, and of those so far. Portable C, the same on every tier; sums are in
 * double precision. */
#ifndef TOMEVIT_GROUP_NORM_H
#define TOMEVIT_GROUP_NORM_H

#include <stddef.h>

/* (x - mean) / sqrt(variance + eps) * weight + bias, mean and variance being
 * those of a group: channels / groups neighbouring channels. */
typedef struct vit_groups {
    size_t channels, groups; /* groups divides channels */
    const float *weight, *bias; /* [channels] */
    float eps;
} vit_groups;

/* y[rows, ldy] of x[rows, ldx]; y may be x. Over all rows, row i counting
 * size[i] times; size NULL: once. sums [2 channels] is scratch. [Wu, He, ECCV
 * 2018: Group Normalization] */
void tomevit_group_norm(const vit_groups *g, size_t rows, const float *size,
                        const float *x, size_t ldx, float *y, size_t ldy,
                        double *sums);

/* What a norm over the past carries from row to row. */
typedef struct vit_past {
    double count;          /* rows so far: 0 before the first */
    double *mean, *variance; /* [groups] */
} vit_past;

/* The same where row i is normed by rows 0 .. i alone, and by those that *past
 * has seen. [arXiv 2404.08801, section 3.2] */
void tomevit_timestep_norm(const vit_groups *g, size_t rows, const float *x,
                           size_t ldx, float *y, size_t ldy, vit_past *past);

#endif
