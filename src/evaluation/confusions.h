/* SPDX-License-Identifier: MIT */
/* Which classes are taken for which others the most. */
#ifndef TOMERGE_CONFUSIONS_H
#define TOMERGE_CONFUSIONS_H

#include "outcomes.h"

typedef struct confusion {
    int32_t label, answer;
    size_t total;          /* over all runs */
} confusion;

/* The `most` pairs that are most frequent over all runs, the most frequent
 * first, among equals by label and answer; fewer if there are no more. To be
 * freed; *count is their number. */
confusion *confusions_find(const outcomes *o, const folder *files, size_t most,
                           size_t *count);

/* How often a pair was under one run. */
size_t confusions_count(const outcomes *o, const folder *files, size_t run,
                        const confusion *pair);

#endif
