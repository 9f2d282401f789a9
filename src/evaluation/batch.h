/* SPDX-License-Identifier: MIT */
/* One batch of images under all runs of all models. */
#ifndef TOMERGE_BATCH_H
#define TOMERGE_BATCH_H

#include "evaluate.h"

typedef struct batch {
    const evaluate_request *request;
    outcomes found;        /* of the files since the batch before */
    /* The images that it takes. */
    size_t count;
    size_t *places;        /* [batch]: in the loaders' window */
    size_t *files;         /* [batch]: in the folder */
    /* What they come to. */
    tomevit_image *images; /* [batch]: of the model that is running */
    float *logits;         /* [batch, classes] */
    float *valid;          /* [valid classes] of one image */
    float *base;           /* [batch, classes]: of the model's reference, if
                            * runs are compared */
    float *divergences;    /* [runs, batch] from it */
    top_class *top;        /* [runs, batch, topk] */
    double *seconds;       /* [runs] */
    size_t *rows;          /* [runs, batch * depth]: of every run [images,
                            * layers of its model] that left each layer */
    float *embeddings;     /* [runs, batch, width], of all runs if they are
                            * compared */
    size_t width;          /* of the widest model's */
    const merging_run **strange; /* [batch]: the first run whose answer on the
                                  * image is not finite, or NULL */
    int warm;              /* caches are */
} batch;

void batch_begin(batch *b, const evaluate_request *r);
void batch_end(batch *b);

/* One more image. */
void batch_add(batch *b, size_t file, size_t place);

/* A file that cannot be used: named, and among what is found. */
void batch_refuse(batch *b, size_t file, const char *why);

/* Runs the images that were added and tells what is found of them. 1; 0 if a
 * signal kept one run from it, with nothing found; -1 after a message. */
int batch_run(batch *b);

#endif
