/* SPDX-License-Identifier: MIT */
/* Tensors whose elements do not lie in the order of their indices. */
#ifndef TOMEVIT_STRIDED_H
#define TOMEVIT_STRIDED_H

#include "tensors.h"

/* Strides, in elements, of a row-major tensor of this shape. */
void tomevit_strides(const size_t *shape, size_t dims, size_t *strides);

/* 1 if the elements lie in order, so that the strides tell nothing. */
int tomevit_in_order(const size_t *shape, size_t dims, const size_t *strides);

/* Elements from the first to the last one of a tensor, both counted; 0 for
 * an empty tensor, SIZE_MAX if that overflows. */
size_t tomevit_span(const size_t *shape, size_t dims, const size_t *strides);

/* Reads a tensor whose first element is at `bytes` into row-major f32. */
void tomevit_read_strided(const vit_stored *tensor, const size_t *strides,
                          const unsigned char *bytes, float *out);

#endif
