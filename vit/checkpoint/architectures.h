/* SPDX-License-Identifier: MIT */
/* Models that are known by name: what they are, or what of them is missing. */
#ifndef TOMEVIT_ARCHITECTURES_H
#define TOMEVIT_ARCHITECTURES_H

#include <stddef.h>

/* A model of timm's that runs here; texts as in metadata. */
typedef struct vit_architecture {
    const char *name;
    size_t dim, depth, heads;
    const char *activation; /* NULL: the MLP has a gate, its shape shows it */
    const char *norm_eps;
    const char *pool;       /* NULL: attention, which its tensors show */
    const char *positions;
} vit_architecture;

/* NULL if the name is not known. */
const vit_architecture *tomevit_architecture(const char *name);

/* What of a model with this name cannot be run here: of one of timm's, and of
 * a class of transformers. NULL if nothing is known to be missing. */
const char *tomevit_timm_missing(const char *name);
const char *tomevit_transformers_missing(const char *name);

/* 1 if it is a class of transformers whose images are known to run here. */
int tomevit_transformers_known(const char *name);

#endif
