/* SPDX-License-Identifier: MIT */
/*
 * Reading tensors of a file with their axes in another order, and parts of
 * tensors: a layer of a stack, a third of three matrices in one.
 *
 * What a part is taken from may first have to be inflated or converted as a
 * whole. It is kept until the part at its end has been read, so parts are best
 * read in their order, a tensor by one thread.
 */
#ifndef TOMEVIT_PIECES_H
#define TOMEVIT_PIECES_H

#include "axes.h"

#include <stdatomic.h>

enum { VIT_KEPT = 32 };    /* tensors at a time */

typedef struct vit_kept_place {
    _Atomic(const vit_stored *) from; /* NULL: free */
    void *bytes;
} vit_kept_place;

/* All zero keeps nothing. */
typedef struct vit_kept {
    vit_kept_place places[VIT_KEPT];
} vit_kept;

/* From any number of threads at once. */
int tomevit_piece_read(vit_kept *kept, const vit_tensors *file,
                       const vit_stored *from, const vit_axes *axes,
                       float *out, tomevit_message *why);
void tomevit_kept_free(vit_kept *kept);

#endif
