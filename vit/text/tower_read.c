/* SPDX-License-Identifier: MIT */
/* A text tower's weights: read, checked, packed. */
#include "config.h"

#include "tower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void carve_norm(vit_text_norm *n, size_t dim, vit_arena *arena)
{
    n->weight = tomevit_carve_f32(arena, dim);
    n->bias = tomevit_carve_f32(arena, dim);
}

static void carve(struct tomevit_text *t, vit_arena *arena)
{
    size_t dim = t->d.dim, hidden = t->d.mlp_dim;
    vit_text_layer unused, *layers;

    layers = tomevit_carve(arena, t->d.depth, sizeof(*layers));
    t->layers = layers;
    for (size_t i = 0; i < t->d.depth; i++) {
        vit_text_layer *l = layers ? &layers[i] : &unused;

        carve_norm(&l->norm1, dim, arena);
        carve_norm(&l->norm2, dim, arena);
        tomevit_matrix_carve(t->dsp, NULL, &l->qkv, 3 * dim, dim, arena);
        tomevit_matrix_carve(t->dsp, NULL, &l->out, dim, dim, arena);
        tomevit_matrix_carve(t->dsp, NULL, &l->fc1, hidden, dim, arena);
        tomevit_matrix_carve(t->dsp, NULL, &l->fc2, dim, hidden, arena);
    }
    carve_norm(&t->norm, dim, arena);
    t->embeddings = tomevit_carve(arena, t->d.vocabulary,
                                  dim * sizeof(float));
    t->positions = tomevit_carve_f32(arena, t->d.context * dim);
    tomevit_matrix_carve(t->dsp, NULL, &t->projection, t->d.embedding, dim,
                         arena);
}

/* What tensors are read with. `error` stays at the first one. */
typedef struct reader {
    struct tomevit_text *t;
    const vit_tensors *file;
    const vit_report *report;
    float *buffer;         /* of the largest matrix */
    int error;
} reader;

static void fail(reader *r, const char *name, const char *what)
{
    r->error = tomevit_fail(r->report, TOMEVIT_EMODEL, "\"%.120s\": expected "
                            "%s", name, what);
}

/* A tensor of this shape, [columns] if rows is 0; finite throughout. */
static void read(reader *r, const vit_stored *from, const char *name,
                 size_t rows, size_t columns, float *out)
{
    size_t count = rows ? rows * columns : columns;

    if (r->error)
        return;
    if (!from || from->dims != (rows ? 2 : 1) ||
        from->shape[0] != (rows ? rows : columns) ||
        (rows && from->shape[1] != columns)) {
        fail(r, from ? from->name : name, "a tensor of the text tower's "
             "width");
        return;
    }
    if (!from->dtype->to_f32) {
        fail(r, from->name, "floating-point numbers");
        return;
    }
    r->error = tomevit_tensors_read(r->file, from, out, r->report->why);
    for (size_t i = 0; !r->error && i < count; i++)
        if (!isfinite(out[i]))
            fail(r, from->name, "finite numbers");
    r->t->d.parameters += count;
}

static void read_part(reader *r, size_t layer, const char *name,
                      const char *tail, size_t rows, size_t columns,
                      float *out)
{
    if (!r->error)
        read(r, tomevit_text_find(r->t, r->file, layer, name, tail), name,
             rows, columns, out);
}

static void read_norm(reader *r, size_t layer, const char *name,
                      vit_text_norm *n)
{
    read_part(r, layer, name, ".weight", 0, r->t->d.dim, n->weight);
    read_part(r, layer, name, ".bias", 0, r->t->d.dim, n->bias);
}

static void read_product(reader *r, size_t layer, const char *name,
                         vit_matrix *m)
{
    read_part(r, layer, name, ".weight", m->n, m->k, r->buffer);
    read_part(r, layer, name, ".bias", 0, m->n, m->bias);
    if (!r->error)
        tomevit_matrix_pack(r->t->dsp, m, r->buffer);
}

static void read_qkv(reader *r, size_t layer, vit_matrix *m)
{
    static const char *const apart[] = {"self_attn.q_proj", "self_attn.k_proj",
                                        "self_attn.v_proj"};
    const char *joined = r->t->names->qkv;
    size_t dim = m->k;

    if (joined) {
        read_part(r, layer, joined, "weight", m->n, dim, r->buffer);
        read_part(r, layer, joined, "bias", 0, m->n, m->bias);
    }
    for (size_t i = 0; !joined && i < 3; i++) {
        read_part(r, layer, apart[i], ".weight", dim, dim,
                  r->buffer + i * dim * dim);
        read_part(r, layer, apart[i], ".bias", 0, dim, m->bias + i * dim);
    }
    if (!r->error)
        tomevit_matrix_pack(r->t->dsp, m, r->buffer);
}

/* CLIP's own is [dim, embedding], the others' are [embedding, dim]. */
static void read_projection(reader *r)
{
    struct tomevit_text *t = r->t;
    size_t n = t->d.embedding, dim = t->d.dim;
    char name[256], bias[256];
    const char *const named[][2] = {
        {t->outer, "text_projection"}, {t->base, "head"},
    };

    for (size_t i = 0; i < 2; i++) {
        const vit_stored *from;

        snprintf(name, sizeof(name), "%s%s.weight", named[i][0], named[i][1]);
        snprintf(bias, sizeof(bias), "%s%s.bias", named[i][0], named[i][1]);
        from = tomevit_tensors_find(r->file, name);
        if (!from)
            continue;
        read(r, from, name, n, dim, r->buffer);
        if (tomevit_tensors_find(r->file, bias))
            read(r, tomevit_tensors_find(r->file, bias), bias, 0, n,
                 t->projection.bias);
        if (!r->error)
            tomevit_matrix_pack(t->dsp, &t->projection, r->buffer);
        return;
    }
    float *as_stored = malloc(n * dim * sizeof(*as_stored));
    if (!as_stored) {
        r->error = tomevit_fail(r->report, TOMEVIT_ENOMEM, "out of memory");
        return;
    }
    read_part(r, SIZE_MAX, "text_projection", "", dim, n, as_stored);
    for (size_t i = 0; i < n && !r->error; i++)
        for (size_t j = 0; j < dim; j++)
            r->buffer[i * dim + j] = as_stored[j * n + i];
    free(as_stored);
    if (!r->error)
        tomevit_matrix_pack(t->dsp, &t->projection, r->buffer);
}

static void read_all(reader *r)
{
    struct tomevit_text *t = r->t;
    const vit_text_names *names = t->names;

    read_part(r, SIZE_MAX, names->anchor, "", t->d.vocabulary, t->d.dim,
              t->embeddings);
    read_part(r, SIZE_MAX, names->positions, "", t->d.context, t->d.dim,
              t->positions);
    for (size_t i = 0; i < t->d.depth && !r->error; i++) {
        vit_text_layer *l = &t->layers[i];

        read_norm(r, i, names->norm1, &l->norm1);
        read_norm(r, i, names->norm2, &l->norm2);
        read_qkv(r, i, &l->qkv);
        read_product(r, i, names->out, &l->out);
        read_product(r, i, names->fc1, &l->fc1);
        read_product(r, i, names->fc2, &l->fc2);
    }
    read_norm(r, SIZE_MAX, names->final, &t->norm);
    if (t->projected && !r->error)
        read_projection(r);
}

int tomevit_text_read(struct tomevit_text *t, const vit_tensors *file,
                      const vit_report *report)
{
    size_t dim = t->d.dim, most = 3 * dim;
    reader r = {.t = t, .file = file, .report = report};

    t->dsp = tomevit_dsp_choose(tomerge_cpu_flags());
    most = most > t->d.mlp_dim ? most : t->d.mlp_dim;
    most = most > t->d.embedding ? most : t->d.embedding;
    carve(t, &t->arena);
    r.buffer = most < SIZE_MAX / sizeof(float) / dim
                   ? malloc(most * dim * sizeof(float)) : NULL;
    if (!r.buffer || tomevit_arena_allocate(&t->arena) != 0) {
        free(r.buffer);
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    }
    carve(t, &t->arena);
    read_all(&r);
    free(r.buffer);
    return r.error;
}
