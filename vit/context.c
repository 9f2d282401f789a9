/* SPDX-License-Identifier: MIT */
/* Creating a context: all the memory of a forward pass, carved once. */
#include "config.h"

#include "context.h"

#include <stdlib.h>

/* A group of about this many rows keeps a layer's activations in the caches
 * and still spreads the reading of its weights over enough work. */
enum { GROUP_ROWS = 2048 };

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The most any method, similarity or metric may ask for. */
static size_t merge_workspace(const tomevit_description *d)
{
    tomerge_options options;
    size_t most = 0, bytes;

    tomerge_options_init(&options);
    for (int method = 0; tomerge_method_name(method); method++) {
        for (int like = 0; tomerge_similarity_name(like); like++) {
            options.method = method;
            options.similarity = like;
            if (!tomerge_match_workspace(&options, d->tokens, d->dim, &bytes))
                most = larger(most, bytes);
        }
    }
    if (!tomerge_merge_workspace(d->tokens, &bytes))
        most = larger(most, bytes);
    return most;
}

static void carve_scratch(const tomevit_context *c, vit_scratch *s,
                          vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t head_dim = d->dim / d->heads, nr = c->model->dsp->nr;
    size_t panel_keys = (d->tokens + nr - 1) / nr * nr;
    size_t panel_channels = (head_dim + nr - 1) / nr * nr;
    size_t gemm = larger(tomevit_gemm_scratch(d->dim, d->mlp_dim),
                         tomevit_gemm_scratch(tomevit_fc1_width(d), d->dim));

    gemm = larger(gemm, tomevit_gemm_scratch(3 * d->dim, d->dim));
    gemm = larger(gemm, tomevit_gemm_scratch(larger(d->classes, d->embedding),
                                             larger(d->features,
                                                    d->embedding)));
    gemm = larger(gemm,
                  tomevit_gemm_scratch(d->dim, 3 * d->patch * d->patch));
    s->norm = tomevit_carve_f32(arena, VIT_BLOCK_ROWS * c->x_stride);
    s->hidden = tomevit_carve_f32(arena, VIT_BLOCK_ROWS * c->hidden_stride);
    s->embedding = tomevit_carve_f32(
        arena, d->zero_shot ? VIT_BLOCK_ROWS * c->embedding_stride : 0);
    s->gemm = tomevit_carve_f32(arena, gemm);
    s->keys = tomevit_carve_f32(arena, panel_keys * head_dim);
    s->values = tomevit_carve_f32(arena, d->tokens * panel_channels);
    s->scores = tomevit_carve_f32(arena, VIT_MAX_MR * c->score_stride);
    s->metric = tomevit_carve_f32(arena, d->tokens * head_dim);
    s->workspace = tomevit_carve(arena, c->workspace_bytes, 1);
}

static void carve_context(tomevit_context *c, vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t rows = c->group * d->tokens;
    vit_scratch unused;

    c->scratch = tomevit_carve(arena, (size_t)c->threads, sizeof(vit_scratch));
    c->offsets = tomevit_carve(arena, c->group + 1, sizeof(size_t));
    c->next_offsets = tomevit_carve(arena, c->group + 1, sizeof(size_t));
    c->planned = tomevit_carve(arena, c->group, sizeof(size_t));
    c->x = tomevit_carve_f32(arena, rows * c->x_stride);
    c->next_x = tomevit_carve_f32(arena, rows * c->x_stride);
    c->qkv = tomevit_carve_f32(arena, rows * c->qkv_stride);
    c->attention = tomevit_carve_f32(arena, rows * c->x_stride);
    c->sizes = tomevit_carve_f32(arena, rows);
    c->next_sizes = tomevit_carve_f32(arena, rows);
    c->bias = tomevit_carve_f32(arena, rows);
    c->map = tomevit_carve(arena, rows, sizeof(int32_t));
    c->origin = tomevit_carve(arena, rows, sizeof(int32_t));
    c->trace = tomevit_carve(arena, rows, sizeof(int32_t));
    c->pooled = tomevit_carve_f32(
        arena, (d->distilled ? 2 : 1) * c->group * c->pooled_stride);
    c->logits_dist = tomevit_carve_f32(arena,
                                       d->distilled ? c->group * d->classes
                                                    : 0);
    for (int i = 0; i < c->threads; i++)
        carve_scratch(c, arena->base ? &c->scratch[i] : &unused, arena);
}

int tomevit_context_create(const tomevit_model *model, size_t max_batch,
                           int threads, tomevit_context **context)
{
    enum { MOST_THREADS = 4096 };
    const tomevit_description *d;
    tomevit_context *c;

    if (!context)
        return TOMEVIT_EINVAL;
    *context = NULL;
    if (!model || !max_batch || threads < 1 || threads > MOST_THREADS)
        return TOMEVIT_EINVAL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return TOMEVIT_ENOMEM;
    d = &model->d;
    c->model = model;
    c->max_batch = max_batch;
    c->threads = threads;
    c->group = larger(GROUP_ROWS / d->tokens, 1);
    c->group = max_batch < c->group ? max_batch : c->group;
    c->x_stride = tomevit_row_stride(d->dim);
    c->qkv_stride = tomevit_row_stride(3 * d->dim);
    c->hidden_stride = tomevit_row_stride(
        larger(tomevit_fc1_width(d), 3 * d->patch * d->patch));
    c->score_stride = tomevit_row_stride(
        (d->tokens + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR);
    c->pooled_stride = tomevit_row_stride(d->features);
    c->embedding_stride = tomevit_row_stride(d->embedding);
    c->workspace_bytes = merge_workspace(d);

    carve_context(c, &c->arena);
    c->bytes = c->arena.used;
    if (tomevit_arena_allocate(&c->arena)) {
        free(c);
        return TOMEVIT_ENOMEM;
    }
    carve_context(c, &c->arena);
    tomevit_context_normalise(c, &d->preprocessing);
    *context = c;
    return 0;
}

void tomevit_context_free(tomevit_context *context)
{
    if (!context)
        return;
    tomevit_arena_free(&context->arena);
    free(context);
}

size_t tomevit_context_bytes(const tomevit_context *context)
{
    return context->bytes;
}

int tomevit_context_normalise(tomevit_context *context,
                              const tomevit_preprocessing *pre)
{
    if (!context || !pre)
        return TOMEVIT_EINVAL;
    for (int k = 0; k < 3; k++)
        if (!(pre->std[k] > 0.0f))
            return TOMEVIT_EINVAL;
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < 256; v++)
            context->normalised[k][v] =
                ((float)v / 255.0f - pre->mean[k]) / pre->std[k];
    return 0;
}

vit_blocks tomevit_blocks(const tomevit_context *c, size_t rows)
{
    size_t threads = (size_t)c->threads, unit = c->model->dsp->mr;
    size_t most = VIT_BLOCK_ROWS / unit, units = (rows + unit - 1) / unit;
    size_t count = (units + most - 1) / most;

    count = (count + threads - 1) / threads * threads;
    return (vit_blocks){rows, count, unit, units};
}
