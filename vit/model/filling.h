/* SPDX-License-Identifier: MIT */
/* What building a model is made of: memory for its weights, then weights. */
#ifndef TOMEVIT_MODEL_FILLING_H
#define TOMEVIT_MODEL_FILLING_H

#include "model.h"

/* places.c: takes the memory of all weights of m->d, for m->dsp, m->low and
 * m->outer: to measure it, then to point into it. */
void tomevit_carve_weights(struct tomevit_model *m, vit_arena *arena);

/* places.c: the matrix that a tensor is packed into; NULL if it is not. */
vit_matrix *tomevit_packed_place(struct tomevit_model *m, enum vit_tensor t,
                                 size_t layer);

/* places.c: where the floats of a tensor go as they are; NULL if they do not. */
float *tomevit_plain_place(struct tomevit_model *m, enum vit_tensor t,
                           size_t layer);

/* filling.c: all weights, and what follows from them. 0, or a TOMEVIT_E*. */
int tomevit_fill_weights(struct tomevit_model *m, vit_source source);

#endif
