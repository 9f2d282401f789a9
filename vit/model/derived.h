/* SPDX-License-Identifier: MIT */
/* Weights that are worked out of what a file holds. */
#ifndef TOMEVIT_DERIVED_H
#define TOMEVIT_DERIVED_H

#include "../network/weights.h"

/* x[n] to this length; what has none stays 0. */
void tomevit_set_length(size_t n, float *x, float length);

/* The query of attention pooling, (q_weight latent + q_bias) / sqrt(head_dim),
 * to query[dim]. ENOMEM, or what the source returns. */
int tomevit_pool_query(const tomevit_description *d, vit_source source,
                       float *query);

/* Rates of rotary positions: see model.h. ENOMEM, or what the source gives. */
int tomevit_read_rates(const tomevit_description *d, vit_source source,
                       double *rates);

/* The head made of the texts' embeddings, w [classes, embedding] in and out:
 * to unit length, times the logits' scale. Returns what the source returns. */
int tomevit_zero_shot_rows(const tomevit_description *d, vit_source source,
                           float *w);

/* The coefficients of a layer's moving averages, as kernels/ema.h has them.
 * ENOMEM, or what the source returns. */
int tomevit_read_ema(const tomevit_description *d, vit_source source,
                     size_t layer, float *coefficients);

/* The table of relative positions that a layer's MLP makes, or the one for all
 * layers: [distances, heads]; what a class token has to do with is not raised.
 * What the source returns, or ENOMEM.
 * [timm, layers/pos_embed_rel.py: RelPosMlp, mode "cr"] */
int tomevit_relative_table(const tomevit_description *d, vit_source source,
                           size_t layer, float *table);

/* Of a layer's two attentions, which are subtracted: the factor of the second;
 * that of the outcome multiplies norm [head_dim]. ENOMEM, and what the source
 * returns. [arXiv 2410.05258, equations 2 and 3] */
int tomevit_read_lambda(const tomevit_description *d, vit_source source,
                        size_t layer, float *lambda, float *norm);

/* A convolution's weights w[n, taps] of a tensor [.., channels, taps], channels
 * last: [.., taps, channels]. Others are left as they are. ENOMEM. */
int tomevit_taps_first(const tomevit_description *d, enum vit_tensor t,
                       float *w);

/* Rows of a product of a stem, and its bias, with the norm behind it folded in:
 * BatchNorm as it is in use [arXiv 1502.03167]. ENOMEM, and what the source
 * returns. */
int tomevit_fold_norm(const tomevit_description *d, vit_source source,
                      enum vit_tensor t, float *rows, float *bias);

/* Rows [dim, patch length] and bias [dim] that see v where they were to see
 * 2 v - 1. */
void tomevit_fold_sign(const tomevit_description *d, float *rows, float *bias);

#endif
