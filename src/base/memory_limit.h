/* SPDX-License-Identifier: MIT */
/* A limit on the memory of this process. */
#ifndef TOMERGE_MEMORY_LIMIT_H
#define TOMERGE_MEMORY_LIMIT_H

#include <stddef.h>

/* From now on so many bytes more than there are, beside the stacks of so many
 * threads, which start here. What is asked for beyond is refused, as when there
 * is none; files that are mapped do not count. 0, or -1 with a line in
 * why[ARGS_WHY]. */
int memory_limit(size_t bytes, int threads, char *why);

/* What lines about a lack of memory end with: ": --max-memory is 1073741824
 * bytes", or "". */
const char *memory_limited(void);

/* The same if it is memory that was lacking. */
const char *memory_limited_by(int is_memory);

#endif
