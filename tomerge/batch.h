/* SPDX-License-Identifier: MIT */
/* Whole sequences over threads: the one place that knows OpenMP. */
#ifndef TOMERGE_BATCH_H
#define TOMERGE_BATCH_H

#include <stddef.h>

/* Does sequence `s` with the memory of thread `thread` (0 .. threads - 1). */
typedef void tomerge_task(void *context, size_t s, size_t thread);

/* Calls `task` once for every sequence; which thread gets which is left open,
 * so no result may depend on it. One thread means no team at all. */
void tomerge_for_sequences(size_t sequences, int threads, tomerge_task *task,
                           void *context);

#endif
