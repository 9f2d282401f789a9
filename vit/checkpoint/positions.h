/* SPDX-License-Identifier: MIT */
/* Position embeddings for another number of patches. */
#ifndef TOMEVIT_POSITIONS_H
#define TOMEVIT_POSITIONS_H

#include <stddef.h>

/* How a library resizes the square of its position embeddings. */
enum vit_positions {
    VIT_POSITIONS_ANTIALIAS, /* bicubic, a = -0.5, as wide as it takes */
    VIT_POSITIONS_BICUBIC,   /* bicubic, a = -0.75, of four neighbours */
    VIT_POSITIONS_OFFSET,    /* the same, at a scale of (to + 0.1) / from */
    VIT_POSITIONS_CORNERS,   /* the same, corners on corners */
    VIT_POSITIONS_LINEAR,    /* linear, corners on corners */
    VIT_POSITIONS_EDGES,     /* linear, of two neighbours, edges on edges */
    VIT_POSITIONS_WIDE       /* linear, as wide as it takes */
};

/* The names of "position_resize" in metadata; -1 for another. */
int tomevit_positions_from_name(const char *name);

/* in [from, from, dim] -> out [to, to, dim]. EINVAL: not one of the enum;
 * ENOMEM. */
int tomevit_resize_positions(int how, size_t dim, size_t from,
                             const float *in, size_t to, float *out);

#endif
