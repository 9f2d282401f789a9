/* SPDX-License-Identifier: MIT */
/* A Vision Transformer with token merging in double precision, as plainly as
 * it can be written: what the library's forward pass is compared with where
 * the reference implementation has no results to offer. */
#ifndef TOMERGE_TESTS_ORACLE_H
#define TOMERGE_TESTS_ORACLE_H

#include "../vit/network/weights.h"

/* 0, or how many bits of mantissa both sides of every product keep: 8 are
 * bf16's. */
extern int oracle_bits;

/* One normalised image [3, size, size]; r [depth] or NULL; logits [classes]
 * (of the mean of both heads where there are two), features [features]. */
void oracle_forward(const tomevit_description *d, vit_source source,
                    const float *image, const size_t *r, int prop_attn,
                    double *logits, double *features);

/* What the first layer's class token pays to each token, or without one what
 * all tokens do, summed over the heads: importance [tokens]. */
void oracle_importance(const tomevit_description *d, vit_source source,
                       const float *image, double *importance);

#endif
