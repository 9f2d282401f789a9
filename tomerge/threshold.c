/* SPDX-License-Identifier: MIT */
/*
 * Every source merges that is similar enough to its best destination, and rows
 * that are not important enough go: LTMP [Bonnaerens, Dambre: "Learned
 * Thresholds Token Merging and Pruning for Vision Transformers", TMLR 2023].
 */
#include "build.h"

#include "match.h"

#include <math.h>

/* Whether a row's most important token is above the cutoff. A NaN is. */
static void find_kept(const tomerge_job *job, uint8_t *kept)
{
    const float *importance = job->options.importance;

    for (size_t j = 0; j < job->rows; j++)
        kept[j] = 0;
    for (size_t p = 0; p < job->present; p++) {
        int32_t token = job->space.present[p];

        if (!tomerge_may_merge(job, p) ||
            !(importance[token] <= job->options.cutoff))
            kept[job->map[token]] = 1;
    }
}

/* Drops rows, and moves those behind them up. */
static void drop(tomerge_job *job, const uint8_t *kept, int32_t *row)
{
    int32_t count = 0;

    for (size_t j = 0; j < job->rows; j++) {
        row[j] = kept[j] ? count : -1;
        if (kept[j] && job->origin)
            job->origin[count] = job->origin[j];
        count += kept[j];
    }
    for (size_t p = 0; p < job->present; p++) {
        int32_t token = job->space.present[p];

        job->map[token] = row[job->map[token]];
    }
    job->rows = (size_t)count;
}

void tomerge_plan_threshold(tomerge_job *job)
{
    job->only_above = 1;
    job->above = job->options.threshold;
    job->r = job->mergeable;
    tomerge_plan_alternating(job);
    if (!job->options.importance)
        return;
    find_kept(job, job->space.merges);
    drop(job, job->space.merges, job->space.kept);
}
