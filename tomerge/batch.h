/* SPDX-License-Identifier: MIT */
/* Packed batches: where each sequence lies; whole sequences over threads. */
#ifndef TOMERGE_BATCH_H
#define TOMERGE_BATCH_H

#include "merge.h"

/* Does sequence `s` with the memory of thread `thread` (0 .. threads - 1). */
typedef void tomerge_task(void *context, size_t s, size_t thread);

/* Calls `task` once for every sequence; which thread gets which is left open,
 * so no result may depend on it. One thread means no team at all. The one place
 * that knows OpenMP: parallel.c. */
void tomerge_for_sequences(size_t sequences, int threads, tomerge_task *task,
                           void *context);

/* Offsets must not fall; *longest is that of the longest sequence. */
int tomerge_check_offsets(size_t sequences, const size_t *offsets, int threads,
                          size_t *longest);

/* A sequence's rows of a view. */
tomerge_const_view tomerge_rows_from(tomerge_const_view view, size_t offset,
                                     size_t rows);
tomerge_view tomerge_rows_to(tomerge_view view, size_t offset, size_t rows);

/* The plans of a batch, and the memory for carrying them out. */
typedef struct tomerge_packed {
    size_t sequences;
    const size_t *offsets, *offsets_out;
    const int32_t *map, *origin;
    char *workspace;
    size_t part;           /* bytes of one thread */
} tomerge_packed;

/* Checks all of a batch whose rows of x combine to those of y, and sets
 * packed->part. */
int tomerge_check_packed(tomerge_packed *packed, int allow_empty,
                         const tomerge_rows *rows, tomerge_const_view y,
                         int threads, size_t workspace_bytes);

/* After the last use of a batch that has been checked: see poison.h. */
void tomerge_packed_done(const tomerge_packed *packed, int threads);

tomerge_groups tomerge_groups_in(const tomerge_packed *packed, size_t s);

/* The groups of a sequence in a batch that has been checked. */
void tomerge_group_in(const tomerge_packed *packed, int allow_empty, size_t s,
                      size_t thread, tomerge_groups *groups,
                      tomerge_merge_space *space);

#endif
