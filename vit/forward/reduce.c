/* SPDX-License-Identifier: MIT */
/* Merging between attention and MLP [ToMe, figure 1]: which tokens of each
 * image merge, and the shorter sequences they leave. */
#include "config.h"

#include "context.h"

#include <string.h>

/* The plan of one image, in the context's arrays. */
static tomerge_plan plan_of(const vit_crew *c, size_t image)
{
    size_t first = c->offsets[image];

    return (tomerge_plan){
        .tokens = c->offsets[image + 1] - first,
        .rows = c->planned[image],
        .map = c->map + first,
        .origin = c->origin + first,
    };
}

/* Any task of any thread may be the first to say so. */
static void fail(vit_crew *c)
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
                                    size_t image, size_t *channels)
{
    const vit_crew *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->offsets[image], tokens = c->offsets[image + 1] - first;
    size_t head_dim = d->dim / d->heads;
    const float *base = c->qkv + first * c->qkv_stride;
    tomerge_view mean = {s->metric, (ptrdiff_t)head_dim, TOMERGE_F32};

    if (p->merging->metric == TOMEVIT_METRIC_X) {
        *channels = d->dim;
        return (tomerge_const_view){c->x + first * c->x_stride,
                                    (ptrdiff_t)c->x_stride, TOMERGE_F32};
    }
    if (p->merging->metric == TOMEVIT_METRIC_K)
        base += d->dim;
    else if (p->merging->metric == TOMEVIT_METRIC_V)
        base += 2 * d->dim;
    tomerge_mean_heads(tokens, d->heads, head_dim,
                       (tomerge_const_view){base, (ptrdiff_t)c->qkv_stride,
                                            TOMERGE_F32},
                       (ptrdiff_t)head_dim, mean);
    *channels = head_dim;
    return (tomerge_const_view){mean.data, mean.stride, TOMERGE_F32};
}

void tomevit_plan(const vit_pass *p, vit_scratch *s, size_t layer, size_t r,
                  size_t image)
{
    vit_crew *c = p->c;
    tomerge_options options = p->merging->matching;
    tomerge_plan plan = plan_of(c, image);
    size_t channels;
    tomerge_const_view metric = metric_of(p, s, image, &channels);

    options.protect = c->model->d.prefix;
    options.seed += layer;
    if (tomerge_match(&options, channels, metric, r, &plan, s->workspace,
                      c->workspace_bytes) ||
        plan.rows < tomevit_pool_least(&c->model->d)) {
        fail(c);
        keep_all(&plan);
    }
    c->planned[image] = plan.rows;
}

void tomevit_pack_offsets(const vit_pass *p)
{
    vit_crew *c = p->c;

    c->next_offsets[0] = 0;
    for (size_t b = 0; b < p->count; b++)
        c->next_offsets[b + 1] = c->next_offsets[b] + c->planned[b];
}

void tomevit_reduce(const vit_pass *p, vit_scratch *s, size_t image)
{
    vit_crew *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->offsets[image], next = c->next_offsets[image];
    tomerge_plan plan = plan_of(c, image);
    tomerge_const_view x = {c->x + first * c->x_stride, (ptrdiff_t)c->x_stride,
                            TOMERGE_F32};
    tomerge_view y = {c->next_x + next * c->x_stride, (ptrdiff_t)c->x_stride,
                      TOMERGE_F32};

    if (tomerge_merge(p->merging->combine, &plan, d->dim, x, c->sizes + first,
                      y, c->next_sizes + next, s->workspace,
                      c->workspace_bytes) ||
        tomerge_size_bias(plan.rows, c->next_sizes + next, c->bias + next) ||
        tomerge_compose(&plan, d->tokens, c->trace + image * d->tokens))
        fail(c);
}

void tomevit_swap(const vit_pass *p)
{
    vit_crew *c = p->c;
    float *x = c->x, *sizes = c->sizes;
    size_t *offsets = c->offsets;

    c->x = c->next_x;
    c->next_x = x;
    c->sizes = c->next_sizes;
    c->next_sizes = sizes;
    c->offsets = c->next_offsets;
    c->next_offsets = offsets;
}

void tomevit_keep_read(const vit_pass *p)
{
    vit_crew *c = p->c;
    size_t image = p->read * c->x_stride;

    for (size_t b = 0; b < p->count; b++) {
        memmove(c->x + b * image, c->x + c->offsets[b] * c->x_stride,
                image * sizeof(*c->x));
        c->offsets[b] = b * p->read;
    }
    c->offsets[p->count] = p->count * p->read;
}
