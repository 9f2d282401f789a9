/* SPDX-License-Identifier: MIT */
/*
 * Bipartite soft matching [ToMe, 3.2]: on alternating tokens, and on the
 * first and second half [ToMe, table 1d].
 */
#include "build.h"

#include "match.h"

size_t tomerge_mergeable(const tomerge_job *job, int32_t *list)
{
    size_t count = 0;

    for (size_t p = 0; p < job->present; p++) {
        list[count] = job->space.present[p];
        count += (size_t)tomerge_may_merge(job, p);
    }
    return count;
}

size_t tomerge_every_other(const tomerge_job *job, size_t first, int32_t *list)
{
    size_t count = 0;

    for (size_t p = first; p < job->present; p += 2) {
        list[count] = job->space.present[p];
        count += (size_t)tomerge_may_merge(job, p);
    }
    return count;
}

void tomerge_split_mergeable(tomerge_job *job, size_t *sources,
                             size_t *destinations)
{
    *sources = *destinations = 0;
    for (size_t p = 0; p < job->present; p++) {
        if (!tomerge_may_merge(job, p))
            continue;
        if (*sources == *destinations)
            job->space.sources[(*sources)++] = job->space.present[p];
        else
            job->space.destinations[(*destinations)++] = job->space.present[p];
    }
}

/* Protected tokens have a position too: with a class token alone, it is the
 * even side that has one token less to give. */
void tomerge_plan_alternating(tomerge_job *job)
{
    size_t sources = tomerge_every_other(job, 0, job->space.sources);
    size_t destinations = tomerge_every_other(job, 1,
                                              job->space.destinations);

    if (job->options.exact && (sources < job->r || destinations == 0))
        tomerge_split_mergeable(job, &sources, &destinations);
    tomerge_pair(job, sources, destinations, job->r);
}

/* The halves are those of the tokens that may merge, so that r may reach
 * tomerge_max_r whatever is protected. */
void tomerge_plan_sequential(tomerge_job *job)
{
    size_t half = (job->mergeable + 1) / 2;
    size_t sources = 0, destinations = 0;

    for (size_t p = 0; p < job->present; p++) {
        if (!tomerge_may_merge(job, p))
            continue;
        if (sources < half)
            job->space.sources[sources++] = job->space.present[p];
        else
            job->space.destinations[destinations++] = job->space.present[p];
    }
    tomerge_pair(job, sources, destinations, job->r);
}
