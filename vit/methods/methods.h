/* SPDX-License-Identifier: MIT */
/* The ways to need fewer tokens, each as its authors' code has it. */
#ifndef TOMEVIT_METHODS_TABLE_H
#define TOMEVIT_METHODS_TABLE_H

#include "options.h"
#include "tomevit.h"
#include "tomevit_methods.h"

/* A row of the table. */
typedef struct vit_method_row {
    tomevit_method is;
    int combine;           /* enum tomerge_combine */
    int metric;            /* enum tomevit_metric */
    int prop_attn;
    int importance, sizes; /* enum tomevit_importance, tomevit_sizes */
    int weights;           /* enum tomevit_weights */
    int where;             /* enum tomevit_where */
    /* What differs from layer to layer; NULL: nothing does. */
    void (*layer)(const vit_method_options *o, size_t index, size_t depth,
                  tomevit_layer_merging *layer);
} vit_method_row;

/* By number, NULL after the last. */
const vit_method_row *tomevit_method_row(int index);

/* Whether the model has what `merging` goes by: 0, or EINVAL with a line in
 * `why`. */
int tomevit_method_fits(const tomevit_description *description,
                        const tomevit_merging *merging, tomevit_message *why);

#endif
