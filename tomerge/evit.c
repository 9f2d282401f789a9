/* SPDX-License-Identifier: MIT */
/* EViT [Liang et al., ICLR 2022]: the least important tokens become one. */
#include "build.h"

#include "match.h"

/* To remove r rows, r + 1 tokens must share one. */
void tomerge_plan_evit(tomerge_job *job)
{
    const int32_t *ranked = job->space.sources;
    size_t count = tomerge_rank(job), kept = count - job->r;

    tomerge_open_protected(job);
    tomerge_open_rows(job, ranked, kept);
    for (size_t i = kept; i < count; i++)
        job->map[ranked[i]] = job->map[ranked[kept - 1]];
}
