/* SPDX-License-Identifier: MIT */
/*
 * How far embeddings move when tokens merge: what a model is said to lose that
 * has no classes, or whose classes are not what it is used for.
 *
 * Of every image there is the cosine of its embedding with the one that the
 * same model makes of it with nothing merged. Neighbours are looked for among
 * DRIFT_IMAGES images at most, spread evenly over the folder, so that neither
 * memory nor work grows with it beyond that.
 */
#ifndef TOMERGE_DRIFT_H
#define TOMERGE_DRIFT_H

#include "outcomes.h"
#include "tomevit.h"

enum { DRIFT_IMAGES = 1000, DRIFT_NEIGHBOURS = 10 };

/* What is compared of a model: its embedding among texts if it has one, else
 * its features; how many numbers that is. */
size_t drift_width(const tomevit_description *d);
void drift_ask(const tomevit_description *d, float *embeddings,
               tomevit_output *out);

/* 1 if the embeddings of this file of `count` are kept. */
int drift_keeps(size_t file, size_t count);

/* Of a run against another: what is said of all images. */
typedef struct drift {
    double mean, p1;       /* of the cosines: their mean and 1st percentile */
    double kept;           /* share of the nearest neighbours that still are;
                            * NaN of fewer images than two */
    size_t images;         /* among which neighbours were looked for */
} drift;

drift drift_of(const outcomes *o, size_t run, size_t reference, size_t width);

#endif
