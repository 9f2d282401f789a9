/* SPDX-License-Identifier: MIT */
/* tune of several methods: which of them, and how. */
#ifndef TOMERGE_TUNE_METHODS_H
#define TOMERGE_TUNE_METHODS_H

#include "tune.h"

/* Whether there are several to choose from. */
int tune_has_methods(const tune *t);

/* Has `search` find the best of each method without rounds, and of the best of
 * them with rounds; t->merging becomes the method of the best of all. As
 * `search` returns: 1; 0 if no method keeps to the goal; -1 if measuring
 * failed. */
int tune_over_methods(tune *t, int (*search)(tune *t));

/* The file that says what was found, for --method @FILE. */
void tune_methods_write(const tune *t, FILE *out, const char *comment);

#endif
