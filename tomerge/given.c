/* SPDX-License-Identifier: MIT */
/* A partition that the caller gives: roles name the destinations. */
#include "build.h"

#include "match.h"

#include <string.h>

void tomerge_plan_given(tomerge_job *job)
{
    size_t sources = 0, destinations = 0, r;

    for (size_t p = 0; p < job->present; p++) {
        int32_t token = job->space.present[p];

        if (!tomerge_may_merge(job, p))
            continue;
        if (job->options.role[token] == TOMERGE_DESTINATION)
            job->space.destinations[destinations++] = token;
        else
            job->space.sources[sources++] = token;
    }
    r = destinations ? sources : 0;
    tomerge_pair(job, sources, destinations, job->r < r ? job->r : r);
}

int tomerge_partition_list(size_t tokens, size_t count,
                           const int32_t *destinations, uint8_t *role)
{
    if ((tokens && !role) || (count && !destinations))
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(tokens))
        return TOMERGE_ERANGE;
    for (size_t i = 0; i < count; i++)
        if (destinations[i] < 0 || (size_t)destinations[i] >= tokens)
            return TOMERGE_EINVAL;
    if (tokens)
        memset(role, TOMERGE_MERGEABLE, tokens);
    for (size_t i = 0; i < count; i++)
        role[destinations[i]] = TOMERGE_DESTINATION;
    return 0;
}

int tomerge_partition_grid(size_t h, size_t w, size_t sy, size_t sx,
                           const uint64_t *seed, uint8_t *role)
{
    uint64_t state = seed ? *seed : 0;

    if (sy == 0 || sx == 0 || (h && w && !role))
        return TOMERGE_EINVAL;
    if (h && w > INT32_MAX / h)
        return TOMERGE_ERANGE;
    if (h && w)
        memset(role, TOMERGE_MERGEABLE, h * w);
    for (size_t y = 0; sy <= h - y; y += sy) {
        for (size_t x = 0; sx <= w - x; x += sx) {
            /* sy <= h and sx <= w here, so their product is small enough. */
            size_t at = seed ? (size_t)tomerge_random_below(&state, sy * sx)
                             : 0;

            role[(y + at / sx) * w + x + at % sx] = TOMERGE_DESTINATION;
        }
    }
    return 0;
}
