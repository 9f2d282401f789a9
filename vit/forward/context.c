/* SPDX-License-Identifier: MIT */
/* Creating a context: all the memory of a forward pass, carved once. */
#include "config.h"

#include "context.h"
#include "../base/reserved.h"
#include "../network/positions.h"

#include <math.h>
#include <stdlib.h>

/* A group of about this many rows keeps a layer's activations in the caches
 * and still spreads the reading of its weights over enough work: so does for
 * many threads that of as many for each. */
enum { GROUP_ROWS = 2048, THREAD_ROWS = 512 };

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

/* The most scratch that any product needs. */
static size_t gemm_scratch(const tomevit_model *m)
{
    const tomevit_description *d = &m->d;
    const struct {
        size_t n, k;
    } shapes[] = {
        {d->dim, tomevit_patch_length(d)},
        {d->stem_width[0], 3 * d->stem_side[0] * d->stem_side[0]},
        {d->stem_width[1],
         d->stem_width[0] * d->stem_side[1] * d->stem_side[1]},
        {tomevit_stages_widest(d), tomevit_stages_widest(d)},
        {d->dim + 2 * tomevit_kv_widest(d), d->dim},
        {tomevit_fc1_width(d), d->dim}, {d->dim, d->mlp_dim},
        {larger(d->classes, d->embedding), larger(d->features, d->embedding)},
        {2 * larger(d->dim, tomevit_pool_width(d)), d->dim},
        {tomevit_pool_width(d), tomevit_pool_width(d)},
        {d->pool_mlp_dim, d->dim},
        {d->dim, d->pool_mlp_dim},
        {tomevit_mix_width(d), d->dim}, {d->dim, d->mega.value},
        {d->cells.hidden, d->cells.side * d->cells.side * d->dim},
        {d->cells.out, d->cells.hidden},
        {d->tokens, d->dim / d->heads}, {d->dim / d->heads, d->tokens},
    };
    size_t most = 0;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        most = larger(most, tomevit_gemm_scratch(m->block_rows, shapes[i].n,
                                                 shapes[i].k));
    return most;
}

vit_operand_buffer tomevit_carve_operand(vit_arena *arena, size_t rows,
                                        size_t bytes)
{
    vit_operand_buffer buffer = {.rows = rows};

    if (!bytes)
        return buffer;
    buffer.data = tomevit_carve(arena, bytes, 1);
    buffer.quants = tomevit_carve(arena, rows, sizeof(vit_quant));
    return buffer;
}

/* Rows on their way into a product. */
static void carve_operands(const tomevit_model *m, vit_scratch *s,
                        vit_arena *arena)
{
    size_t mlp = larger(larger(m->d.mlp_dim, m->d.pool_mlp_dim),
                        m->d.mega.value);
    size_t widest = larger(larger(m->d.dim, mlp),
                           larger(larger(m->d.features, m->d.embedding),
                                  tomevit_patch_length(&m->d)));
    size_t bytes;

    widest = larger(widest, larger(tomevit_cell_length(&m->d),
                                   m->d.cells.hidden));
    widest = larger(widest, tomevit_stages_widest(&m->d));
    widest = larger(widest, larger(
        3 * m->d.stem_side[0] * m->d.stem_side[0],
        m->d.stem_width[0] * m->d.stem_side[1] * m->d.stem_side[1]));
    bytes = larger(tomevit_operand_bytes(m->low, m->block_rows, widest),
                   tomevit_operand_bytes(m->outer, m->block_rows, widest));

    s->in = tomevit_carve_operand(arena, m->block_rows, bytes);
    s->out = tomevit_carve_operand(arena, m->block_rows, bytes);
}

/* Numbers that resizing positions to an image's own takes; 0: there is none. */
static size_t places_room(const tomevit_description *d)
{
    size_t from[2] = {tomevit_grid_rows(d), tomevit_grid_columns(d)};

    return d->pos_embed && d->preprocessing.max_patches
               ? tomevit_positions_room(from, d->preprocessing.max_patches)
               : 0;
}

static void carve_scratch(const vit_team *c, vit_scratch *s,
                          vit_arena *arena)
{
    const tomevit_model *m = c->model;
    const tomevit_description *d = &m->d;

    *s = (vit_scratch){0};
    carve_operands(m, s, arena);
    s->norm = tomevit_carve_f32(arena, larger(m->block_rows * c->x_stride,
                                              tomevit_pool_width(d)));
    s->hidden = tomevit_carve_f32(arena, m->block_rows * c->hidden_stride);
    s->embedding = tomevit_carve_f32(
        arena, d->embedding ? m->block_rows * c->embedding_stride : 0);
    s->cells = tomevit_carve_f32(arena, m->block_rows * c->cell_stride);
    if (d->stem_side[0]) {
        s->patch = tomevit_carve_f32(arena, 3 * d->patch * d->patch);
        s->stem = tomevit_carve_f32(arena, tomevit_stem_floats(d));
    }
    tomevit_carve_stages(m, s, arena);
    s->positions = tomevit_carve(arena, places_room(d), sizeof(double));
    s->class_rows = tomevit_carve_f32(arena, d->class_layers ? 4 * d->dim : 0);
    s->gemm = tomevit_carve_f32(arena, gemm_scratch(m));
    tomevit_carve_block(c, s, arena);
    s->workspace = tomevit_carve(arena, c->workspace_bytes, 1);
}

static void carve_team(vit_team *c, vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t rows = c->group * d->tokens, threads = (size_t)c->threads;
    size_t ends = c->group + threads; /* one more for every team */
    vit_scratch unused;

    c->scratch = tomevit_carve(arena, threads, sizeof(vit_scratch));
    c->rows.offsets = tomevit_carve(arena, ends, sizeof(size_t));
    c->next.offsets = tomevit_carve(arena, ends, sizeof(size_t));
    c->planned = tomevit_carve(arena, c->group, sizeof(size_t));
    c->rows.x = tomevit_carve_f32(arena, rows * c->x_stride);
    c->next.x = tomevit_carve_f32(arena, rows * c->x_stride);
    c->qkv = tomevit_carve_f32(arena, rows * c->qkv_stride);
    c->attention = tomevit_carve_f32(arena, rows * c->x_stride);
    c->rows.size = tomevit_carve_f32(arena, rows);
    c->next.size = tomevit_carve_f32(arena, rows);
    c->rows.bias = tomevit_carve_f32(arena, rows);
    c->next.bias = tomevit_carve_f32(arena, rows);
    c->importance = tomevit_carve_f32(arena, rows);
    c->role = tomevit_carve(arena, rows, sizeof(*c->role));
    if (d->rope.kind) {
        c->turns = tomevit_carve_f32(arena, rows * tomevit_turns_of(d));
        c->unturned = tomevit_carve_f32(arena, rows * tomevit_head_dim(d));
    }
    c->rows.place = tomevit_carve(arena, rows, sizeof(int32_t));
    c->next.place = tomevit_carve(arena, rows, sizeof(int32_t));
    c->map = tomevit_carve(arena, rows, sizeof(int32_t));
    c->origin = tomevit_carve(arena, rows, sizeof(int32_t));
    c->rows.trace = tomevit_carve(arena, rows, sizeof(int32_t));
    c->next.trace = c->rows.trace;
    c->pooled = tomevit_carve_f32(
        arena, (d->distilled ? 2 : 1) * c->group * c->pooled_stride);
    c->logits_dist = tomevit_carve_f32(arena,
                                       d->distilled ? c->group * d->classes
                                                    : 0);
    for (int i = 0; i < c->threads; i++)
        carve_scratch(c, arena->base ? &c->scratch[i] : &unused, arena);
}

/* A team of one thread, and its part of the memory. */
static vit_team team_alone(const vit_team *all, size_t thread, size_t group)
{
    const tomevit_description *d = &all->model->d;
    size_t image = thread * group, row = image * d->tokens;
    vit_team c = *all;

    c.threads = 1;
    c.group = group;
    c.scratch += thread;
    c.rows.offsets += image + thread;
    c.next.offsets += image + thread;
    c.planned += image;
    c.rows.x += row * c.x_stride;
    c.next.x += row * c.x_stride;
    c.qkv += row * c.qkv_stride;
    c.attention += row * c.x_stride;
    c.rows.size += row;
    c.next.size += row;
    c.rows.bias += row;
    c.next.bias += row;
    c.importance += row;
    c.role += row;
    if (d->rope.kind) {
        c.turns += row * tomevit_turns_of(d);
        c.unturned += row * tomevit_head_dim(d);
    }
    c.rows.place += row;
    c.next.place += row;
    c.map += row;
    c.origin += row;
    c.rows.trace += row;
    c.next.trace = c.rows.trace;
    c.pooled += (d->distilled ? 2 : 1) * image * c.pooled_stride;
    c.logits_dist += d->distilled ? image * d->classes : 0;
    return c;
}

static void carve_context(tomevit_context *c, vit_arena *arena)
{
    size_t threads = (size_t)c->all.threads;
    size_t group = threads == 1 ? 0 : c->all.group / threads;

    c->alone = tomevit_carve(arena, threads, sizeof(*c->alone));
    carve_team(&c->all, arena);
    for (size_t i = 0; arena->base && i < threads; i++)
        c->alone[i] = team_alone(&c->all, i, group);
}

static void set_strides(vit_team *c, const tomevit_description *d)
{
    size_t pooled = d->pool == TOMEVIT_POOL_CLASS_LAYERS
                        ? d->dim : tomevit_pool_width(d);

    c->x_stride = tomevit_row_stride(d->dim);
    c->parts_stride = tomevit_row_stride(
        tomevit_mix_width(d) + d->mega.value + 2 * d->mega.shared);
    c->by_chunks = d->mega.chunk && c->group * (d->tokens / d->mega.chunk) >=
                                        2 * (size_t)c->threads;
    c->qkv_stride = c->by_chunks ? tomevit_row_stride(
        larger(d->dim, larger(d->mega.value, d->mega.shared)))
        : d->block != TOMEVIT_BLOCK_VIT ? c->parts_stride
        : tomevit_row_stride(d->dim + 2 * tomevit_kv_widest(d));
    /* The keys and values that are pooled by lie there as well, and are not
     * fewer where the layers' heads share theirs. */
    if (pooled)
        c->qkv_stride = larger(c->qkv_stride, tomevit_row_stride(2 * pooled));
    c->hidden_stride = tomevit_row_stride(
        larger(larger(tomevit_fc1_width(d),
                      larger(d->pool_mlp_dim, d->cells.hidden)),
               larger(tomevit_patch_length(d),
                      tomevit_kv_widest(d) + VIT_MAX_NR)));
    c->cell_stride = d->cells.side
                         ? tomevit_row_stride(tomevit_cell_length(d)) : 0;
    c->score_stride = tomevit_row_stride(
        vit_columns(d->mega.chunk ? d->mega.chunk : d->tokens));
    c->pooled_stride = tomevit_row_stride(d->features);
    c->embedding_stride = tomevit_row_stride(d->embedding);
}

int tomevit_context_create(const tomevit_model *model, size_t max_batch,
                           int threads, tomevit_context **context)
{
    enum { MOST_THREADS = 4096 };
    const tomevit_description *d;
    tomevit_context *c;
    size_t group;

    if (!context)
        return TOMEVIT_EINVAL;
    *context = NULL;
    if (!model || !max_batch || threads < 1 || threads > MOST_THREADS)
        return TOMEVIT_EINVAL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return TOMEVIT_ENOMEM;
    d = &model->d;
    group = larger(larger(GROUP_ROWS, THREAD_ROWS * (size_t)threads) /
                   d->tokens, 1);
    c->max_batch = max_batch;
    c->all.model = model;
    c->all.normalised = c->normalised;
    c->all.threads = threads;
    c->all.group = max_batch < group ? max_batch : group;
    c->all.workspace_bytes = merge_workspace(d);
    set_strides(&c->all, d);

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
    if (!context || !pre || !VIT_UNUSED(pre->reserved))
        return TOMEVIT_EINVAL;
    for (int k = 0; k < 3; k++)
        if (!isfinite(pre->mean[k]) || !isfinite(pre->std[k]) ||
            pre->std[k] <= 0.0f)
            return TOMEVIT_EINVAL;
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < 256; v++)
            context->normalised[k][v] =
                ((float)v / 255.0f - pre->mean[k]) / pre->std[k];
    return 0;
}
