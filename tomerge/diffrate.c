/* SPDX-License-Identifier: MIT */
/*
 * DiffRate [Chen et al.: "DiffRate: Differentiable Compression Rate for
 * Efficient Vision Transformers", ICCV 2023]: of the tokens by falling
 * importance the last are dropped, those before them merge into the others.
 */
#include "build.h"

#include "match.h"

#include <string.h>

void tomerge_plan_diffrate(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;
    size_t ranked = tomerge_rank(job), destinations = ranked - job->r;
    size_t dropped = job->options.prune < job->r ? job->options.prune
                                                 : job->r;
    size_t sources = job->r - dropped;

    memcpy(s->destinations, s->sources, destinations * sizeof(*s->sources));
    memmove(s->sources, s->sources + destinations,
            sources * sizeof(*s->sources));
    tomerge_pair(job, sources, destinations, sources);
}
