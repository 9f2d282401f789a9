/* SPDX-License-Identifier: MIT */
/* The products of a transformer layer, each on one block of rows. */
#include "config.h"

#include "context.h"

/* Normalised rows first .. first + rows - 1 of x, into the scratch. */
static void normalise(const tomevit_context *c, const vit_norm *norm,
                      vit_scratch *s, size_t first, size_t rows)
{
    const tomevit_model *m = c->model;

    for (size_t i = 0; i < rows; i++)
        m->dsp->layer_norm(m->d.dim, c->x + (first + i) * c->x_stride,
                           norm->weight, norm->bias, m->d.norm_eps,
                           s->norm + i * c->x_stride);
}

void tomevit_qkv(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows)
{
    tomevit_context *c = p->c;

    normalise(c, &l->norm1, s, first, rows);
    tomevit_gemm(c->model->dsp, &l->qkv, VIT_STORE, rows, s->norm, c->x_stride,
                 c->qkv + first * c->qkv_stride, c->qkv_stride, s->gemm);
}

/* The last panel of q comes along where it holds the first columns of k. */
void tomevit_keys_values(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                         size_t first, size_t rows)
{
    tomevit_context *c = p->c;
    size_t dim = c->model->d.dim, column = dim;
    vit_matrix kv = tomevit_matrix_columns(c->model->dsp, &l->qkv, &column,
                                           2 * dim);

    normalise(c, &l->norm1, s, first, rows);
    tomevit_gemm(c->model->dsp, &kv, VIT_STORE, rows, s->norm, c->x_stride,
                 c->qkv + first * c->qkv_stride + column, c->qkv_stride,
                 s->gemm);
}

void tomevit_queries(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                     size_t first, size_t rows)
{
    tomevit_context *c = p->c;
    const tomevit_model *m = c->model;
    size_t column = 0;
    vit_matrix q = tomevit_matrix_columns(m->dsp, &l->qkv, &column, m->d.dim);

    for (size_t i = 0; i < rows; i++) {
        size_t image = (first + i) / p->read, row = (first + i) % p->read;

        m->dsp->layer_norm(m->d.dim,
                           c->x + (c->offsets[image] + row) * c->x_stride,
                           l->norm1.weight, l->norm1.bias, m->d.norm_eps,
                           s->norm + i * c->x_stride);
    }
    tomevit_gemm(m->dsp, &q, VIT_STORE, rows, s->norm, c->x_stride,
                 c->attention + first * c->x_stride, c->x_stride, s->gemm);
}

void tomevit_projection(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                        size_t first, size_t rows)
{
    tomevit_context *c = p->c;

    tomevit_gemm(c->model->dsp, &l->proj, VIT_ADD, rows,
                 c->attention + first * c->x_stride, c->x_stride,
                 c->x + first * c->x_stride, c->x_stride, s->gemm);
}

void tomevit_mlp(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows)
{
    tomevit_context *c = p->c;
    const vit_dsp *dsp = c->model->dsp;

    normalise(c, &l->norm2, s, first, rows);
    tomevit_gemm(dsp, &l->fc1, VIT_GELU, rows, s->norm, c->x_stride,
                 s->hidden, c->hidden_stride, s->gemm);
    tomevit_gemm(dsp, &l->fc2, VIT_ADD, rows, s->hidden, c->hidden_stride,
                 c->x + first * c->x_stride, c->x_stride, s->gemm);
}
