/* SPDX-License-Identifier: MIT */
/* How far answers move when tokens merge: over all classes, where accuracy and
 * agreement see the first one only. */
#ifndef TOMERGE_DIVERGENCE_H
#define TOMERGE_DIVERGENCE_H

#include "outcomes.h"

/* The Kullback-Leibler divergence KL(p || q) of two answers in nats, from their
 * logits: p is softmax of `base`, q of `own`, both [count]. 0 for equal ones
 * and for no classes; never negative. */
double divergence_of(const float *base, const float *own, size_t count);

/* Over the images of a run: NaN of none. */
typedef struct divergence {
    double mean, median;
} divergence;

divergence divergence_over(const outcomes *o, size_t run);

#endif
