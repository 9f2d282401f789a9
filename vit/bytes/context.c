/* SPDX-License-Identifier: MIT */
/* All the memory of passes through a model of bytes, carved once. */
#include "config.h"

#include "context.h"

#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

int tomevit_bytes_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t columns(size_t n)
{
    return (n + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
}

static size_t gemm_scratch(const tomevit_bytes *m)
{
    const vit_bytes_part *parts[] = {&m->global, &m->local};
    size_t most = 0;

    for (size_t i = 0; i < 2; i++) {
        const vit_bytes_part *p = parts[i];
        const size_t shapes[][2] = {
            {p->dim + 2 * vit_bytes_kv_width(p), p->dim}, {p->dim, p->dim},
            {vit_bytes_up_width(p), p->dim}, {p->dim, p->hidden},
            {VIT_BYTE_VALUES, p->dim},
        };

        for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++)
            most = larger(most, tomevit_gemm_scratch(m->block_rows,
                                                     shapes[k][0],
                                                     shapes[k][1]));
    }
    return most;
}

static vit_operand_buffer carve_operand(const tomevit_bytes *m, size_t k,
                                        vit_arena *arena)
{
    vit_operand_buffer buffer = {.rows = m->block_rows};
    size_t bytes = tomevit_operand_bytes(m->low, m->block_rows, k);

    if (bytes) {
        buffer.data = tomevit_carve(arena, bytes, 1);
        buffer.quants = tomevit_carve(arena, m->block_rows,
                                      sizeof(vit_quant));
    }
    return buffer;
}

static void carve_scratch(const tomevit_bytes_context *c, vit_bytes_scratch *s,
                          vit_arena *arena)
{
    const tomevit_bytes *m = c->m;
    size_t block = m->block_rows;
    size_t local = c->together * m->local.length;
    size_t rows = larger(larger(m->global.length, local), c->step_rows);
    size_t cache = larger(tomevit_bytes_cache(&m->global),
                          c->together * tomevit_bytes_cache(&m->local));

    s->x = tomevit_carve_f32(arena, rows * c->x_stride);
    s->qkv = tomevit_carve_f32(arena, rows * c->qkv_stride);
    s->attention = tomevit_carve_f32(arena, rows * c->x_stride);
    s->norm = tomevit_carve_f32(arena, block * c->x_stride);
    s->hidden = tomevit_carve_f32(arena, block * c->hidden_stride);
    s->scores = tomevit_carve_f32(arena, VIT_MAX_MR * c->score_stride);
    s->logits = tomevit_carve_f32(arena, block * VIT_BYTE_VALUES);
    s->cache = tomevit_carve_f32(arena, cache);
    s->gemm = tomevit_carve_f32(arena, gemm_scratch(m));
    if (m->global.group) {
        vit_bytes_merge none, *merge;

        merge = tomevit_carve(arena, 1, sizeof(*merge));
        s->merge = merge;
        tomevit_bytes_carve_merge(&m->global, merge ? merge : &none, arena);
    }
    s->in = carve_operand(m, larger(m->global.dim, m->local.dim), arena);
    s->out = carve_operand(m, larger(m->global.hidden, m->local.hidden), arena);
}

static void carve(tomevit_bytes_context *c, vit_arena *arena)
{
    const tomevit_bytes *m = c->m;
    size_t dg = m->d.global_dim / m->d.patch;
    vit_bytes_scratch unused;

    c->scratch = tomevit_carve(arena, (size_t)c->threads, sizeof(*c->scratch));
    for (int i = 0; i < c->threads; i++)
        carve_scratch(c, c->scratch ? &c->scratch[i] : &unused, arena);
    c->global = tomevit_carve_f32(arena, c->max_batch * m->d.length * dg);
    c->past = tomevit_carve(arena, c->max_batch, m->d.patch);
}

static void set_sizes(tomevit_bytes_context *c)
{
    const tomevit_bytes *m = c->m;
    const vit_bytes_part *g = &m->global, *l = &m->local;
    size_t block = m->block_rows;

    c->together = larger(block / l->length, 1);
    c->together = c->together < m->d.patches ? c->together : m->d.patches;
    c->step_rows = c->max_batch < block ? c->max_batch : block;
    c->x_stride = tomevit_row_stride(larger(g->dim, l->dim));
    c->qkv_stride = tomevit_row_stride(
        larger(g->dim + 2 * vit_bytes_kv_width(g),
               l->dim + 2 * vit_bytes_kv_width(l)));
    c->hidden_stride = tomevit_row_stride(larger(vit_bytes_up_width(g),
                                                 vit_bytes_up_width(l)));
    /* The last panel of each of three parts of the past may go beyond it. */
    c->score_stride = tomevit_row_stride(
        columns(larger(g->length, l->length)) + VIT_MAX_NR);
    c->kept_global = g->blocks_count * g->share * tomevit_bytes_cache(g);
    c->kept_local = l->blocks_count * l->share * tomevit_bytes_cache(l);
}

int tomevit_bytes_context_create(const tomevit_bytes *model, size_t max_batch,
                                 int threads, tomevit_bytes_context **context)
{
    enum { MOST_THREADS = 4096 };
    tomevit_bytes_context *c;

    if (!context)
        return TOMEVIT_EINVAL;
    *context = NULL;
    if (!model || !max_batch || threads < 1 || threads > MOST_THREADS)
        return TOMEVIT_EINVAL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return TOMEVIT_ENOMEM;
    c->m = model;
    c->threads = threads;
    c->max_batch = max_batch;
    set_sizes(c);
    carve(c, &c->arena);
    c->bytes = c->arena.used;
    if (tomevit_arena_allocate(&c->arena)) {
        free(c);
        return TOMEVIT_ENOMEM;
    }
    carve(c, &c->arena);
    *context = c;
    return 0;
}

void tomevit_bytes_context_free(tomevit_bytes_context *context)
{
    if (!context)
        return;
    free(context->kept);
    tomevit_arena_free(&context->arena);
    free(context);
}
