/* SPDX-License-Identifier: MIT */
/* The products of a transformer layer, each on one block of rows. */
#include "config.h"

#include "../steps.h"
#include "ranges.h"

#include <string.h>

/* A norm is of what a product sees, of what is added to the tokens, or there is
 * one of each. */
static void norm_row(const tomevit_model *m, const vit_norm *norm,
                     const float *x, float *y)
{
    if (m->d.post_norm == 1)
        memcpy(y, x, m->d.dim * sizeof(*y));
    else
        tomevit_norm(m, norm, m->d.dim, x, y);
}

/* What sides of a layer's products are cut off at; NULL: nothing is. */
static const float *cut(const tomevit_model *m, const float *range)
{
    return m->d.ranges ? range : NULL;
}

/* What a layer's part gives, to the tokens x[rows, x_stride]. */
static void add_product(const vit_team *c, const vit_matrix *w,
                        const vit_norm *norm, const float *range,
                        const vit_operand *a, size_t rows, float *x,
                        vit_scratch *s)
{
    const tomevit_model *m = c->model;

    if (!m->d.post_norm && !m->d.ranges) {
        tomevit_gemm(m->dsp, w, VIT_ADD, rows, a, x, c->x_stride, s->gemm);
        return;
    }
    tomevit_gemm(m->dsp, w, VIT_STORE, rows, a, s->norm, c->x_stride, s->gemm);
    for (size_t i = 0; i < rows; i++, x += c->x_stride) {
        float *y = s->norm + i * c->x_stride;

        tomevit_cut_off(cut(m, range), m->d.dim, y);
        if (m->d.post_norm)
            tomevit_norm(m, norm, m->d.dim, y, y);
        for (size_t k = 0; k < m->d.dim; k++)
            x[k] += y[k];
    }
}

/* Rows of x[.., stride], normalised, as `to` takes them; then by another norm,
 * unless that is NULL; and cut off, unless `range` is. */
static vit_operand normalise_twice(const vit_team *c, const vit_norm *norm,
                                   const vit_norm *then, const float *range,
                                   const vit_matrix *to, vit_scratch *s,
                                   const float *x, size_t stride, size_t rows)
{
    const tomevit_model *m = c->model;
    vit_operand a = tomevit_operand_new(to, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < rows; i++) {
        float *row = tomevit_operand_row(&a, i);

        norm_row(m, norm, x + i * stride, row);
        if (then)
            tomevit_norm(m, then, m->d.dim, row, row);
        tomevit_cut_off(range, m->d.dim, row);
        tomevit_operand_set(&a, i);
    }
    return a;
}

/* Columns of a product whose rows are cut off alike, if there are ranges. */
typedef struct part {
    size_t first, width;
    const float *range;
} part;

static int cut_alike(const part *parts, size_t count)
{
    for (size_t i = 1; parts[0].range && i < count; i++)
        if (parts[i].range[0] != parts[0].range[0] ||
            parts[i].range[1] != parts[0].range[1])
            return 0;
    return 1;
}

/* Neighbouring parts of w's product of rows of x, normalised, to their columns
 * of y, and maybe a few before the first. Where their rows differ, each is a
 * product of its own, from the last on: one's first panel may hold the last
 * columns of the part before it. */
static void multiply_parts(const vit_team *c, const vit_matrix *w,
                           const vit_norm *norm, const vit_norm *then,
                           const part *parts, size_t count, vit_scratch *s,
                           const float *x, size_t stride, size_t rows, float *y,
                           size_t y_stride)
{
    const tomevit_model *m = c->model;
    size_t together = cut_alike(parts, count) ? count : 1;

    for (size_t end = count; end > 0; end -= together) {
        const part *from = &parts[end - together], *last = &parts[end - 1];
        size_t column = from->first;
        vit_matrix of = tomevit_matrix_columns(
            m->dsp, w, &column, last->first + last->width - from->first);
        vit_operand a = normalise_twice(c, norm, then, from->range, &of, s, x,
                                        stride, rows);

        tomevit_gemm(m->dsp, &of, VIT_STORE, rows, &a, y + column, y_stride,
                     s->gemm);
    }
}

static void finish_queries(const vit_pass *p, const vit_at *at, float *y,
                           size_t stride, int read)
{
    const tomevit_description *d = &p->c->model->d;
    const vit_norm *norm = &at->layer->q_norm;
    vit_heads h = {y, at->rows, stride, d->heads, d->qk_norm ? norm : NULL,
                   TOMEVIT_METRIC_Q_UNTURNED, read};

    tomevit_cut_rows(cut(p->c->model, at->layer->ranges.q), at->rows, stride,
                     d->dim, y);
    tomevit_finish_heads(p, at, &h);
}

static void finish_keys(const vit_pass *p, const vit_at *at, float *y,
                        size_t stride)
{
    const tomevit_description *d = &p->c->model->d;
    const vit_norm *norm = &at->layer->k_norm;
    vit_heads h = {y, at->rows, stride, tomevit_kv_heads(d, at->index),
                   d->qk_norm ? norm : NULL, TOMEVIT_METRIC_K_UNTURNED, 0};

    tomevit_cut_rows(cut(p->c->model, at->layer->ranges.k), at->rows, stride,
                     tomevit_kv_width(d, at->index), y);
    tomevit_finish_heads(p, at, &h);
}

/* Norms of values have no weights [transformers, models/gemma4]. */
static void finish_values(const vit_pass *p, const vit_at *at, float *y,
                          size_t stride)
{
    const tomevit_model *m = p->c->model;
    size_t width = tomevit_kv_width(&m->d, at->index);
    size_t head = tomevit_head_dim(&m->d);

    tomevit_cut_rows(cut(m, at->layer->ranges.v), at->rows, stride, width, y);
    for (size_t i = 0; m->d.qk_norm == 2 && i < at->rows; i++, y += stride)
        for (size_t k = 0; k < width; k += head)
            m->dsp->rms_norm(head, y + k, NULL, m->d.norm_eps, y + k);
}

enum { QUERIES, KEYS, VALUES };

/* From one of these to another, of the tokens. */
static void project(vit_pass *p, vit_scratch *s, const vit_at *at, size_t from,
                    size_t to)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    size_t dim = m->d.dim, width = tomevit_kv_width(&m->d, at->index);
    const part parts[] = {
        {0, dim, cut(m, l->ranges.to_q)},
        {dim, width, cut(m, l->ranges.to_k)},
        {dim + width, width, cut(m, l->ranges.to_v)},
    };
    float *y = c->qkv + at->first * c->qkv_stride;

    multiply_parts(c, &l->qkv, &l->norm1, NULL, parts + from, to - from + 1, s,
                   c->rows.x + at->first * c->x_stride, c->x_stride, at->rows,
                   y, c->qkv_stride);
    if (from == QUERIES)
        finish_queries(p, at, y, c->qkv_stride, 0);
    finish_keys(p, at, y + dim, c->qkv_stride);
    if (to == VALUES)
        finish_values(p, at, y + dim + width, c->qkv_stride);
}

void tomevit_qkv(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    project(p, s, at, QUERIES, VALUES);
}

void tomevit_queries_keys(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    project(p, s, at, QUERIES, KEYS);
}

void tomevit_keys_values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    project(p, s, at, KEYS, VALUES);
}

/* To where the values of as many rows from the first on would be: queries and
 * keys are still of the tokens before they merge. The last panel of keys comes
 * along where it holds the first columns of v. */
void tomevit_next_values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    size_t width = tomevit_kv_width(&m->d, at->index);
    size_t first = m->d.dim + width, column = first;
    vit_matrix v = tomevit_matrix_columns(m->dsp, &l->qkv, &column, width);
    vit_operand a = normalise_twice(c, &l->norm1, NULL, cut(m, l->ranges.to_v),
                                    &v, s, c->next.x + at->first * c->x_stride,
                                    c->x_stride, at->rows);

    tomevit_gemm(m->dsp, &v, VIT_STORE, at->rows, &a, s->hidden,
                 c->hidden_stride, s->gemm);
    for (size_t i = 0; i < at->rows; i++)
        memcpy(c->qkv + (at->first + i) * c->qkv_stride + first,
               s->hidden + i * c->hidden_stride + first - column,
               width * sizeof(float));
    finish_values(p, at, c->qkv + at->first * c->qkv_stride + first,
                  c->qkv_stride);
}

void tomevit_queries(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_layer *l = at->layer;
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t column = 0;
    vit_matrix q = tomevit_matrix_columns(m->dsp, &l->qkv, &column, m->d.dim);
    vit_operand a = tomevit_operand_new(&q, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < rows; i++) {
        size_t image = (first + i) / at->read;
        size_t row = (first + i) % at->read;

        norm_row(m, &l->norm1,
                 c->rows.x + (c->rows.offsets[image] + row) * c->x_stride,
                 tomevit_operand_row(&a, i));
        tomevit_cut_off(cut(m, l->ranges.to_q), m->d.dim,
                        tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm(m->dsp, &q, VIT_STORE, rows, &a,
                 c->attention + first * c->x_stride, c->x_stride, s->gemm);
    finish_queries(p, at, c->attention + first * c->x_stride, c->x_stride, 1);
}

void tomevit_projection(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_layer *l = at->layer;
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    float *x = c->attention + first * c->x_stride;
    vit_operand a;

    tomevit_cut_rows(cut(m, l->ranges.proj), rows, c->x_stride, m->d.dim, x);
    a = m->d.attn_norm
            ? normalise_twice(c, &l->attn_norm, NULL, NULL, &l->proj, s, x,
                              c->x_stride, rows)
            : tomevit_operand(&l->proj, rows, x, c->x_stride, s->in);
    add_product(c, &l->proj, m->d.post_norm == 2 ? &l->norm1_post : &l->norm1,
                l->ranges.attention, &a, rows,
                c->rows.x + first * c->x_stride, s);
}

enum vit_finish tomevit_activation_finish(const tomevit_description *d)
{
    switch (d->activation) {
    case TOMEVIT_GELU_TANH:
        return VIT_GELU_TANH;
    case TOMEVIT_QUICK_GELU:
        return VIT_QUICK_GELU;
    case TOMEVIT_SILU:
        return VIT_SILU;
    case TOMEVIT_SWIGLU:
    case TOMEVIT_GEGLU:
    case TOMEVIT_GEGLU_TANH:
        return VIT_STORE;
    default:
        return VIT_GELU;
    }
}

/* What makes one row of both halves of the first product. */
static void gate_row(const vit_team *c, const vit_layer *l, float *row)
{
    const tomevit_model *m = c->model;
    const vit_dsp *dsp = m->dsp;
    size_t n = m->d.mlp_dim;

    tomevit_cut_off(cut(m, l->ranges.gate), n, row);
    tomevit_cut_off(cut(m, l->ranges.up), n, row + n);
    (m->d.activation == TOMEVIT_GEGLU        ? dsp->geglu
     : m->d.activation == TOMEVIT_GEGLU_TANH ? dsp->geglu_tanh
                                             : dsp->swiglu)(n, row, row + n,
                                                            row);
}

void tomevit_mlp_of(vit_pass *p, vit_scratch *s, const vit_at *at,
                    const float *x, size_t stride)
{
    const vit_layer *l = at->layer;
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    const vit_norm *then = d->mlp_norm == 2 ? &l->mlp_norm : NULL;
    const part halves[] = {
        {0, d->mlp_dim, cut(c->model, l->ranges.to_gate)},
        {d->mlp_dim, d->mlp_dim, cut(c->model, l->ranges.to_up)},
    };
    vit_operand hidden = tomevit_operand_new(&l->fc2, s->hidden,
                                             c->hidden_stride, s->out);
    int by_row = tomevit_gated(d) || d->mlp_norm == 1;

    if (tomevit_gated(d)) {
        multiply_parts(c, &l->fc1, &l->norm2, then, halves, 2, s, x, stride,
                       rows, s->hidden, c->hidden_stride);
    } else {
        vit_operand a = normalise_twice(c, &l->norm2, then, halves[0].range,
                                        &l->fc1, s, x, stride, rows);

        if (d->mlp_norm == 1)
            tomevit_gemm(dsp, &l->fc1, tomevit_activation_finish(d), rows, &a,
                         s->hidden, c->hidden_stride, s->gemm);
        else
            tomevit_gemm_operand(dsp, &l->fc1, tomevit_activation_finish(d),
                                 rows, &a, &hidden, s->gemm);
    }
    for (size_t i = 0; by_row && i < rows; i++) {
        float *row = s->hidden + i * c->hidden_stride;

        if (tomevit_gated(d))
            gate_row(c, l, row);
        if (d->mlp_norm == 1)
            tomevit_norm(c->model, &l->mlp_norm, d->mlp_dim, row, row);
        tomevit_cut_off(cut(c->model, l->ranges.fc2), d->mlp_dim, row);
    }
    if (by_row)
        hidden = tomevit_operand(&l->fc2, rows, s->hidden, c->hidden_stride,
                                 s->out);
    add_product(c, &l->fc2, d->post_norm == 2 ? &l->norm2_post : &l->norm2,
                l->ranges.mlp, &hidden, rows, c->rows.x + first * c->x_stride,
                s);
}

void tomevit_mlp(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_team *c = p->c;

    tomevit_mlp_of(p, s, at, c->rows.x + at->first * c->x_stride, c->x_stride);
}
