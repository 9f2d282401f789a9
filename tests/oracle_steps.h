/* SPDX-License-Identifier: MIT */
/* What the parts of the plain forward pass share; see oracle.h. Arrays that are
 * returned are the caller's to free. */
#ifndef TOMERGE_TESTS_ORACLE_STEPS_H
#define TOMERGE_TESTS_ORACLE_STEPS_H

#include "oracle.h"

typedef struct oracle {
    const tomevit_description *d;
    vit_source source;
    size_t n;              /* tokens left */
    double *x;             /* [n, dim] */
    double *size;          /* [n] */
    double *key;           /* [n, head_dim]: mean over heads */
    double *seen;          /* [n] or NULL: see oracle_importance */
    double *turn;          /* [n, 2, head_dim]: rotations, merged as x is */
    long *place;           /* [n]: its patch, that of what it merged into; -1 */
    size_t *owner;         /* [tokens]: the row that each is part of */
} oracle;

double *zeros(size_t n);

/* A tensor as doubles, zeros if the model has none. */
double *tensor(const oracle *o, enum vit_tensor t, size_t layer, size_t n);

/* x [rows, k] through a layer's matrix [n, k] and bias: [rows, n]. */
double *linear(const oracle *o, enum vit_tensor weight, enum vit_tensor bias,
               size_t layer, size_t rows, const double *x, size_t n, size_t k);

/* Norms of rows, the second in place and of any width. */
double *norm(const oracle *o, enum vit_tensor weight, enum vit_tensor bias,
             size_t layer, size_t rows, const double *x);
void norm_in_place(const oracle *o, enum vit_tensor weight,
                   enum vit_tensor bias, size_t layer, size_t rows, double *x,
                   size_t stride);

/* A head's attention of one query: scores s, their softmax w, in which sizes
 * count, and the sum of the values by w. Keys and values lie `wide` apart. */
void score(const oracle *o, const double *q, const double *key, size_t wide,
           size_t dh, double *s);
void softmax_of(const oracle *o, const double *s, int prop_attn, double *w);
void weigh(const oracle *o, const double *w, const double *value, size_t wide,
           size_t dh, double *out);

double activate(int activation, double x);

/* oracle_pool.c: what the heads see, [features], or [2, dim] for two heads;
 * and of that the logits of texts, [classes]. */
double *oracle_pool(const oracle *o, int prop_attn);
double *oracle_zero_shot(const oracle *o, const double *pooled);

#endif
