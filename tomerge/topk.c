/* SPDX-License-Identifier: MIT */
/* Pruning: the least important tokens are dropped. */
#include "build.h"

#include "match.h"

void tomerge_plan_topk(tomerge_job *job)
{
    size_t ranked = tomerge_rank(job);

    tomerge_open_protected(job);
    tomerge_open_rows(job, job->space.sources, ranked - job->r);
}
