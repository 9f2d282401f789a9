/* SPDX-License-Identifier: MIT */
/* The search for a schedule: ramps first, then layer by layer. */
#ifndef TOMERGE_TUNE_SEARCH_H
#define TOMERGE_TUNE_SEARCH_H

#include <stddef.h>

enum tune_goal {
    TUNE_MAX_DROP,         /* the least arithmetic with at most so many points
                            * of top-1 lost */
    TUNE_MIN_SPEEDUP,      /* the most right with at least this speed-up */
    TUNE_TARGET_GMACS      /* the most right with at most this arithmetic */
};

/* A schedule, and what the calibration images said of it. */
typedef struct tune_trial {
    size_t *r;             /* [depth] */
    double gmacs;
    size_t correct, agree; /* images; agree: with r = 0 */
    double drop, speedup;
} tune_trial;

typedef struct tune_search {
    int goal;              /* enum tune_goal */
    double limit;
    size_t depth, tokens;  /* of the model; tokens bound what a layer merges */
    size_t rounds;         /* of refinement */
    /* The arithmetic of a schedule; r becomes what really merges. */
    double (*gmacs)(void *data, size_t *r);
    /* Runs `count` schedules on the calibration images: fills in all but r and
     * gmacs. 0, or -1 to give up. */
    int (*measure)(void *data, tune_trial *trials, size_t count);
    void *data;
} tune_search;

/* Finds the best schedule: best->r is [depth], the
 * caller's, all zero. 1; 0 if none keeps to the limit; -1 if measuring failed. */
int tune_search_run(const tune_search *t, tune_trial *best);

#endif
