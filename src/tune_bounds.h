/* SPDX-License-Identifier: MIT */
/* Thresholds, for methods that let images keep as many tokens as they need. */
#ifndef TOMERGE_TUNE_BOUNDS_H
#define TOMERGE_TUNE_BOUNDS_H

#include "tune.h"

/* Whether the method goes by thresholds. */
int tune_goes_by_bounds(const tune *t);

/* Of the best schedule's counts: thresholds by which the calibration images
 * keep as many tokens in the mean, for no more arithmetic. t->bounds becomes
 * the value of --method-options. 0, or -1 if measuring failed. */
int tune_find_bounds(tune *t);

/* For a target in GMACs: thresholds that move the answers least, without any
 * labels; the best schedule becomes the mean of what they have go. 1; 0 if the
 * target is not met; -1 if measuring failed. */
int tune_search_bounds(tune *t);

/* A run by t->bounds. */
void tune_add_bounds(tune *t);

#endif
