/* SPDX-License-Identifier: MIT */
/* Strided matching: all but every stride-th token merge into those. */
#include "build.h"

#include "match.h"

void tomerge_plan_strided(tomerge_job *job)
{
    size_t stride = job->options.stride;
    size_t whole = job->present / stride * stride;
    size_t sources = 0, destinations = 0;

    for (size_t p = 0; p < whole; p++) {
        if (!tomerge_may_merge(job, p))
            continue;
        if (p % stride == stride - 1)
            job->space.destinations[destinations++] = job->space.present[p];
        else
            job->space.sources[sources++] = job->space.present[p];
    }
    tomerge_pair(job, sources, destinations, sources);
}
