/* SPDX-License-Identifier: MIT */
/* The tokens that may go, the most important first. */
#include "build.h"

#include "match.h"

/* A NaN comes before everything else. */
static uint32_t falling(float importance)
{
    return importance == importance ? tomerge_descending(importance) : 0;
}

size_t tomerge_rank(tomerge_job *job)
{
    const int32_t *present = job->space.present;
    uint64_t *key = job->space.key;
    size_t count = 0;

    for (size_t p = 0; p < job->present; p++) {
        uint32_t token = (uint32_t)present[p];

        key[count] = (uint64_t)falling(job->options.importance[token]) << 32 |
                     token;
        count += (size_t)tomerge_may_merge(job, p);
    }
    tomerge_sort(key, count);
    for (size_t i = 0; i < count; i++)
        job->space.sources[i] = (int32_t)(key[i] & UINT32_MAX);
    return count;
}
