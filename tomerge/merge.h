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

static inline tomerge_groups tomerge_groups_of(const tomerge_plan *plan)
{
    tomerge_groups groups = {plan->tokens, plan->rows, plan->map,
                             plan->origin};

    return groups;
}

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

/* The same, EMAP also for a row without a token unless that is allowed.
 * Fills the space; `workspace` holds what tomerge_merge_workspace says. */
int tomerge_group(const tomerge_groups *groups, int allow_empty,
                  tomerge_merge_space *space, void *workspace);

/* After the last use of groups: see poison.h. */
void tomerge_group_done(const tomerge_groups *groups, void *workspace);

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

/* Channels combined at a time: two of these stay in the first-level cache. */
enum { TOMERGE_CHUNK = 512 };

/* How many there are from channel c on. */
static inline size_t tomerge_chunk(size_t channels, size_t c)
{
    return channels - c < TOMERGE_CHUNK ? channels - c : TOMERGE_CHUNK;
}

/* Whether rows are multiplied by their sizes. */
static inline int tomerge_weighted(int combine)
{
    return combine == TOMERGE_WEIGHTED || combine == TOMERGE_MLERP ||
           combine == TOMERGE_WEIGHTED_SUM;
}

/* Whether the mean is stretched to a length. */
static inline int tomerge_stretches(int combine)
{
    return combine == TOMERGE_MLERP || combine == TOMERGE_MLERP_ORIGIN;
}

/* Whether their sum is the result. */
static inline int tomerge_undivided(int combine)
{
    return combine == TOMERGE_SUM || combine == TOMERGE_WEIGHTED_SUM;
}

/* EINVAL for a size that the combination cannot take: one that is not
 * positive and finite, but for WEIGHTED_SUM only one that is not finite. */
int tomerge_check_weights(int combine, const float *size, size_t count);

/* What a token's row is multiplied by, and what the sum over a group's
 * tokens is divided by. */
float tomerge_weight(const tomerge_rows *rows, int32_t token);
float tomerge_total(const tomerge_rows *rows, const int32_t *member,
                    size_t count);

/* Channels c .. c + tomerge_chunk - 1 of what these tokens make; for MLERP
 * before stretching. */
void tomerge_combine_chunk(const tomerge_dsp *dsp, const tomerge_rows *rows,
                           const int32_t *member, size_t count, float total,
                           size_t c, float *acc);

/* What the mean is multiplied by: the longest norm over its own (MLERP), or
 * over that of the origin's row. */
typedef struct tomerge_stretch {
    float factor, mean, longest; /* longest / mean, and these two norms; mean
                            * may be the origin's */
    size_t at;             /* which member is the first of the longest */
    int applies;           /* 0: the norms allow no factor, and it is 1 */
} tomerge_stretch;

tomerge_stretch tomerge_stretch_of(const tomerge_dsp *dsp,
                                   const tomerge_rows *rows,
                                   const int32_t *member, size_t count,
                                   float total, int32_t origin);

/* Row i of one view to row j of another, bit for bit if the types agree. */
void tomerge_copy_row(const tomerge_dsp *dsp, size_t channels,
                      tomerge_const_view from, size_t i, tomerge_view to,
                      size_t j);

/* Row j of the output, written as row `to` of y. */
void tomerge_merge_row(const tomerge_dsp *dsp, const tomerge_rows *rows,
                       const tomerge_groups *groups,
                       const tomerge_merge_space *space, size_t j, size_t to);

void tomerge_sum_sizes(const float *size, float *size_out,
                       const tomerge_groups *groups);

/* All rows, and size_out unless NULL. */
void tomerge_merge_run(const tomerge_dsp *dsp, const tomerge_rows *rows,
                       const tomerge_groups *groups,
                       const tomerge_merge_space *space);

void tomerge_unmerge_run(const tomerge_dsp *dsp, const tomerge_groups *groups,
                         size_t channels, tomerge_const_view y,
                         tomerge_view x);

/* A gradient of merging: what was merged, without y, and the gradients. */
typedef struct tomerge_backward {
    tomerge_rows rows;
    tomerge_const_view grad_y;
    const float *grad_size_out;
    tomerge_view grad_x;
    float *grad_size;
} tomerge_backward;

/* gradient.c: of groups that have been checked; of unmerging, `rows` is the
 * sum of grad_x as y, and groups may be empty. */
void tomerge_merge_backward_run(const tomerge_dsp *dsp,
                                const tomerge_backward *of,
                                const tomerge_groups *groups,
                                const tomerge_merge_space *space);
void tomerge_unmerge_backward_run(const tomerge_dsp *dsp,
                                  const tomerge_rows *rows,
                                  const tomerge_groups *groups,
                                  const tomerge_merge_space *space);

/* EOPTION for what is not a combination. */
int tomerge_check_combine(int combine);

/* All that tomerge_merge checks but the map and the origin. */
int tomerge_check_merge(int combine, const tomerge_plan *plan,
                        size_t channels, tomerge_const_view x,
                        const float *size, tomerge_const_view y,
                        const void *workspace, size_t workspace_bytes);

/* EINVAL for KEEP without an origin. */
int tomerge_check_keep(int combine, const tomerge_groups *groups);

#endif
