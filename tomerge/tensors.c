/* SPDX-License-Identifier: MIT */
/* One plan for several tensors, and for tables of tokens by tokens. */
#include "build.h"

#include "merge.h"

/* ---- several tensors ----------------------------------------------------- */

static int check_tensor(const tomerge_tensor *t, const tomerge_groups *groups)
{
    int error = tomerge_check_combine(t->combine);

    if (error)
        return error;
    if (t->channels == 0)
        return TOMERGE_EINVAL;
    error = tomerge_check_keep(t->combine, groups);
    if (!error)
        error = tomerge_check_parts(t->x, groups->tokens, t->channels,
                                    t->parts, t->x_part);
    if (!error)
        error = tomerge_check_parts(tomerge_view_const(t->y), groups->rows,
                                    t->channels, t->parts, t->y_part);
    if (!error)
        error = tomerge_check_apart(t->x, tomerge_view_const(t->y),
                                    groups->rows);
    return error;
}

/* Sizes must suit every tensor, and sums of them where there is none. */
static int check_sizes(size_t count, const tomerge_tensor *tensors,
                       const float *size, size_t tokens)
{
    int error = count ? 0 : tomerge_check_sizes(size, tokens);

    for (size_t i = 0; i < count && !error; i++)
        error = tomerge_check_weights(tensors[i].combine, size, tokens);
    return error;
}

static void merge_tensor(const tomerge_dsp *dsp, const tomerge_tensor *t,
                         const float *size, const tomerge_groups *groups,
                         const tomerge_merge_space *space)
{
    tomerge_rows rows = {t->combine, t->channels, t->x, size, t->y, NULL};
    tomerge_const_view x = {t->x.data, t->x_part, t->x.dtype};
    tomerge_view y = {t->y.data, t->y_part, t->y.dtype};

    if (groups->rows == 0)
        return;
    for (size_t part = 0; part < t->parts; part++) {
        rows.x.data = tomerge_at(x, part, 0);
        rows.y.data = tomerge_at_mutable(y, part, 0);
        tomerge_merge_run(dsp, &rows, groups, space);
    }
}

int tomerge_merge_tensors(const tomerge_plan *plan, size_t count,
                          const tomerge_tensor *tensors, const float *size,
                          float *size_out,
                          void *workspace, size_t workspace_bytes)
{
    tomerge_groups groups;
    tomerge_merge_space space;
    tomerge_dsp dsp;
    size_t bytes;
    int error;

    if (!plan || (plan->tokens && !plan->map) || (count && !tensors))
        return TOMERGE_EINVAL;
    error = tomerge_merge_workspace(plan->tokens, &bytes);
    groups = tomerge_groups_of(plan);
    for (size_t i = 0; i < count && !error; i++)
        error = check_tensor(&tensors[i], &groups);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return TOMERGE_ESPACE;
    if (size && (size == size_out ||
                 check_sizes(count, tensors, size, plan->tokens)))
        return TOMERGE_EINVAL;
    error = tomerge_group(&groups, 0, &space, workspace);
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    for (size_t i = 0; i < count; i++)
        merge_tensor(&dsp, &tensors[i], size, &groups, &space);
    if (size_out)
        tomerge_sum_sizes(size, size_out, &groups);
    tomerge_group_done(&groups, workspace);
    return 0;
}

/* ---- tables -------------------------------------------------------------- */

/* Rows are combined first, each into a row of tokens, which is combined
 * column by column. */
typedef struct table_space {
    void *workspace;       /* of merge */
    tomerge_merge_space merge;
    float *between;        /* [T] */
    float *out;            /* [T] */
} table_space;

static int carve_table(table_space *s, tomerge_arena *arena, size_t tokens)
{
    size_t bytes;
    int error = tomerge_merge_workspace(tokens, &bytes);

    if (error)
        return error;
    s->workspace = tomerge_take(arena, bytes, 1);
    s->between = tomerge_take(arena, tokens, sizeof(*s->between));
    s->out = tomerge_take(arena, tokens, sizeof(*s->out));
    return 0;
}

int tomerge_merge_table_workspace(size_t tokens, size_t *bytes)
{
    tomerge_arena arena = tomerge_arena_at(NULL);
    table_space space;

    int error;

    if (!bytes)
        return TOMERGE_EINVAL;
    error = carve_table(&space, &arena, tokens);
    return error ? error : tomerge_arena_bytes(&arena, bytes);
}

/* One entry from those of its column's group, as tomerge_combine_chunk does. */
static float combine_entry(const tomerge_rows *rows, const float *x,
                           const int32_t *member, size_t count)
{
    float acc = x[member[0]];

    if (count == 1)
        return acc;
    if (rows->combine == TOMERGE_MAX) {
        for (size_t m = 1; m < count; m++)
            if (x[member[m]] > acc || x[member[m]] != x[member[m]])
                acc = x[member[m]];
        return acc;
    }
    acc *= tomerge_weight(rows, member[0]);
    for (size_t m = 1; m < count; m++)
        acc += x[member[m]] * tomerge_weight(rows, member[m]);
    return tomerge_undivided(rows->combine)
               ? acc : acc / tomerge_total(rows, member, count);
}

static void merge_table(const tomerge_dsp *dsp, const tomerge_rows *rows,
                        tomerge_view y, const tomerge_groups *groups,
                        const table_space *s)
{
    for (size_t a = 0; a < groups->rows; a++) {
        tomerge_merge_row(dsp, rows, groups, &s->merge, a, 0);
        for (size_t b = 0; b < groups->rows; b++) {
            const int32_t *member = s->merge.member + s->merge.start[b];
            size_t count = (size_t)(s->merge.start[b + 1] - s->merge.start[b]);

            s->out[b] = rows->combine == TOMERGE_KEEP
                            ? s->between[groups->origin[b]]
                            : combine_entry(rows, s->between, member, count);
        }
        tomerge_store(dsp, y.dtype, tomerge_at_mutable(y, a, 0), s->out,
                      groups->rows);
    }
}

static int check_table(int combine, const tomerge_groups *groups,
                       size_t tables, tomerge_const_view x, ptrdiff_t x_table,
                       tomerge_const_view y, ptrdiff_t y_table)
{
    int error = tomerge_check_combine(combine);

    if (error)
        return error;
    if (tomerge_stretches(combine))
        return TOMERGE_EOPTION;
    error = tomerge_check_keep(combine, groups);
    if (!error)
        error = tomerge_check_parts(x, groups->tokens, groups->tokens, tables,
                                    x_table);
    if (!error)
        error = tomerge_check_parts(y, groups->rows, groups->rows, tables,
                                    y_table);
    return error ? error : tomerge_check_apart(x, y, groups->rows);
}

int tomerge_merge_table(int combine, const tomerge_plan *plan, size_t tables,
                        tomerge_const_view x, ptrdiff_t x_table,
                        const float *size, tomerge_view y, ptrdiff_t y_table,
                        void *workspace, size_t workspace_bytes)
{
    tomerge_arena arena = tomerge_arena_at(workspace);
    tomerge_const_view from = {x.data, x_table, x.dtype};
    tomerge_view to = {y.data, y_table, y.dtype};
    tomerge_rows rows = {.combine = combine, .x = x, .size = size};
    tomerge_groups groups;
    table_space space;
    tomerge_dsp dsp;
    size_t bytes;
    int error;

    if (!plan || (plan->tokens && !plan->map))
        return TOMERGE_EINVAL;
    groups = tomerge_groups_of(plan);
    error = tomerge_merge_table_workspace(plan->tokens, &bytes);
    if (!error)
        error = check_table(combine, &groups, tables, x, x_table,
                            tomerge_view_const(y), y_table);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return TOMERGE_ESPACE;
    if (size && tomerge_check_weights(combine, size, plan->tokens))
        return TOMERGE_EINVAL;
    carve_table(&space, &arena, plan->tokens);
    error = tomerge_group(&groups, 0, &space.merge, space.workspace);
    if (error || groups.rows == 0) {
        tomerge_unpoison(workspace, bytes);
        return error;
    }

    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    rows.channels = plan->tokens;
    rows.y = (tomerge_view){space.between, 0, TOMERGE_F32};
    for (size_t t = 0; t < tables; t++) {
        rows.x.data = tomerge_at(from, t, 0);
        y.data = tomerge_at_mutable(to, t, 0);
        merge_table(&dsp, &rows, y, &groups, &space);
    }
    tomerge_unpoison(workspace, bytes);
    return 0;
}
