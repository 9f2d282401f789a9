/* SPDX-License-Identifier: MIT */
/* The models of a sweep: opened together, told apart by short names, and
 * answering in the same classes. */
#ifndef TOMERGE_SWEEP_MODELS_H
#define TOMERGE_SWEEP_MODELS_H

#include "../session/session.h"

typedef struct sweep_models {
    size_t count;
    session s[OPTIONS_MODELS]; /* the first has the outputs */
    /* What is theirs. */
    options each[OPTIONS_MODELS];
    char label[OPTIONS_MODELS][64]; /* no two are alike */
} sweep_models;

/* Opens all models, each with a run that merges nothing. 0, or -1 after a
 * message; then sweep_models_close is still to be called. */
int sweep_models_open(sweep_models *m, const options *o);
void sweep_models_close(sweep_models *m);

/* The runs of all models. */
size_t sweep_models_runs(const sweep_models *m);

/* Whose run `index` of all is. */
size_t sweep_models_of(const sweep_models *m, size_t index);

#endif
