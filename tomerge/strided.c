/* SPDX-License-Identifier: MIT */
/* Strided matching: all but every stride-th token merge into those. */
#include "config.h"

#include "match.h"

void tomerge_plan_strided(tomerge_job *job)
{
    size_t stride = job->options.stride;
    size_t whole = job->tokens / stride * stride;
    size_t sources = 0, destinations = 0;

    for (size_t i = job->options.protect; i < whole; i++) {
        if (i % stride == stride - 1)
            job->space.destinations[destinations++] = (int32_t)i;
        else
            job->space.sources[sources++] = (int32_t)i;
    }
    tomerge_pair(job, sources, destinations, sources);
}
