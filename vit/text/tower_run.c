/* SPDX-License-Identifier: MIT */
/*
 * One text through the layers of its tower: those of a Vision Transformer,
 * where a row of CLIP's sees no row behind it. What a row becomes depends on
 * its own text alone.
 */
#include "config.h"

#include "tower.h"

#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- memory -------------------------------------------------------------- */

static void carve(const struct tomevit_text *t, vit_text_scratch *s)
{
    const vit_dsp *dsp = t->dsp;
    size_t rows = t->d.context, head = t->d.dim / t->d.heads, nr = dsp->nr;
    size_t columns = (rows + nr - 1) / nr * nr;
    vit_arena *a = &s->arena;

    s->x_stride = tomevit_row_stride(larger(t->d.dim, t->d.embedding));
    s->qkv_stride = tomevit_row_stride(3 * t->d.dim);
    s->hidden_stride = tomevit_row_stride(t->d.mlp_dim);
    s->score_stride = tomevit_row_stride(columns);
    s->x = tomevit_carve_f32(a, rows * s->x_stride);
    s->qkv = tomevit_carve_f32(a, rows * s->qkv_stride);
    s->attention = tomevit_carve_f32(a, rows * s->x_stride);
    s->norm = tomevit_carve_f32(a, rows * s->x_stride);
    s->hidden = tomevit_carve_f32(a, rows * s->hidden_stride);
    s->keys = tomevit_carve_f32(a, columns * head);
    s->values = tomevit_carve_f32(a, rows * ((head + nr - 1) / nr * nr));
    s->scores = tomevit_carve_f32(a, VIT_MAX_MR * s->score_stride);
    s->gemm = tomevit_carve_f32(a, tomevit_gemm_scratch(
        smaller(rows, VIT_BLOCK_ROWS),
        larger(larger(3 * t->d.dim, t->d.mlp_dim), t->d.embedding),
        larger(t->d.dim, t->d.mlp_dim)));
}

int tomevit_text_scratch(const struct tomevit_text *t, vit_text_scratch *s)
{
    memset(s, 0, sizeof(*s));
    carve(t, s);
    if (tomevit_arena_allocate(&s->arena) != 0)
        return TOMEVIT_ENOMEM;
    carve(t, s);
    return 0;
}

/* ---- products ------------------------------------------------------------ */

/* y = finish(x m + bias), a block of rows after another. */
static void multiply(const struct tomevit_text *t, const vit_text_scratch *s,
                     const vit_matrix *m, enum vit_finish how, size_t rows,
                     float *x, size_t ldx, float *y, size_t ldy)
{
    vit_operand_buffer none = {NULL, NULL, VIT_BLOCK_ROWS};

    for (size_t i = 0; i < rows; i += VIT_BLOCK_ROWS) {
        size_t now = smaller(rows - i, VIT_BLOCK_ROWS);
        vit_operand a = tomevit_operand(m, now, x + i * ldx, ldx, none);

        tomevit_gemm(t->dsp, m, how, now, &a, y + i * ldy, ldy, s->gemm);
    }
}

static void norm_rows(const struct tomevit_text *t, const vit_text_scratch *s,
                      const vit_text_norm *n, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        t->dsp->layer_norm(t->d.dim, s->x + i * s->x_stride, n->weight,
                           n->bias, t->d.norm_eps,
                           s->norm + i * s->x_stride);
}

/* ---- attention ----------------------------------------------------------- */

/* Keys as panels [head, nr], values as panels [rows, nr]. */
static void pack_head(const struct tomevit_text *t, const vit_text_scratch *s,
                      const float *k, size_t rows, size_t head)
{
    const float *v = k + t->d.dim;
    size_t nr = t->dsp->nr;

    for (size_t j = 0; j < rows; j += nr)
        t->dsp->pack(smaller(rows - j, nr), head, k + j * s->qkv_stride,
                     s->qkv_stride, nr, s->keys + j * head);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < head; j += nr) {
            size_t width = smaller(head - j, nr);
            float *row = s->values + j * rows + i * nr;

            memcpy(row, v + i * s->qkv_stride + j, width * sizeof(*v));
            memset(row + width, 0, (nr - width) * sizeof(*v));
        }
}

/* softmax(q k^T / sqrt(head)) of a tile's queries; zeros for rows that a query
 * does not see. `seen` rows by the first query, one more by each. */
static void weigh(const struct tomevit_text *t, const vit_text_scratch *s,
                  const float *q, size_t rows, size_t all, size_t seen,
                  size_t head)
{
    float scale = 1.0f / sqrtf((float)head);
    const vit_dsp *dsp = t->dsp;

    for (size_t j = 0; j < all; j += dsp->nr) {
        const float *panel = s->keys + j * head;

        dsp->gemm(rows, head, q, s->qkv_stride, panel, s->scores + j,
                  s->score_stride, 0, (vit_ahead){panel, panel, 0});
    }
    for (size_t i = 0; i < rows; i++) {
        float *row = s->scores + i * s->score_stride;
        size_t n = t->d.causal ? smaller(seen + i, all) : all;

        dsp->softmax(n, scale, NULL, row);
        memset(row + n, 0, (all - n) * sizeof(*row));
    }
}

static void attend(const struct tomevit_text *t, const vit_text_scratch *s,
                   size_t index, size_t rows)
{
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    size_t head = t->d.dim / t->d.heads, nr = t->dsp->nr, now;
    const float *q = s->qkv + index * head;

    pack_head(t, s, q + t->d.dim, rows, head);
    for (size_t i = 0; i < rows; i += now) {
        float *y = s->attention + i * s->x_stride + index * head;

        now = vit_tile_rows(rows - i, t->dsp->mr);
        weigh(t, s, q + i * s->qkv_stride, now, rows, i + 1, head);
        for (size_t j = 0; j < head; j += nr) {
            const float *panel = s->values + j * rows;
            size_t width = smaller(head - j, nr);

            t->dsp->gemm(now, rows, s->scores, s->score_stride, panel, tile,
                         nr, 0, (vit_ahead){panel, tile, 0});
            for (size_t r = 0; r < now; r++)
                memcpy(y + r * s->x_stride + j, tile + r * nr,
                       width * sizeof(*y));
        }
    }
}

/* ---- a text -------------------------------------------------------------- */

static enum vit_finish finish_of(int activation)
{
    switch (activation) {
    case TOMEVIT_GELU_TANH:
        return VIT_GELU_TANH;
    case TOMEVIT_QUICK_GELU:
        return VIT_QUICK_GELU;
    default:
        return VIT_GELU;
    }
}

static void run_layer(const struct tomevit_text *t, const vit_text_scratch *s,
                      const vit_text_layer *l, size_t rows)
{
    norm_rows(t, s, &l->norm1, rows);
    multiply(t, s, &l->qkv, VIT_STORE, rows, s->norm, s->x_stride, s->qkv,
             s->qkv_stride);
    for (size_t h = 0; h < t->d.heads; h++)
        attend(t, s, h, rows);
    multiply(t, s, &l->out, VIT_ADD, rows, s->attention, s->x_stride, s->x,
             s->x_stride);
    norm_rows(t, s, &l->norm2, rows);
    multiply(t, s, &l->fc1, finish_of(t->d.activation), rows, s->norm,
             s->x_stride, s->hidden, s->hidden_stride);
    multiply(t, s, &l->fc2, VIT_ADD, rows, s->hidden, s->hidden_stride, s->x,
             s->x_stride);
}

void tomevit_text_run(const struct tomevit_text *t, vit_text_scratch *s,
                      const int32_t *ids, size_t rows, size_t at, float *y)
{
    size_t dim = t->d.dim;
    float *row = s->x + at * s->x_stride;
    double square = 0;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < dim; j++)
            s->x[i * s->x_stride + j] =
                t->embeddings[(size_t)ids[i] * dim + j] +
                t->positions[i * dim + j];
    for (size_t i = 0; i < t->d.depth; i++)
        run_layer(t, s, &t->layers[i], rows);
    t->dsp->layer_norm(dim, row, t->norm.weight, t->norm.bias, t->d.norm_eps,
                       s->norm);
    if (t->projected)
        multiply(t, s, &t->projection, VIT_STORE, 1, s->norm, s->x_stride,
                 s->attention, s->x_stride);
    else
        memcpy(s->attention, s->norm, dim * sizeof(float));
    for (size_t j = 0; j < t->d.embedding; j++)
        square += (double)s->attention[j] * (double)s->attention[j];
    for (size_t j = 0; j < t->d.embedding; j++)
        y[j] = (float)((double)s->attention[j] / (square > 0 ? sqrt(square)
                                                             : 1));
}
