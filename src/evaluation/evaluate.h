/* SPDX-License-Identifier: MIT */
/* Images through models, each under any number of ways to merge. */
#ifndef TOMERGE_EVALUATE_H
#define TOMERGE_EVALUATE_H

#include "../folders/classes.h"
#include "../folders/folder.h"
#include "../folders/loader.h"
#include "journal.h"
#include "outcomes.h"
#include "../session/merging_args.h"

/* Called for every image of every run, image by image in order; `top` has
 * `topk` entries, of which a journal keeps OUTCOME_TOP: index -1 past those. */
typedef void evaluate_seen(void *data, size_t run, const folder_file *file,
                           const top_class *top);

/* A model, the crops it takes and its ways to merge. */
typedef struct evaluate_model {
    tomevit_context *context;
    const tomevit_description *description;
    loader *loader;        /* one for all models that take the same crops */
    merging_run *runs;
    size_t run_count;
    size_t reference;      /* of them: the one that merges nothing */
} evaluate_model;

/* Who takes what a model makes of images besides classes; of an evaluation of a
 * single run. */
typedef struct evaluate_sink {
    tomevit_output out;    /* memory for a batch of what is wanted; logits and
                            * layer_rows are the evaluation's */
    /* What is to be done before the first image: those of `before` are known
     * from a journal. NULL: nothing. 0, or -1 after a message. */
    int (*begin)(void *data, size_t before);
    /* Image i of the batch that has just run, one after the other. 0; 1 with a
     * line in why[EVALUATE_WHY], of an image that is refused; -1 after a
     * message. */
    int (*take)(void *data, size_t i, const folder_file *file, char *why);
    /* All that was taken is to last, before a journal says so. NULL: nothing.
     * 0, or -1 after a message. */
    int (*flush)(void *data);
    /* Where several ranks take images, all of these; they see one folder.
     * has: 1 if what an earlier run of rank K took is there, as far as can be
     * seen. settle: what was taken is to be seen by other machines, and after a
     * loss of power; 0, or -1 after a message. gather: of rank 0, the next
     * `count` images in order are those that rank K took from its `first` on;
     * likewise. */
    int (*has)(void *data, size_t rank);
    int (*settle)(void *data);
    int (*gather)(void *data, size_t rank, size_t first, size_t count);
    void *data;
} evaluate_sink;

enum { EVALUATE_WHY = 128 };

/* Who says which files are next, if several processes share them. */
typedef struct dealing dealing;

/* What is asked for. */
typedef struct evaluate_request {
    const evaluate_model *models;
    size_t model_count;
    folder *files;         /* what was remarked about them is kept there */
    size_t from, to;       /* of the files: from .. to - 1 */
    size_t run_count;      /* of all models; their runs one after the other */
    size_t depth;          /* of the deepest model */
    int compares;          /* 1: embeddings, with those of the references */
    size_t width;          /* of the widest model's; 0: none are kept */
    size_t batch;
    size_t topk;           /* OUTCOME_TOP or more */
    const classes *classes; /* of all models; its valid ones are the only
                            * answers */
    int quiet;
    journal *journal;      /* or NULL; just opened, or a section of it begun */
    const evaluate_sink *sink; /* or NULL */
    dealing *dealt;        /* or NULL: then all of `from` to `to` */
    evaluate_seen *seen;   /* or NULL */
    void *data;
} evaluate_request;

/* Every file is read once and every run sees the same images: a batch counts
 * only when all runs are through with it. Files that cannot be used, and images
 * of which an answer is not finite, are named and refused. What the journal has
 * is taken from there, times included. 0, or -1 after a message if the forward
 * pass or the journal failed; outcomes_free is the caller's in both cases. A
 * signal ends it early.
 *
 * Of files that are dealt, what is found goes to whom they are dealt by, who
 * knows what the journal has; `o` is of nothing. */
int evaluate(const evaluate_request *r, outcomes *o);

/* Names what is refused and shows all images to `seen`, as evaluate does: of
 * outcomes that are found already. */
void evaluate_retell(const evaluate_request *r, const outcomes *o);

#endif
