/* SPDX-License-Identifier: MIT */
/*
 * Gradients of merging and unmerging. A row's gradient goes to the tokens of
 * its group, so like merging they run output row by output row, in chunks of
 * channels; nothing is kept from the forward call.
 */
#include "build.h"

#include "merge.h"

#include <math.h>
#include <string.h>

typedef struct backward {
    const tomerge_dsp *dsp;
    tomerge_rows rows;     /* as they were given to the merge, without y */
    tomerge_const_view grad_y;
    tomerge_view grad_x;
    float *grad_size;
} backward;

/* What a row's gradient is made of besides g, which is that of y. */
typedef struct row_terms {
    float total;           /* S, or what stands for it */
    tomerge_stretch stretch;
    float along;           /* MLERP: m.g */
    int32_t origin;
} row_terms;

static const float *load_grad(const backward *b, size_t j, size_t c,
                              float *scratch)
{
    return tomerge_load(b->dsp, b->grad_y.dtype, tomerge_at(b->grad_y, j, c),
                        tomerge_chunk(b->rows.channels, c), scratch);
}

static void store_grad(const backward *b, int32_t token, size_t c,
                       const float *grad)
{
    tomerge_store(b->dsp, b->grad_x.dtype,
                  tomerge_at_mutable(b->grad_x, (size_t)token, c), grad,
                  tomerge_chunk(b->rows.channels, c));
}

/* The whole row has to be seen before the first of its chunks is done. */
static row_terms terms_of(const backward *b, const int32_t *member,
                          size_t count, int32_t origin, size_t j)
{
    row_terms t = {.total = tomerge_total(&b->rows, member, count),
                   .origin = origin};
    float mean[TOMERGE_CHUNK], scratch[TOMERGE_CHUNK], sum;

    if (!tomerge_stretches(b->rows.combine))
        return t;
    t.stretch = tomerge_stretch_of(b->dsp, &b->rows, member, count, t.total,
                                   origin);
    for (size_t c = 0; c < b->rows.channels; c += TOMERGE_CHUNK) {
        tomerge_combine_chunk(b->dsp, &b->rows, member, count, t.total, c,
                              mean);
        b->dsp->dot(mean, load_grad(b, j, c, scratch),
                    tomerge_chunk(b->rows.channels, c), &sum);
        t.along += sum;
    }
    return t;
}

/* The gradient of the mean, from g and the mean: g itself, but for MLERP
 * f (g - m (m.g) / |m|^2). */
static void grad_of_mean(const backward *b, const row_terms *t,
                         const float *mean, size_t n, float *grad)
{
    float square = t->stretch.mean * t->stretch.mean;

    if (!t->stretch.applies)
        return;
    if (b->rows.combine == TOMERGE_MLERP)
        b->dsp->accumulate(grad, mean, -(t->along / square), n);
    b->dsp->scale(grad, grad, t->stretch.factor, n);
}

/* One chunk of WEIGHTED, MEAN, the sums or MLERP. */
static void spread_chunk(const backward *b, const row_terms *t,
                         const int32_t *member, size_t count, size_t j,
                         size_t c)
{
    size_t n = tomerge_chunk(b->rows.channels, c);
    float mean[TOMERGE_CHUNK], grad[TOMERGE_CHUNK], scratch[TOMERGE_CHUNK];
    float out[TOMERGE_CHUNK];
    int mlerp = t->stretch.applies, whole = tomerge_undivided(b->rows.combine);
    int sizes = b->grad_size && tomerge_weighted(b->rows.combine);

    memcpy(grad, load_grad(b, j, c, scratch), n * sizeof(*grad));
    if (mlerp || (sizes && !whole))
        tomerge_combine_chunk(b->dsp, &b->rows, member, count, t->total, c,
                              mean);
    grad_of_mean(b, t, mean, n, grad);
    for (size_t m = 0; m < count; m++) {
        const void *from = tomerge_at(b->rows.x, (size_t)member[m], c);
        const float *x = tomerge_load(b->dsp, b->rows.x.dtype, from, n,
                                      scratch);
        float dot;

        b->dsp->scale(out, grad, tomerge_weight(&b->rows, member[m]) / t->total,
                      n);
        if (mlerp && m == t->stretch.at)
            b->dsp->accumulate(out, x, t->along / t->stretch.mean /
                                           t->stretch.longest, n);
        if (mlerp && b->rows.combine == TOMERGE_MLERP_ORIGIN &&
            member[m] == t->origin)
            b->dsp->accumulate(out, x, -(t->along * t->stretch.factor /
                                         t->stretch.mean / t->stretch.mean), n);
        store_grad(b, member[m], c, out);
        if (!sizes)
            continue;
        if (!whole) {
            b->dsp->scale(out, mean, -1, n);
            b->dsp->accumulate(out, x, 1, n);
        }
        b->dsp->dot(grad, whole ? x : out, n, &dot);
        b->grad_size[member[m]] += dot / t->total;
    }
}

/* One chunk of MAX: as the kernel `maximum` chooses, but of several NaNs the
 * first. */
static void spread_maximum(const backward *b, const int32_t *member,
                           size_t count, size_t j, size_t c)
{
    size_t n = tomerge_chunk(b->rows.channels, c);
    float best[TOMERGE_CHUNK], scratch[TOMERGE_CHUNK], out[TOMERGE_CHUNK];
    int32_t winner[TOMERGE_CHUNK];
    const float *grad;

    for (size_t m = 0; m < count; m++) {
        const void *from = tomerge_at(b->rows.x, (size_t)member[m], c);
        const float *x = tomerge_load(b->dsp, b->rows.x.dtype, from, n,
                                      scratch);

        for (size_t i = 0; i < n; i++) {
            if (m == 0 || x[i] > best[i] ||
                (x[i] != x[i] && best[i] == best[i])) {
                best[i] = x[i];
                winner[i] = member[m];
            }
        }
    }
    grad = load_grad(b, j, c, scratch);
    for (size_t m = 0; m < count; m++) {
        for (size_t i = 0; i < n; i++)
            out[i] = winner[i] == member[m] ? grad[i] : 0;
        store_grad(b, member[m], c, out);
    }
}

static void zero_grad(const backward *b, size_t token)
{
    memset(tomerge_at_mutable(b->grad_x, token, 0), 0,
           b->rows.channels * tomerge_element(b->grad_x.dtype));
}

static void spread_row(const backward *b, const tomerge_groups *groups,
                       const int32_t *member, size_t count, size_t j)
{
    int32_t only = b->rows.combine == TOMERGE_KEEP ? groups->origin[j]
                                                   : member[0];
    row_terms terms;

    if (count == 1 || b->rows.combine == TOMERGE_KEEP) {
        for (size_t m = 0; m < count; m++)
            if (member[m] != only)
                zero_grad(b, (size_t)member[m]);
        tomerge_copy_row(b->dsp, b->rows.channels, b->grad_y, j, b->grad_x,
                         (size_t)only);
        return;
    }
    if (b->rows.combine == TOMERGE_MAX) {
        for (size_t c = 0; c < b->rows.channels; c += TOMERGE_CHUNK)
            spread_maximum(b, member, count, j, c);
        return;
    }
    terms = terms_of(b, member, count,
                     groups->origin ? groups->origin[j] : member[0], j);
    for (size_t c = 0; c < b->rows.channels; c += TOMERGE_CHUNK)
        spread_chunk(b, &terms, member, count, j, c);
}

static void spread(const backward *b, const tomerge_groups *groups,
                   const float *grad_size_out,
                   const tomerge_merge_space *space)
{
    for (size_t i = 0; i < groups->tokens; i++) {
        int32_t row = groups->map[i];

        if (row < 0)
            zero_grad(b, i);
        if (b->grad_size)
            b->grad_size[i] = row < 0 || !grad_size_out ? 0
                                                        : grad_size_out[row];
    }
    for (size_t j = 0; j < groups->rows; j++)
        spread_row(b, groups, space->member + space->start[j],
                   (size_t)(space->start[j + 1] - space->start[j]), j);
}

void tomerge_merge_backward_run(const tomerge_dsp *dsp,
                                const tomerge_backward *of,
                                const tomerge_groups *groups,
                                const tomerge_merge_space *space)
{
    backward b = {.dsp = dsp, .rows = of->rows, .grad_y = of->grad_y,
                  .grad_x = of->grad_x, .grad_size = of->grad_size};

    spread(&b, groups, of->grad_size_out, space);
}

int tomerge_merge_backward(int combine, const tomerge_plan *plan,
                           size_t channels, tomerge_const_view x,
                           const float *size, tomerge_const_view grad_y,
                           const float *grad_size_out, tomerge_view grad_x,
                           float *grad_size,
                           void *workspace, size_t workspace_bytes)
{
    tomerge_backward of = {
        .rows = {.combine = combine, .channels = channels, .x = x,
                 .size = size},
        .grad_y = grad_y, .grad_size_out = grad_size_out, .grad_x = grad_x,
        .grad_size = grad_size,
    };
    tomerge_dsp dsp;
    tomerge_groups groups;
    tomerge_merge_space space;
    int error = tomerge_check_merge(combine, plan, channels, x, size, grad_y,
                                    workspace, workspace_bytes);

    if (!error)
        error = tomerge_check_view(tomerge_view_const(grad_x), plan->tokens,
                                   channels);
    if (!error)
        error = tomerge_check_apart(x, tomerge_view_const(grad_x), plan->rows);
    if (!error)
        error = tomerge_check_apart(grad_y, tomerge_view_const(grad_x),
                                    plan->rows);
    if (error)
        return error;
    groups = tomerge_groups_of(plan);
    error = tomerge_group(&groups, 0, &space, workspace);
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    tomerge_merge_backward_run(&dsp, &of, &groups, &space);
    tomerge_group_done(&groups, workspace);
    return 0;
}

void tomerge_unmerge_backward_run(const tomerge_dsp *dsp,
                                  const tomerge_rows *rows,
                                  const tomerge_groups *groups,
                                  const tomerge_merge_space *space)
{
    for (size_t j = 0; j < groups->rows; j++) {
        if (space->start[j] < space->start[j + 1])
            tomerge_merge_row(dsp, rows, groups, space, j, j);
        else
            memset(tomerge_at_mutable(rows->y, j, 0), 0,
                   rows->channels * tomerge_element(rows->y.dtype));
    }
}

int tomerge_unmerge_backward(const tomerge_plan *plan, size_t channels,
                             tomerge_const_view grad_x, tomerge_view grad_y,
                             void *workspace, size_t workspace_bytes)
{
    tomerge_rows rows = {.combine = TOMERGE_SUM, .channels = channels,
                         .x = grad_x, .y = grad_y};
    tomerge_groups groups;
    tomerge_merge_space space;
    tomerge_dsp dsp;
    int error = tomerge_check_merge(TOMERGE_SUM, plan, channels, grad_x, NULL,
                                    tomerge_view_const(grad_y), workspace,
                                    workspace_bytes);

    if (!error)
        error = tomerge_check_apart(grad_x, tomerge_view_const(grad_y),
                                    plan->rows);
    if (error)
        return error;
    groups = tomerge_groups_of(plan);
    groups.origin = NULL; /* not used, as in tomerge_unmerge */
    error = tomerge_group(&groups, 1, &space, workspace);
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    tomerge_unmerge_backward_run(&dsp, &rows, &groups, &space);
    tomerge_group_done(&groups, workspace);
    return 0;
}
