/* SPDX-License-Identifier: MIT */
/* What tune's files share: a search under way, and what is said of it. */
#ifndef TOMERGE_TUNE_H
#define TOMERGE_TUNE_H

#include "evaluation/dataset.h"
#include "tune_search.h"

enum { TUNE_CALIBRATION, TUNE_HELD_OUT, TUNE_PARTS };
#define TUNE_SPREAD 1.96   /* standard errors, for 95 % */

typedef struct tune {
    session *s;
    merging_args merging;  /* of the method that is searched for: a view */
    dataset parts[TUNE_PARTS];  /* their files are those of `all` */
    tune_search search;
    tune_trial best;
    size_t trials;         /* measured so far */
    int stopped;           /* by a signal */
    int by_drift;          /* 1: images move by their embeddings, not by their
                            * classes */
    json_t *methods;       /* what each of several has come to; else NULL */
    char *bounds;          /* --method-options of the thresholds that stand for
                            * the best schedule; NULL: none do */
    size_t constant;       /* r of the constant schedule to compare with */
    output file;
    int written;           /* the schedule is in it */
    journal journal;       /* if --resume wants one */
} tune;

/* The session's runs become r=0 and room for `count`. */
void tune_begin_runs(tune *t, size_t count);

/* One more of them, of r[depth]. */
void tune_add_run(tune *t, const char *label, const size_t *r);

/* Runs them on a part. 0, or -1 if it was stopped or no image could be used. */
int tune_evaluate(tune *t, int part, outcomes *o);

/* Files that were refused are named once and left out from then on. */
void tune_leave_out_refused(tune *t, const outcomes *o);

/* How far an image moved from r=0 under a run: the Kullback-Leibler divergence
 * of its answers, or 1 - the cosine of its embeddings. */
double tune_moved(const tune *t, const outcomes *o, size_t index, size_t run);

/* Schedules on the calibration images, as a search asks for it (`data` is the
 * tune). 0, or -1 as above. */
int tune_measure(void *data, tune_trial *trials, size_t count);

/* What a run made of the calibration images becomes that of the best. */
void tune_set_best(tune *t, const outcomes *o, size_t run);

/* tune_report.c: the goal in words; GMACs that are computed for r[depth]; the
 * report, of the held-out images under r=0, the schedule and the constant r. */
void tune_goal_text(const tune *t, char *text, size_t size);
double tune_computed_of(const tune *t, const size_t *r);
json_t *tune_json(const tune *t, const outcomes *o);

#endif
