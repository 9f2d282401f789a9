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

/* in [from[0], from[1], dim] -> out [to[0], to[1], dim]: rows and columns.
 * EINVAL: not one of the enum; ENOMEM. */
int tomevit_resize_positions(int how, size_t dim, const size_t from[2],
                             const float *in, const size_t to[2], float *out);

#endif
