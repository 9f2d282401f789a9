/* SPDX-License-Identifier: MIT */
/* Position embeddings for another number of patches. */
#ifndef TOMEVIT_POSITIONS_H
#define TOMEVIT_POSITIONS_H

#include <stddef.h>

/* How a library resizes the square of its position embeddings. [timm,
 * models/naflexvit.py: pos_embed_ar_preserving] */
enum vit_positions {
    VIT_POSITIONS_ANTIALIAS, /* bicubic, a = -0.5, as wide as it takes */
    VIT_POSITIONS_BICUBIC,   /* bicubic, a = -0.75, of four neighbours */
    VIT_POSITIONS_OFFSET,    /* the same, at a scale of (to + 0.1) / from */
    VIT_POSITIONS_CORNERS,   /* the same, corners on corners */
    VIT_POSITIONS_LINEAR,    /* linear, corners on corners */
    VIT_POSITIONS_EDGES,     /* linear, of two neighbours, edges on edges */
    VIT_POSITIONS_WIDE,      /* linear, as wide as it takes */
    VIT_POSITIONS_TABLE,     /* not: those of another image are looked up */
    VIT_POSITIONS_SQUARE = 8 /* more than any of these: to a square as wide as
                              * the longer side, of which the first rows and
                              * columns are taken */
};

/* The names of "position_resize" in metadata; -1 for another. Those of squares
 * end with "_square". */
int tomevit_positions_from_name(const char *name);

typedef struct vit_resizing {
    int how;               /* enum vit_positions */
    size_t dim;            /* channels */
    size_t from[2], to[2]; /* rows and columns */
} vit_resizing;

/* in [from[0], from[1], dim] -> out [to[0], to[1], dim]. EINVAL: not one of the
 * enum, or nothing to resize; ENOMEM. */
int tomevit_resize_positions(const vit_resizing *r, const float *in,
                             float *out);

/* The same, to the same bits, of a resizing that has been checked, to rows
 * `stride` apart, in the caller's room: so many numbers, where neither side of
 * `to` is over `most`. */
size_t tomevit_positions_room(const size_t from[2], size_t most);
void tomevit_resize_positions_in(const vit_resizing *r, const float *in,
                                 double *room, float *out, size_t stride);

#endif
