/* SPDX-License-Identifier: MIT */
/* Parts of a run, whose journals join. */
#ifndef TOMERGE_RANGES_H
#define TOMERGE_RANGES_H

#include <stddef.h>

/* Images from .. to - 1, of which the first `done` are in the journal. */
typedef struct range {
    const char *path;
    size_t from, to, done;
} range;

/* For qsort: of ranges, or of what begins with one. */
int range_order(const void *a, const void *b);

/* Puts ranges in order. 0 if they are all of `files` images, and finished; -1
 * after a message that names the gap, the overlap or the journal. */
int ranges_check(range *ranges, size_t count, size_t files);

#endif
