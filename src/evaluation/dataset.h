/* SPDX-License-Identifier: MIT */
/* The labelled images that eval and sweep run on. */
#ifndef TOMERGE_DATASET_H
#define TOMERGE_DATASET_H

#include "evaluate.h"
#include "../folders/real_labels.h"
#include "../session/session.h"

typedef struct dataset {
    folder files;
    const char *rule;      /* how folders became classes */
    real_labels real;      /* none if not asked for */
    size_t unread;         /* subfolders and listed files not to be had */
    journal *journal;      /* the section of it that the next evaluation is;
                            * NULL: a file for it alone, if options want one */
    const evaluate_sink *sink; /* of the next evaluation, or NULL */
    int alone;             /* all ranks do the next evaluation for themselves */
    int keeps;             /* decoded crops, for the next evaluation */
    loader *loaders;       /* [loader_count]: of the last one, if it keeps */
    size_t loader_count;
} dataset;

/* Walks the folder and labels its images as the options say. 0, or -1 after
 * a message. */
int dataset_open(dataset *d, const session *s);

/* The images that the options name, of no class; so opens dataset_open them as
 * well for a model that has none. */
int dataset_open_images(dataset *d, const session *s);

void dataset_close(dataset *d);

/* The crops that it has kept. */
void dataset_drop_crops(dataset *d);

/* That no output would take the place of an image: 0, or -1 after a message. */
int dataset_check_outputs(const dataset *d, const session *s);

/* Runs all runs of the sessions over the images, those of the first session
 * first; their classes are the same. 0, or -1 after a message, or 1 if this
 * process is one of several and the outcomes are another's to report;
 * outcomes_free is the caller's in all cases. */
int dataset_evaluate(dataset *d, session *s, size_t count, outcomes *o,
                     evaluate_seen *seen, void *data);

/* The counts of the session's run `index`. */
tally dataset_tally(const dataset *d, const session *s, const outcomes *o,
                    size_t index);

/* Everything about the session's run `index`: the object that eval prints. */
json_t *dataset_run_json(const dataset *d, const session *s,
                         const outcomes *o, size_t index);

/* What the outputs are worth (enum output_worth): little if no image could be
 * used. */
int dataset_worth(const outcomes *o);

/* Says what a report cannot: that it is partial, or that nothing could be
 * used. */
void dataset_remark(const dataset *d, const outcomes *o);

#endif
