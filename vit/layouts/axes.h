/* SPDX-License-Identifier: MIT */
/* Tensors with their axes in another order, and parts of tensors. */
#ifndef TOMEVIT_AXES_H
#define TOMEVIT_AXES_H

#include "layout.h"

/* A part of a tensor, taken apart into at most four axes. */
typedef struct vit_axes {
    size_t dims, shape[VIT_DIMS], elements; /* of the result */
    size_t offset;                          /* of the part in the tensor */
    size_t whole;                           /* elements of the tensor */
    size_t length[4], step[4];              /* of the result's axes, before
                                             * some are joined: elements, and
                                             * how far apart in the tensor */
} vit_axes;

/* A tensor, or number `index` of those stacked in it, in this form; as it is
 * if its shape does not allow the form. */
vit_axes tomevit_axes(const vit_stored *tensor, enum vit_form form,
                      int stacked, size_t index);

/* 1 if the result is the tensor's elements in their order. */
int tomevit_axes_plain(const vit_axes *axes);

/* Writes the result from all elements of the tensor. */
void tomevit_axes_move(const vit_axes *axes, const float *in, float *out);

#endif
