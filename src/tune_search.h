/* SPDX-License-Identifier: MIT */
/* The search for a schedule: how much may merge, and in which layers. */
#ifndef TOMERGE_TUNE_SEARCH_H
#define TOMERGE_TUNE_SEARCH_H

#include <stddef.h>

enum tune_goal {
    TUNE_MAX_DROP,         /* the least arithmetic with at most so many points
                            * of top-1 lost */
    TUNE_MIN_SPEEDUP,      /* the least changed with at least this speed-up */
    TUNE_TARGET_GMACS      /* the least changed with at most this arithmetic */
};

/* A schedule, and what the calibration images said of it. */
typedef struct tune_trial {
    size_t *r;             /* [depth] */
    double gmacs;
    double *lost;          /* [images]: of each one's outcome_score */
    double *moved;         /* [images]: outcome_distance from r = 0 */
    size_t images;
    double speedup;
    /* Their means, in points: what is lost of top-1 by that estimate, with its
     * standard error, and how much the answers change. */
    double drop, error, change;
    double divergence;     /* KL from the answers of r = 0, the mean */
} tune_trial;

typedef struct tune_search {
    int goal;              /* enum tune_goal */
    double limit;
    double margin;         /* standard errors that a drop keeps from it */
    size_t depth, tokens;  /* of the model; tokens bound what a layer merges */
    size_t images;         /* the most that a trial can see */
    size_t rounds;         /* of refinement */
    /* The arithmetic of a schedule; r becomes what really merges. */
    double (*gmacs)(void *data, size_t *r);
    /* Runs `count` schedules on the calibration images: fills in lost, moved,
     * images and speedup. 0, or -1 to give up. */
    int (*measure)(void *data, tune_trial *trials, size_t count);
    /* Hears of the best so far at the end of each step. */
    void (*said)(void *data, const char *step, const tune_trial *best);
    void *data;
} tune_search;

/* A trial's memory. */
void tune_trial_begin(tune_trial *trial, size_t depth, size_t images);
void tune_trial_end(tune_trial *trial);

/* Its means, of lost and moved. */
void tune_trial_mean(tune_trial *trial);

/* Finds the best schedule; best has its memory, the caller's. 1; 0 if none
 * keeps to the limit; -1 if measuring failed. */
int tune_search_run(const tune_search *t, tune_trial *best);

#endif
