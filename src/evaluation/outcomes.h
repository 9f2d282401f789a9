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
    float cosine;          /* of the image's embedding with that of the model's
                            * run that merges nothing; 0 if none was asked */
    float divergence;      /* of its answer from that run's, over all classes:
                            * see divergence.h; 0 likewise */
    uint32_t tokens;       /* that the image leaves in the end */
} outcome;

/* What one run computed, over images: sums are of whole numbers, so that they
 * are the same however the images are put together. */
typedef struct outcome_work {
    size_t images;
    uint64_t macs, least, most; /* multiply-accumulates: of all images, of the
                                 * image with the least and the most */
    size_t tokens_least, tokens_most; /* that an image leaves in the end */
} outcome_work;

typedef struct refusal {
    size_t file;           /* as in outcomes */
    char *why;
} refusal;

/* What is known of some of a folder's files that follow one another: of a
 * batch, of a part of the folder, of all of it. Those of neighbours can be put
 * together, whoever found them. */
typedef struct outcomes {
    size_t run_count, depth; /* layers of the deepest model */
    size_t from, to;       /* files from .. to - 1 are images or refused */
    size_t end;            /* where those that were asked for end; beyond `to`
                            * if the work was ended early */
    size_t images, image_capacity, file_capacity;
    size_t *file;          /* [images]: index into the folder's files */
    outcome *items;        /* [images, run_count] */
    size_t refused_count, refused_capacity;
    refusal *refused;      /* [refused_count], by file */
    size_t batches, batch_capacity;
    double *seconds;       /* [batches, run_count]: of forward passes */
    outcome_work *work;    /* [run_count] */
    uint64_t *tokens;      /* [run_count, depth]: leaving each layer, summed
                            * over images */
    size_t width;          /* numbers of the widest model's embedding; 0: none
                            * are kept */
    size_t kept_count, kept_capacity;
    float *kept;           /* [kept_count, run_count, width]: embeddings of some
                            * of the images, in their order */
    double wall, decode, preprocess; /* the last two in core-seconds */
    size_t ranks;          /* that worked at the same time; `seconds` are of
                            * one of them each, `wall` of all */
} outcomes;

/* Of nothing yet, before file 0; with embeddings of this width. */
void outcomes_begin(outcomes *o, size_t run_count, size_t depth, size_t width);
void outcomes_free(outcomes *o);

/* Of nothing again, before file `from`; its memory stays. */
void outcomes_clear(outcomes *o, size_t from);

/* One more image, or batch: returns what is to be filled, [run_count]. */
outcome *outcomes_add_image(outcomes *o, size_t file);
double *outcomes_add_batch(outcomes *o);

/* The same of the embeddings of an image that are kept: [run_count, width]. */
float *outcomes_keep(outcomes *o);

/* One more image of a run was computed: rows [depth of its model] that left
 * the layers, and its multiply-accumulates. */
void outcomes_add_work(outcomes *o, size_t run, size_t depth,
                       const size_t *rows, double macs);

/* One more file that cannot be used, in its place among them; the text is
 * copied. */
void outcomes_refuse(outcomes *o, size_t file, const char *why);

/* What follows: times add up. 0, or -1 with nothing done if it does not begin
 * where these end or is about another number of runs or layers. */
int outcomes_append(outcomes *o, const outcomes *next);

/* 1 if not all that was asked for was reached. */
int outcomes_are_partial(const outcomes *o);

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
