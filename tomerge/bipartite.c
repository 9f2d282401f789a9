/* SPDX-License-Identifier: MIT */
/*
 * Bipartite soft matching [ToMe, 3.2]: on alternating tokens, and on the
 * first and second half [ToMe, table 1d].
 */
#include "config.h"

#include "match.h"

/* Positions count from the first token, protected or not: with a class token
 * alone, it is the even side that has one token less to give. */
void tomerge_plan_alternating(tomerge_job *job)
{
    size_t sources = 0, destinations = 0;

    for (size_t i = job->options.protect; i < job->tokens; i++) {
        if (i % 2 == 0)
            job->space.sources[sources++] = (int32_t)i;
        else
            job->space.destinations[destinations++] = (int32_t)i;
    }
    tomerge_pair(job, sources, destinations, job->r);
}

/* The halves are those of the tokens that may merge, so that r may reach
 * tomerge_max_r whatever is protected. */
void tomerge_plan_sequential(tomerge_job *job)
{
    size_t first = job->options.protect;
    size_t middle = first + (job->tokens - first + 1) / 2;
    size_t sources = 0, destinations = 0;

    for (size_t i = first; i < middle; i++)
        job->space.sources[sources++] = (int32_t)i;
    for (size_t i = middle; i < job->tokens; i++)
        job->space.destinations[destinations++] = (int32_t)i;
    tomerge_pair(job, sources, destinations, job->r);
}
