/* SPDX-License-Identifier: MIT */
/* What a view of a file is made of. */
#ifndef TOMEVIT_VIEW_H
#define TOMEVIT_VIEW_H

#include "../containers/region.h"
#include "axes.h"
#include "names.h"
#include "pieces.h"

enum { VIT_PIECES = 3 };   /* of one tensor, as a rule has them */

/* A tensor of the file, and how it becomes rows of the whole. */
typedef struct vit_piece {
    const vit_stored *from;
    vit_axes axes;
} vit_piece;

/* A tensor of a view: pieces of tensors of one file, one after another or
 * added. */
typedef struct vit_moved {
    const char *name;
    const vit_tensors *file;
    vit_piece *pieces;     /* [count] */
    size_t count;
    int summed;            /* the pieces are added to one another */
} vit_moved;

typedef struct vit_view {
    const vit_layout *layout;
    vit_tensors *file;
    char prefix[VIT_NAME]; /* before the file's names */
    const char *in_layers; /* before those of layers: the same, or nothing */
    vit_region region;         /* names and pieces */
    vit_moved *moved;      /* [count], vit_stored.begin of each its index */
    size_t count, space;
    const char *twice;     /* a name that two have, NULL if none is */
    unsigned char *used;   /* [file->count]: by the model */
    size_t heads;          /* if some tensor has an axis of them, else 0 */
    int stacked;           /* some tensors are those of all layers */
    vit_kept kept;
} vit_view;

/* The file's tensor of this name, with the prefix or, failing that, without;
 * NULL if it has none. */
const vit_stored *tomevit_view_find(const vit_view *v, const char *pattern,
                                    size_t layer);

/* A copy that lasts as long as the view; NULL without memory. */
const char *tomevit_view_keep(vit_view *v, const char *name);

/* One more tensor, of `pieces` pieces; the name lasts as long as the view.
 * NULL without memory, or without a name. */
vit_moved *tomevit_view_append(vit_view *v, const char *name, size_t pieces);

/* A tensor of a file as it is, under another name. 0 or ENOMEM. */
int tomevit_view_append_whole(vit_view *v, const char *name,
                              const vit_tensors *file, const vit_stored *from);

/* Adds what the layout's rules make of the file's tensors; then, under their
 * own names, those that went into none of it. 0 or ENOMEM. */
int tomevit_view_apply_rules(vit_view *v);
int tomevit_view_pass_others(vit_view *v);

#endif
