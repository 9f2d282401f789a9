/* SPDX-License-Identifier: MIT */
/* Merging between attention and MLP [ToMe, figure 1]: which tokens of each
 * image merge, and the shorter sequences they leave. */
#include "config.h"

#include "steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The plan of one image, in the context's arrays. */
static tomerge_plan plan_of(const vit_team *c, size_t image)
{
    size_t first = c->rows.offsets[image];

    return (tomerge_plan){
        .tokens = c->rows.offsets[image + 1] - first,
        .rows = c->planned[image],
        .map = c->map + first,
        .origin = c->origin + first,
    };
}

/* Any task of any thread may be the first to say so. */
static void fail(vit_team *c)
{
#pragma omp atomic write
    c->error = TOMEVIT_EINVAL;
}

/* A plan by which nothing merges, so that a pass that has failed goes on over
 * memory that it has written, until all of its threads end it together. */
static void keep_all(tomerge_plan *plan)
{
    plan->rows = plan->tokens;
    for (size_t i = 0; i < plan->tokens; i++)
        plan->map[i] = plan->origin[i] = (int32_t)i;
}

/* What similarity is measured on: [tokens, *channels]. */
static tomerge_const_view metric_of(const vit_pass *p, vit_scratch *s,
                                    const vit_at *at, size_t *channels)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image],
           tokens = c->rows.offsets[at->image + 1] - first;
    size_t head_dim = tomevit_head_dim(d);
    const float *base = c->qkv + first * c->qkv_stride;
    tomerge_view mean = {s->metric, (ptrdiff_t)head_dim, TOMERGE_F32};

    if (p->merging->metric == TOMEVIT_METRIC_X) {
        *channels = d->dim;
        return (tomerge_const_view){c->rows.x + first * c->x_stride,
                                    (ptrdiff_t)c->x_stride, TOMERGE_F32};
    }
    if (d->rope.kind && tomevit_compares_unturned(p)) {
        *channels = head_dim;
        return (tomerge_const_view){c->unturned + first * head_dim,
                                    (ptrdiff_t)head_dim, TOMERGE_F32};
    }
    if (d->block != TOMEVIT_BLOCK_VIT) {
        tomerge_const_view heads = {
            tomevit_gated_metric(c, p->merging->metric, first, channels),
            (ptrdiff_t)c->qkv_stride, TOMERGE_F32};

        if (d->heads == 1)
            return heads;
        mean.stride = (ptrdiff_t)*channels;
        tomerge_mean_heads(tokens, d->heads, *channels, heads,
                           (ptrdiff_t)*channels, mean);
        return (tomerge_const_view){mean.data, mean.stride, TOMERGE_F32};
    }
    if (p->merging->metric == TOMEVIT_METRIC_K ||
        p->merging->metric == TOMEVIT_METRIC_K_UNTURNED)
        base += d->dim;
    else if (p->merging->metric == TOMEVIT_METRIC_V)
        base += d->dim + tomevit_kv_width(d, at->index);
    tomerge_mean_heads(tokens, p->merging->metric == TOMEVIT_METRIC_Q ||
                                   p->merging->metric ==
                                       TOMEVIT_METRIC_Q_UNTURNED
                                   ? d->heads
                                   : tomevit_kv_heads(d, at->index), head_dim,
                       (tomerge_const_view){base, (ptrdiff_t)c->qkv_stride,
                                            TOMERGE_F32},
                       (ptrdiff_t)head_dim, mean);
    *channels = head_dim;
    return (tomerge_const_view){mean.data, mean.stride, TOMERGE_F32};
}

/* Puts the rows in the order of the tokens that they are built on; row
 * [tokens] is scratch. */
static void sort_rows(tomerge_plan *plan, int32_t *row)
{
    int32_t next = 0;

    for (size_t t = 0; t < plan->tokens; t++)
        row[t] = -1;
    for (size_t i = 0; i < plan->rows; i++)
        row[plan->origin[i]] = (int32_t)i;
    for (size_t t = 0; t < plan->tokens; t++)
        if (row[t] >= 0)
            plan->origin[row[t]] = next++; /* its new place, till the end */
    for (size_t t = 0; t < plan->tokens; t++)
        if (plan->map[t] >= 0)
            plan->map[t] = plan->origin[plan->map[t]];
    next = 0;
    for (size_t t = 0; t < plan->tokens; t++)
        if (row[t] >= 0)
            plan->origin[next++] = (int32_t)t;
}

/* The rows that hold the first patch of a tile, as tomerge_partition_grid has
 * it: they are destinations in every layer, so no two are one row. */
static const uint8_t *roles_of(const vit_pass *p, size_t image)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[image];
    vit_grid grid = vit_grid_of(p, image);
    const int32_t *trace = c->rows.trace + image * d->tokens + d->prefix;
    size_t tile = p->merging->tile;
    uint8_t *role = c->role + first;

    memset(role, TOMERGE_MERGEABLE, c->rows.offsets[image + 1] - first);
    for (size_t y = 0; y + tile <= grid.rows; y += tile)
        for (size_t x = 0; x + tile <= grid.columns; x += tile)
            if (trace[y * grid.columns + x] >= 0)
                role[trace[y * grid.columns + x]] = TOMERGE_DESTINATION;
    return role;
}

void tomevit_plan(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    tomerge_options options = tomevit_options_at(p->merging, at->index);
    tomerge_plan plan = plan_of(c, at->image);
    tomerge_const_view metric = {.dtype = TOMERGE_F32};
    size_t channels = 0;

    if (p->needs & TOMERGE_NEEDS_METRIC)
        metric = metric_of(p, s, at, &channels);
    if (tomerge_method_needs(options.method) & TOMERGE_NEEDS_DESTINATIONS)
        options.role = roles_of(p, at->image);
    if (tomevit_wants_importance(p, at)) {
        tomevit_importance(p, at);
        options.importance = c->importance + c->rows.offsets[at->image];
    }
    if (options.method == TOMERGE_MCTF)
        options.size = c->rows.size + c->rows.offsets[at->image];
    options.protect = c->model->d.prefix;
    options.seed += at->index;
    if (tomerge_match(&options, channels, metric,
                      tomevit_share_of_r(&c->model->d, p->merging, at->index,
                                         vit_patches_of(p, at->image)),
                      &plan, s->workspace,
                      c->workspace_bytes) ||
        plan.rows < tomevit_pool_least(&c->model->d)) {
        fail(c);
        keep_all(&plan);
    }
    if (c->model->d.in_order)
        sort_rows(&plan, c->next.place + c->rows.offsets[at->image]);
    c->planned[at->image] = plan.rows;
}

int tomevit_merges(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && p->merging->where == TOMEVIT_MERGE_BETWEEN;
}

void tomevit_pack_offsets(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    vit_team *c = p->c;
    size_t depth = c->model->d.depth;

    (void)unused;
    c->next.offsets[0] = 0;
    for (size_t b = 0; b < p->count; b++) {
        c->next.offsets[b + 1] = c->next.offsets[b] + c->planned[b];
        for (size_t i = at->index; p->out.layer_rows && i < depth; i++)
            p->out.layer_rows[b * depth + i] = c->planned[b];
    }
}

/* All that the rows of an image hold and that becomes rows of the next. What
 * else belongs to tokens is one tensor more. Their sizes come last: they are
 * summed as it is, unless something else is the weight of the others. */
enum { TENSORS = 3 };

static size_t tensors_of(const vit_pass *p, size_t image, size_t layer,
                         int sizes, tomerge_tensor tensors[TENSORS])
{
    const vit_team *c = p->c;
    size_t first = c->rows.offsets[image], next = c->next.offsets[image];
    ptrdiff_t stride = (ptrdiff_t)c->x_stride;
    size_t count = 1;

    tensors[0] = (tomerge_tensor){
        .combine = tomevit_combine_at(p->merging, layer),
        .channels = c->model->d.dim, .parts = 1,
        .x = {c->rows.x + first * c->x_stride, stride, TOMERGE_F32},
        .y = {c->next.x + next * c->x_stride, stride, TOMERGE_F32},
    };
    if (c->model->d.block == TOMEVIT_BLOCK_MEGALODON) {
        /* What attention made of the rows, to where the queries were. */
        tensors[count] = tensors[0];
        tensors[count].x.data = c->attention + first * c->x_stride;
        tensors[count++].y = (tomerge_view){
            c->qkv + next * c->qkv_stride, (ptrdiff_t)c->qkv_stride,
            TOMERGE_F32};
    }
    tensors[count] = (tomerge_tensor){
        .combine = TOMERGE_SUM, .channels = 1, .parts = 1,
        .x = {c->rows.size + first, 1, TOMERGE_F32},
        .y = {c->next.size + next, 1, TOMERGE_F32},
    };
    return count + (sizes ? 1 : 0);
}

/* Sizes by how similar the tokens themselves are. */
static int sizes_by_cosine(const vit_pass *p, size_t image,
                           const tomerge_plan *plan, float *size)
{
    const vit_team *c = p->c;
    size_t first = c->rows.offsets[image];
    tomerge_const_view x = {c->rows.x + first * c->x_stride,
                            (ptrdiff_t)c->x_stride, TOMERGE_F32};
    int error = tomerge_sizes_by_similarity(plan, c->model->d.dim, x,
                                            c->rows.size + first, size);

    for (size_t j = 0; !error && j < plan->rows; j++)
        size[j] = size[j] > FLT_MIN ? size[j] : FLT_MIN;
    return error;
}

/* Whether tokens are weighted by their importance, which then is that weight: a
 * sum that is weighted and not divided is one by importance, where the method
 * looks at it; a mean is one by size and importance where that is asked for. */
static int weigh(const vit_pass *p, const vit_at *at)
{
    const vit_team *c = p->c;
    int combine = tomevit_combine_at(p->merging, at->index);

    if (!tomevit_wants_importance(p, at))
        return 0;
    if (combine != TOMERGE_WEIGHTED ||
        p->merging->weights != TOMEVIT_WEIGHTS_IMPORTANCE)
        return combine == TOMERGE_WEIGHTED_SUM;
    for (size_t i = c->rows.offsets[at->image];
         i < c->rows.offsets[at->image + 1]; i++)
        c->importance[i] = fmaxf(c->importance[i] * c->rows.size[i], FLT_MIN);
    return 1;
}

void tomevit_merge(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    size_t tokens = c->model->d.tokens;
    size_t first = c->rows.offsets[at->image];
    size_t next = c->next.offsets[at->image];
    float *size = c->next.size + next;
    tomerge_plan plan = plan_of(c, at->image);
    tomerge_tensor tensors[TENSORS];
    int by_importance = weigh(p, at);
    size_t count = tensors_of(p, at->image, at->index, by_importance, tensors);
    const float *weights = (by_importance ? c->importance : c->rows.size) +
                           first;

    int by_cosine = p->merging->sizes == TOMEVIT_SIZES_COSINE;

    if (tomerge_merge_tensors(&plan, count, tensors, weights,
                              by_importance ? NULL : size, s->workspace,
                              c->workspace_bytes) ||
        (by_cosine && sizes_by_cosine(p, at->image, &plan, size)) ||
        tomerge_size_bias(plan.rows, size,
                          c->next.bias + next) ||
        tomerge_compose(&plan, vit_tokens_of(p, at->image),
                        c->rows.trace + at->image * tokens))
        fail(c);
    for (size_t i = 0; i < plan.rows; i++)
        c->next.place[next + i] = c->rows.place[first + (size_t)plan.origin[i]];
}

int tomevit_is_ahead(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && p->merging->where == TOMEVIT_MERGE_AHEAD;
}

/* By the weights that the tokens merged by, to where these lay. */
void tomevit_merge_attention(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    ptrdiff_t stride = (ptrdiff_t)c->x_stride;
    size_t first = c->rows.offsets[at->image];
    size_t next = c->next.offsets[at->image];
    tomerge_plan plan = plan_of(c, at->image);
    tomerge_tensor rows = {
        .combine = tomevit_combine_at(p->merging, at->index),
        .channels = c->model->d.dim, .parts = 1,
        .x = {c->attention + first * c->x_stride, stride, TOMERGE_F32},
        .y = {c->rows.x + next * c->x_stride, stride, TOMERGE_F32},
    };
    const float *weights =
        p->merging->weights == TOMEVIT_WEIGHTS_IMPORTANCE &&
        tomevit_wants_importance(p, at) ? c->importance : c->rows.size;

    if (tomerge_merge_tensors(&plan, 1, &rows, weights + first, NULL,
                              s->workspace, c->workspace_bytes))
        fail(c);
}

void tomevit_take_attention(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    float *rows = p->c->rows.x;

    p->c->rows.x = p->c->attention;
    p->c->attention = rows;
    tomevit_swap(p, unused, at);
}

void tomevit_swap(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    vit_rows rows = p->c->rows;

    (void)unused;
    (void)at;
    p->c->rows = p->c->next;
    p->c->next = rows;
    p->merged = 1;
}

void tomevit_keep_read(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    vit_rows *rows = &p->c->rows;
    size_t stride = p->c->x_stride, image = at->read * stride;

    (void)unused;
    for (size_t b = 0; b < p->count; b++) {
        memmove(rows->x + b * image, rows->x + rows->offsets[b] * stride,
                image * sizeof(*rows->x));
        rows->offsets[b] = b * at->read;
    }
    rows->offsets[p->count] = p->count * at->read;
}
