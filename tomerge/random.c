/* SPDX-License-Identifier: MIT */
/* A random partition [ToMe, table 1d]: r sources, all others destinations. */
#include "build.h"

#include "match.h"

/* SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
 * Generators", OOPSLA 2014): any seed is a good one. */
TM_WRAPS static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Uniform below n: draws from the incomplete last stretch of n are refused. */
uint64_t tomerge_random_below(uint64_t *state, uint64_t n)
{
    uint64_t incomplete = (UINT64_MAX - n + 1) % n, draw;

    do
        draw = next(state);
    while (draw > UINT64_MAX - incomplete);
    return draw % n;
}

/* Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): every set of r
 * tokens is equally likely, and comes out in ascending order. */
void tomerge_plan_random(tomerge_job *job)
{
    uint64_t state = job->options.seed;
    size_t sources = 0, destinations = 0;

    for (size_t p = 0; p < job->present; p++) {
        size_t left = job->mergeable - sources - destinations;

        if (!tomerge_may_merge(job, p))
            continue;
        if (tomerge_random_below(&state, left) < job->r - sources)
            job->space.sources[sources++] = job->space.present[p];
        else
            job->space.destinations[destinations++] = job->space.present[p];
    }
    tomerge_pair(job, sources, destinations, job->r);
}
