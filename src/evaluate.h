/* SPDX-License-Identifier: MIT */
/* Images through the model, under any number of ways to merge. */
#ifndef TOMERGE_EVALUATE_H
#define TOMERGE_EVALUATE_H

#include "folder.h"
#include "loader.h"
#include "merging_args.h"
#include "predictions.h"

/* What one way to merge has brought. */
typedef struct evaluate_tally {
    size_t correct1, correct5;
    size_t agree;          /* images with the same first class as the
                            * reference run's */
    double forward;        /* seconds of wall time */
} evaluate_tally;

/* Called for every image of every run, image by image in order; `top` has
 * PREDICTIONS_TOP entries, or as many as `topk` asks for. */
typedef void evaluate_seen(void *data, size_t run, const folder_file *file,
                           const top_class *top);

typedef struct evaluation {
    /* in */
    const tomevit_description *model;
    tomevit_context *context;
    folder *files;
    loader *loader;
    merging_run *runs;
    size_t run_count, reference, batch, topk;
    int quiet;
    evaluate_seen *seen;   /* or NULL */
    void *data;
    /* out */
    evaluate_tally *tallies; /* [run_count]; free with evaluate_free */
    size_t images, refused;
    double wall, decode, preprocess; /* the last two in core-seconds */
    int partial;           /* 1: a signal ended it early */
} evaluation;

/* Every file is read once and every run sees the same images: a batch counts
 * only when all runs are through with it. Files that cannot be used are named
 * and counted. 0, or -1 after a message if the forward pass failed. */
int evaluate(evaluation *e);
void evaluate_free(evaluation *e);

#endif
