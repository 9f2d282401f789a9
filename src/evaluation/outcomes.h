/* SPDX-License-Identifier: MIT */
/* What the model said about every image under every run, and the counts that
 * follow from it. */
#ifndef TOMERGE_OUTCOMES_H
#define TOMERGE_OUTCOMES_H

#include "../folders/folder.h"
#include "../folders/real_labels.h"
#include "top.h"

enum { OUTCOME_TOP = 5 };

typedef struct outcome {
    int32_t index[OUTCOME_TOP]; /* -1 past the last class */
    float probability[OUTCOME_TOP];
} outcome;

typedef struct outcomes {
    size_t run_count;
    size_t images, image_capacity, file_capacity;
    size_t *file;          /* [images]: index into the folder's files */
    outcome *items;        /* [images, run_count] */
    size_t batches, batch_capacity;
    double *seconds;       /* [batches, run_count]: of forward passes */
} outcomes;

void outcomes_begin(outcomes *o, size_t run_count);
void outcomes_free(outcomes *o);

/* One more image, or batch: returns what is to be filled, [run_count]. */
outcome *outcomes_add_image(outcomes *o, size_t file);
double *outcomes_add_batch(outcomes *o);

const outcome *outcomes_at(const outcomes *o, size_t image, size_t run);

/* From the first classes of an image, OUTCOME_TOP or more, and back. */
void outcome_set(outcome *o, const top_class *top);
void outcome_top(const outcome *o, top_class top[OUTCOME_TOP]);

/* Whether an answer is right, by degrees from 0 to 1: the label's probability
 * as a share of its own and its strongest rival's. Above a half it is the first
 * class. A label past OUTCOME_TOP classes has the last one's probability. */
double outcome_score(const outcome *o, int32_t label);

/* How far two answers are apart, from 0 to 1: the probability that is in one
 * and not in the other (total variation), over the classes of either. */
double outcome_distance(const outcome *a, const outcome *b);

/* Counts of one run; `gained` and `lost` are images that it classifies
 * right and the reference run wrong, and the other way round. */
typedef struct tally {
    size_t images, correct1, correct5;
    size_t agree;          /* same first class as the reference run's */
    size_t gained, lost;
    size_t real_images, real_correct; /* with ReaL labels; 0 without */
    double calibration;    /* the expected error, 0 to 1 */
    double forward;        /* seconds */
} tally;

/* `real` may hold none. */
tally outcomes_tally(const outcomes *o, const folder *files,
                     const real_labels *real, size_t run, size_t reference);

/* Seconds of a forward pass that `percent` of the batches did not exceed; NaN
 * of none. */
double outcomes_latency(const outcomes *o, size_t run, double percent);

#endif
