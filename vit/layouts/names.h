/* SPDX-License-Identifier: MIT */
/* How a layout spells the names of a file's tensors. */
#ifndef TOMEVIT_NAMES_H
#define TOMEVIT_NAMES_H

#include "layout.h"

enum {
    VIT_NAME = 256,        /* bytes of a name that a rule makes, with NUL */
    VIT_LAYERS = 1024      /* layers at most; later ones are not looked at */
};

/* The shortest prefix with which the file has the layout's anchor, and its
 * length; -1 if it does not have it. */
int tomevit_names_prefix(const vit_layout *layout, const vit_tensors *file,
                         char prefix[VIT_NAME]);

/* prefix + pattern with the layer's number in place of '#'. */
void tomevit_names_spell(const char *prefix, const char *pattern,
                         size_t layer, char name[VIT_NAME]);

/* What follows prefix and the beginning that a layer's names have, and the
 * layer; NULL if the name has no such beginning. */
const char *tomevit_names_in_layer(const vit_layout *layout,
                                   const char *prefix, const char *name,
                                   size_t *layer);

#endif
