/* SPDX-License-Identifier: MIT */
/* Inside merging: one sequence whose arguments have been checked. */
#ifndef TOMERGE_MERGE_H
#define TOMERGE_MERGE_H

#include "check.h"

/* A plan that is only read. */
typedef struct tomerge_groups {
    size_t tokens, rows;
    const int32_t *map, *origin;
} tomerge_groups;

/* The tokens of row j are member[start[j]] .. member[start[j + 1] - 1],
 * ascending. */
typedef struct tomerge_merge_space {
    int32_t *start;        /* [T + 1] */
    int32_t *member;       /* [T] */
} tomerge_merge_space;

void tomerge_merge_carve(tomerge_merge_space *space, tomerge_arena *arena,
                         size_t tokens);

/* EINVAL: more rows than tokens; EMAP: an entry outside its rows, an origin
 * not of its row. */
int tomerge_check_groups(const tomerge_groups *groups);

/* The same, EINVAL also for KEEP without an origin, EMAP also for a row
 * without a token.
 * Fills the space; `workspace` holds what tomerge_merge_workspace says. */
int tomerge_group(int combine, const tomerge_groups *groups,
                  tomerge_merge_space *space, void *workspace);

/* Arguments that are the same for every sequence; x, size, y, size_out begin
 * at the sequence. */
typedef struct tomerge_rows {
    int combine;
    size_t channels;
    tomerge_const_view x;
    const float *size;
    tomerge_view y;
    float *size_out;
} tomerge_rows;

void tomerge_merge_run(const tomerge_dsp *dsp, const tomerge_rows *rows,
                       const tomerge_groups *groups,
                       const tomerge_merge_space *space);

void tomerge_unmerge_run(const tomerge_dsp *dsp, const tomerge_groups *groups,
                         size_t channels, tomerge_const_view y,
                         tomerge_view x);

/* EOPTION for what is not a combination. */
int tomerge_check_combine(int combine);

#endif
