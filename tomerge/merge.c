/* SPDX-License-Identifier: MIT */
/*
 * Combining the rows of each group, gathered output row by output row: each
 * is written once, and sums in f32 lose nothing to narrow buffers on the way.
 */
#include "build.h"

#include "merge.h"

#include <math.h>
#include <string.h>

static const char *const combinations[] = {
    [TOMERGE_WEIGHTED] = "weighted",
    [TOMERGE_MEAN] = "mean",
    [TOMERGE_SUM] = "sum",
    [TOMERGE_MAX] = "max",
    [TOMERGE_KEEP] = "keep",
    [TOMERGE_MLERP] = "mlerp",
    [TOMERGE_WEIGHTED_SUM] = "weighted-sum",
    [TOMERGE_MLERP_ORIGIN] = "mlerp-origin",
};
enum { COMBINATIONS = sizeof(combinations) / sizeof(combinations[0]) };

const char *tomerge_combine_name(int combine)
{
    return tomerge_check_combine(combine) ? NULL : combinations[combine];
}

int tomerge_combine_from_name(const char *name, int *combine)
{
    if (!name || !combine)
        return TOMERGE_EINVAL;
    for (int i = 0; i < COMBINATIONS; i++) {
        if (!strcmp(name, combinations[i])) {
            *combine = i;
            return 0;
        }
    }
    return TOMERGE_EINVAL;
}

int tomerge_check_combine(int combine)
{
    return combine < 0 || combine >= COMBINATIONS ? TOMERGE_EOPTION : 0;
}

int tomerge_check_weights(int combine, const float *size, size_t count)
{
    if (combine != TOMERGE_WEIGHTED_SUM)
        return tomerge_check_sizes(size, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(size[i]))
            return TOMERGE_EINVAL;
    return 0;
}

int tomerge_check_keep(int combine, const tomerge_groups *groups)
{
    return (combine == TOMERGE_KEEP || combine == TOMERGE_MLERP_ORIGIN) &&
                   groups->rows && !groups->origin
               ? TOMERGE_EINVAL : 0;
}

/* ---- groups -------------------------------------------------------------- */

void tomerge_merge_carve(tomerge_merge_space *space, tomerge_arena *arena,
                         size_t tokens)
{
    space->start = tomerge_take(arena, tokens + 1, sizeof(*space->start));
    space->member = tomerge_take(arena, tokens, sizeof(*space->member));
}

int tomerge_merge_workspace(size_t tokens, size_t *bytes)
{
    tomerge_arena arena = tomerge_arena_at(NULL);
    tomerge_merge_space space;

    if (!bytes)
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(tokens))
        return TOMERGE_ERANGE;
    tomerge_merge_carve(&space, &arena, tokens);
    return tomerge_arena_bytes(&arena, bytes);
}

static int check_origin(const tomerge_groups *groups)
{
    for (size_t j = 0; j < groups->rows; j++) {
        int32_t token = groups->origin[j];

        if (token < 0 || (size_t)token >= groups->tokens ||
            groups->map[token] != (int32_t)j)
            return TOMERGE_EMAP;
    }
    return 0;
}

/* Counting sort: count, sum up, place. */
static int sort_members(const tomerge_groups *groups, int allow_empty,
                        tomerge_merge_space *space)
{
    int32_t *start = space->start, sum = 0;

    memset(start, 0, (groups->rows + 1) * sizeof(*start));
    for (size_t i = 0; i < groups->tokens; i++)
        if (groups->map[i] >= 0)
            start[groups->map[i]]++;
    for (size_t j = 0; j < groups->rows; j++) {
        int32_t count = start[j];

        if (count == 0 && !allow_empty)
            return TOMERGE_EMAP;
        start[j] = sum;
        sum += count;
    }
    start[groups->rows] = sum;
    for (size_t i = 0; i < groups->tokens; i++)
        if (groups->map[i] >= 0)
            space->member[start[groups->map[i]]++] = (int32_t)i;
    /* Placing has moved every start to the next one's. */
    memmove(start + 1, start, groups->rows * sizeof(*start));
    start[0] = 0;
    return 0;
}

int tomerge_check_groups(const tomerge_groups *groups)
{
    int error;

    if (groups->rows > groups->tokens)
        return TOMERGE_EINVAL;
    error = tomerge_check_map(groups->map, groups->tokens, groups->rows);
    return error || !groups->origin ? error : check_origin(groups);
}

int tomerge_group(const tomerge_groups *groups, int allow_empty,
                  tomerge_merge_space *space, void *workspace)
{
    tomerge_arena arena = tomerge_arena_at(workspace);
    int error = tomerge_check_groups(groups);

    if (error)
        return error;
    tomerge_merge_carve(space, &arena, groups->tokens);
    error = sort_members(groups, allow_empty, space);
    if (error)
        tomerge_group_done(groups, workspace);
    return error;
}

void tomerge_group_done(const tomerge_groups *groups, void *workspace)
{
    size_t bytes;

    if (!tomerge_merge_workspace(groups->tokens, &bytes))
        tomerge_unpoison(workspace, bytes);
}

/* ---- rows ---------------------------------------------------------------- */

void tomerge_copy_row(const tomerge_dsp *dsp, size_t channels,
                      tomerge_const_view from, size_t i, tomerge_view to,
                      size_t j)
{
    float scratch[TOMERGE_CHUNK];

    if (from.dtype == to.dtype) {
        memcpy(tomerge_at_mutable(to, j, 0), tomerge_at(from, i, 0),
               channels * tomerge_element(to.dtype));
        return;
    }
    for (size_t c = 0; c < channels; c += TOMERGE_CHUNK) {
        size_t n = tomerge_chunk(channels, c);

        tomerge_store(dsp, to.dtype, tomerge_at_mutable(to, j, c),
                      tomerge_load(dsp, from.dtype, tomerge_at(from, i, c), n,
                                   scratch), n);
    }
}

float tomerge_weight(const tomerge_rows *rows, int32_t token)
{
    return tomerge_weighted(rows->combine) && rows->size ? rows->size[token]
                                                         : 1;
}

float tomerge_total(const tomerge_rows *rows, const int32_t *member,
                    size_t count)
{
    float total = 0;

    if (tomerge_undivided(rows->combine))
        return 1;
    for (size_t m = 0; m < count; m++)
        total += tomerge_weight(rows, member[m]);
    return total;
}

void tomerge_combine_chunk(const tomerge_dsp *dsp, const tomerge_rows *rows,
                           const int32_t *member, size_t count, float total,
                           size_t c, float *acc)
{
    float scratch[TOMERGE_CHUNK];
    size_t n = tomerge_chunk(rows->channels, c);

    for (size_t m = 0; m < count; m++) {
        const void *from = tomerge_at(rows->x, (size_t)member[m], c);
        const float *x = tomerge_load(dsp, rows->x.dtype, from, n, scratch);
        float weight = tomerge_weight(rows, member[m]);

        if (rows->combine == TOMERGE_MAX && m > 0)
            dsp->maximum(acc, x, n);
        else if (m > 0)
            dsp->accumulate(acc, x, weight, n);
        else
            dsp->scale(acc, x, weight, n);
    }
    if (!tomerge_undivided(rows->combine) && rows->combine != TOMERGE_MAX)
        dsp->divide(acc, total, n);
}

/* |x| of one row, in f32. */
static float norm_of_row(const tomerge_dsp *dsp, const tomerge_rows *rows,
                         int32_t token)
{
    float scratch[TOMERGE_CHUNK], sum = 0, squares;

    for (size_t c = 0; c < rows->channels; c += TOMERGE_CHUNK) {
        size_t n = tomerge_chunk(rows->channels, c);
        const void *from = tomerge_at(rows->x, (size_t)token, c);

        dsp->norm(tomerge_load(dsp, rows->x.dtype, from, n, scratch), n,
                  &squares);
        sum += squares;
    }
    return sqrtf(sum);
}

tomerge_stretch tomerge_stretch_of(const tomerge_dsp *dsp,
                                   const tomerge_rows *rows,
                                   const int32_t *member, size_t count,
                                   float total, int32_t origin)
{
    tomerge_stretch stretch = {.factor = 1};
    float acc[TOMERGE_CHUNK], sum = 0, squares;

    for (size_t c = 0; rows->combine == TOMERGE_MLERP && c < rows->channels;
         c += TOMERGE_CHUNK) {
        tomerge_combine_chunk(dsp, rows, member, count, total, c, acc);
        dsp->norm(acc, tomerge_chunk(rows->channels, c), &squares);
        sum += squares;
    }
    stretch.mean = rows->combine == TOMERGE_MLERP
                       ? sqrtf(sum) : norm_of_row(dsp, rows, origin);
    for (size_t m = 0; m < count; m++) {
        float norm = norm_of_row(dsp, rows, member[m]);

        if (norm > stretch.longest) {
            stretch.longest = norm;
            stretch.at = m;
        }
    }
    if (stretch.mean > 0 && isfinite(stretch.longest / stretch.mean)) {
        stretch.factor = stretch.longest / stretch.mean;
        stretch.applies = 1;
    }
    return stretch;
}

/* Row `to` of y from two or more tokens. */
static void combine_row(const tomerge_dsp *dsp, const tomerge_rows *rows,
                        const int32_t *member, size_t count, int32_t origin,
                        size_t to)
{
    float acc[TOMERGE_CHUNK], total = tomerge_total(rows, member, count);
    tomerge_stretch stretch = {.factor = 1};

    if (rows->x.dtype == TOMERGE_F32 && rows->y.dtype == TOMERGE_F32 &&
        rows->combine != TOMERGE_MAX && !tomerge_stretches(rows->combine)) {
        dsp->weigh(tomerge_at_mutable(rows->y, to, 0), rows->x.data,
                   rows->x.stride, member, count,
                   tomerge_weighted(rows->combine) ? rows->size : NULL,
                   total, rows->channels);
        return;
    }
    if (tomerge_stretches(rows->combine))
        stretch = tomerge_stretch_of(dsp, rows, member, count, total, origin);
    for (size_t c = 0; c < rows->channels; c += TOMERGE_CHUNK) {
        size_t n = tomerge_chunk(rows->channels, c);

        tomerge_combine_chunk(dsp, rows, member, count, total, c, acc);
        if (stretch.applies)
            dsp->scale(acc, acc, stretch.factor, n);
        tomerge_store(dsp, rows->y.dtype, tomerge_at_mutable(rows->y, to, c),
                      acc, n);
    }
}

void tomerge_merge_row(const tomerge_dsp *dsp, const tomerge_rows *rows,
                       const tomerge_groups *groups,
                       const tomerge_merge_space *space, size_t j, size_t to)
{
    const int32_t *member = space->member + space->start[j];
    size_t count = (size_t)(space->start[j + 1] - space->start[j]);

    if (rows->combine == TOMERGE_KEEP)
        tomerge_copy_row(dsp, rows->channels, rows->x,
                         (size_t)groups->origin[j], rows->y, to);
    else if (count == 1)
        tomerge_copy_row(dsp, rows->channels, rows->x, (size_t)member[0],
                         rows->y, to);
    else
        combine_row(dsp, rows, member, count,
                    groups->origin ? groups->origin[j] : member[0], to);
}

void tomerge_sum_sizes(const float *size, float *size_out,
                       const tomerge_groups *groups)
{
    for (size_t j = 0; j < groups->rows; j++)
        size_out[j] = 0;
    for (size_t i = 0; i < groups->tokens; i++)
        if (groups->map[i] >= 0)
            size_out[groups->map[i]] += size ? size[i] : 1;
}

void tomerge_merge_run(const tomerge_dsp *dsp, const tomerge_rows *rows,
                       const tomerge_groups *groups,
                       const tomerge_merge_space *space)
{
    for (size_t j = 0; j < groups->rows; j++)
        tomerge_merge_row(dsp, rows, groups, space, j, j);
    if (rows->size_out)
        tomerge_sum_sizes(rows->size, rows->size_out, groups);
}

int tomerge_check_merge(int combine, const tomerge_plan *plan,
                        size_t channels, tomerge_const_view x,
                        const float *size, tomerge_const_view y,
                        const void *workspace, size_t workspace_bytes)
{
    tomerge_groups groups;
    size_t bytes;
    int error;

    if (!plan || (plan->tokens && !plan->map) || channels == 0)
        return TOMERGE_EINVAL;
    groups = tomerge_groups_of(plan);
    error = tomerge_check_combine(combine);
    if (!error)
        error = tomerge_check_keep(combine, &groups);
    if (!error)
        error = tomerge_merge_workspace(plan->tokens, &bytes);
    if (!error)
        error = tomerge_check_view(x, plan->tokens, channels);
    if (!error)
        error = tomerge_check_view(y, plan->rows, channels);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return TOMERGE_ESPACE;
    return size ? tomerge_check_weights(combine, size, plan->tokens) : 0;
}

int tomerge_merge(int combine, const tomerge_plan *plan, size_t channels,
                  tomerge_const_view x, const float *size,
                  tomerge_view y, float *size_out,
                  void *workspace, size_t workspace_bytes)
{
    tomerge_rows rows = {combine, channels, x, size, y, size_out};
    tomerge_groups groups;
    tomerge_merge_space space;
    tomerge_dsp dsp;
    int error = tomerge_check_merge(combine, plan, channels, x, size,
                                    tomerge_view_const(y), workspace,
                                    workspace_bytes);

    if (!error)
        error = tomerge_check_apart(x, tomerge_view_const(y), plan->rows);
    if (!error && size && size == size_out)
        error = TOMERGE_EINVAL;
    if (error)
        return error;
    groups = tomerge_groups_of(plan);
    error = tomerge_group(&groups, 0, &space, workspace);
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    tomerge_merge_run(&dsp, &rows, &groups, &space);
    tomerge_group_done(&groups, workspace);
    return 0;
}

/* ---- the way back -------------------------------------------------------- */

void tomerge_unmerge_run(const tomerge_dsp *dsp, const tomerge_groups *groups,
                         size_t channels, tomerge_const_view y,
                         tomerge_view x)
{
    for (size_t i = 0; i < groups->tokens; i++) {
        if (groups->map[i] >= 0)
            tomerge_copy_row(dsp, channels, y, (size_t)groups->map[i], x,
                             i);
        else /* all bits zero is 0 in every dtype */
            memset(tomerge_at_mutable(x, i, 0), 0,
                   channels * tomerge_element(x.dtype));
    }
}

int tomerge_unmerge(const tomerge_plan *plan, size_t channels,
                    tomerge_const_view y, tomerge_view x)
{
    tomerge_groups groups;
    tomerge_dsp dsp;
    int error;

    if (!plan || (plan->tokens && !plan->map) || channels == 0 ||
        plan->rows > plan->tokens)
        return TOMERGE_EINVAL;
    error = tomerge_check_rows(plan->tokens);
    if (!error)
        error = tomerge_check_view(y, plan->rows, channels);
    if (!error)
        error = tomerge_check_view(tomerge_view_const(x), plan->tokens,
                                   channels);
    if (!error)
        error = tomerge_check_apart(y, tomerge_view_const(x), plan->rows);
    if (!error)
        error = tomerge_check_map(plan->map, plan->tokens, plan->rows);
    if (error)
        return error;
    groups = tomerge_groups_of(plan);
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    tomerge_unmerge_run(&dsp, &groups, channels, y, x);
    return 0;
}

int tomerge_compose(const tomerge_plan *plan, size_t count, int32_t *trace)
{
    int error;

    if (!plan || (plan->tokens && !plan->map) || (count && !trace) ||
        plan->rows > plan->tokens)
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(plan->tokens) || tomerge_check_rows(count))
        return TOMERGE_ERANGE;
    error = tomerge_check_map(plan->map, plan->tokens, plan->rows);
    if (!error)
        error = tomerge_check_map(trace, count, plan->tokens);
    if (error)
        return error;
    for (size_t i = 0; i < count; i++)
        if (trace[i] >= 0)
            trace[i] = plan->map[trace[i]];
    return 0;
}
