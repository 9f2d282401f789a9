/* SPDX-License-Identifier: MIT */
/*
 * PPT [Wu et al.: "PPT: Token Pruning and Pooling for Efficient Vision
 * Transformers", 2023]: where the tokens are about equally important they are
 * merged, else the least important are dropped; each sequence for itself.
 */
#include "build.h"

#include "match.h"

/* The variance, of n - 1, of the shares that the tokens have in the sum. */
static double variance(const tomerge_job *job)
{
    const float *importance = job->options.importance;
    double sum = 0, squares = 0, mean = 1 / (double)job->mergeable;

    for (size_t p = 0; p < job->present; p++)
        if (tomerge_may_merge(job, p))
            sum += (double)importance[job->space.present[p]];
    for (size_t p = 0; p < job->present; p++) {
        double share = (double)importance[job->space.present[p]] / sum - mean;

        if (tomerge_may_merge(job, p))
            squares += share * share;
    }
    return squares / (double)(job->mergeable - 1);
}

/* There are two tokens at least, or r would be 0. */
void tomerge_plan_ppt(tomerge_job *job)
{
    if (variance(job) < (double)job->options.threshold)
        tomerge_plan_alternating(job);
    else
        tomerge_plan_topk(job);
}
