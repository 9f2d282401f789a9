/* SPDX-License-Identifier: MIT */
/* What kinds of attention have in common: scores of some queries of a head, and
 * the values that they weigh. */
#ifndef TOMEVIT_ATTENTION_H
#define TOMEVIT_ATTENTION_H

#include "../kernels/dsp.h"

#include <stdint.h>

/* keys = k[tokens, head_dim] as panels [head_dim, nr]. */
void tomevit_pack_keys(const vit_dsp *dsp, float *keys, const float *k,
                       size_t stride, size_t tokens, size_t head_dim);

/* values = those of the tokens as panels [tokens, nr], of each that of its row,
 * if `row` is not NULL. */
void tomevit_pack_values(const vit_dsp *dsp, float *values, const float *v,
                         const int32_t *row, size_t stride, size_t tokens,
                         size_t head_dim);

/* scores[rows, tokens] = q k^T, rows being at most mr; whole panels of columns
 * are written. */
void tomevit_compare(const vit_dsp *dsp, const float *keys, float *scores,
                     size_t rows, size_t tokens, size_t head_dim,
                     size_t score_stride, const float *q, size_t ldq);

/* y[rows, head_dim] = scores values. */
void tomevit_weigh(const vit_dsp *dsp, const float *scores,
                   const float *values, size_t rows, size_t tokens,
                   size_t head_dim, size_t score_stride, float *y, size_t ldy);

#endif
