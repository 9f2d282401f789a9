/* SPDX-License-Identifier: MIT */
/* The ways to need fewer tokens, each as its authors' code has it. */
#ifndef TOMERGE_METHODS_H
#define TOMERGE_METHODS_H

#include "method_options.h"
#include "tomevit.h"

/* A row of the table of --method. */
typedef struct method_row {
    const char *name;
    int method;            /* enum tomerge_method, of most layers */
    const char *keys;      /* of --method-options */
    const char *knob;      /* the key that a budget turns; NULL: r is */
    const char *what;      /* source, formula, options: for the help */
    int combine;           /* enum tomerge_combine */
    int metric;            /* enum tomevit_metric */
    int prop_attn;
    int importance, sizes; /* enum tomevit_importance, tomevit_sizes */
    int weights;           /* enum tomevit_weights */
    int where;             /* enum tomevit_where */
    /* What differs from layer to layer; NULL: nothing does. */
    void (*layer)(const method_options *o, size_t index, size_t depth,
                  tomevit_layer_merging *layer);
} method_row;

/* By number, NULL after the last; and the number of a name, or -1. */
const method_row *methods_row(int index);
const char *methods_name(int index);
int methods_from_name(const char *name, int *index);

/* 1 if the method or its options say how many tokens go, so that there is no r
 * to be given. */
int methods_decide(int index, const method_options *o);

/* Sets what the method is; layers [depth] becomes that of the layers. */
void methods_apply(int index, const method_options *o, size_t depth,
                   tomevit_merging *merging, tomevit_layer_merging *layers);

/* Makes of r [depth], that of the schedule, the tokens that the method removes;
 * sets `prune` of the layers. 0, or -1 with a line in why[256]. */
int methods_count(int index, const method_options *o,
                  const tomevit_description *model, tomevit_merging *merging,
                  tomevit_layer_merging *layers, size_t *r, char *why);

#endif
