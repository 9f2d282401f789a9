/* SPDX-License-Identifier: MIT */
/* The products of a transformer layer, each on one block of rows. */
#include "config.h"

#include "../steps.h"

/* Normalised rows first .. first + rows - 1 of x, as `to` takes them. */
static vit_operand normalise(const vit_team *c, const vit_norm *norm,
                             const vit_matrix *to, vit_scratch *s,
                             size_t first, size_t rows)
{
    const tomevit_model *m = c->model;
    vit_operand a = tomevit_operand_new(to, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < rows; i++) {
        m->dsp->layer_norm(m->d.dim, c->rows.x + (first + i) * c->x_stride,
                           norm->weight, norm->bias, m->d.norm_eps,
                           tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    return a;
}

/* Rotations of queries and keys by their positions belong here too. */
void tomevit_finish_heads(const tomevit_model *m, const vit_norm *norm,
                          size_t rows, float *y, size_t stride)
{
    size_t head_dim = m->d.dim / m->d.heads;

    for (size_t i = 0; norm && i < rows; i++)
        for (size_t h = 0; h < m->d.heads; h++)
            m->dsp->layer_norm(head_dim, y + i * stride + h * head_dim,
                               norm->weight, norm->bias, m->d.norm_eps,
                               y + i * stride + h * head_dim);
}

static const vit_norm *if_there(const tomevit_model *m, const vit_norm *norm)
{
    return m->d.qk_norm ? norm : NULL;
}

void tomevit_qkv(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    vit_operand a = normalise(c, &l->norm1, &l->qkv, s, at->first, at->rows);
    float *q = c->qkv + at->first * c->qkv_stride;

    tomevit_gemm(m->dsp, &l->qkv, VIT_STORE, at->rows, &a, q, c->qkv_stride,
                 s->gemm);
    tomevit_finish_heads(m, if_there(m, &l->q_norm), at->rows, q,
                         c->qkv_stride);
    tomevit_finish_heads(m, if_there(m, &l->k_norm), at->rows, q + m->d.dim,
                         c->qkv_stride);
}

/* The last panel of q comes along where it holds the first columns of k. */
void tomevit_keys_values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    size_t dim = m->d.dim, column = dim;
    vit_matrix kv = tomevit_matrix_columns(m->dsp, &l->qkv, &column, 2 * dim);
    vit_operand a = normalise(c, &l->norm1, &kv, s, at->first, at->rows);
    float *q = c->qkv + at->first * c->qkv_stride;

    tomevit_gemm(m->dsp, &kv, VIT_STORE, at->rows, &a, q + column,
                 c->qkv_stride, s->gemm);
    tomevit_finish_heads(m, if_there(m, &l->k_norm), at->rows, q + dim,
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

        m->dsp->layer_norm(
            m->d.dim, c->rows.x + (c->rows.offsets[image] + row) * c->x_stride,
            l->norm1.weight, l->norm1.bias, m->d.norm_eps,
            tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm(m->dsp, &q, VIT_STORE, rows, &a,
                 c->attention + first * c->x_stride, c->x_stride, s->gemm);
    tomevit_finish_heads(m, if_there(m, &l->q_norm), rows,
                         c->attention + first * c->x_stride, c->x_stride);
}

void tomevit_projection(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_layer *l = at->layer;
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    vit_operand a = tomevit_operand(&l->proj, rows,
                                    c->attention + first * c->x_stride,
                                    c->x_stride, s->in);

    tomevit_gemm(c->model->dsp, &l->proj, VIT_ADD, rows, &a,
                 c->rows.x + first * c->x_stride, c->x_stride, s->gemm);
}

enum vit_finish tomevit_activation_finish(const tomevit_description *d)
{
    switch (d->activation) {
    case TOMEVIT_GELU_TANH:
        return VIT_GELU_TANH;
    case TOMEVIT_QUICK_GELU:
        return VIT_QUICK_GELU;
    case TOMEVIT_SWIGLU:
        return VIT_STORE;
    default:
        return VIT_GELU;
    }
}

void tomevit_mlp(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_layer *l = at->layer;
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    vit_operand a = normalise(c, &l->norm2, &l->fc1, s, first, rows);
    vit_operand hidden = tomevit_operand_new(&l->fc2, s->hidden,
                                             c->hidden_stride, s->out);

    if (d->activation == TOMEVIT_SWIGLU) {
        tomevit_gemm(dsp, &l->fc1, VIT_STORE, rows, &a, s->hidden,
                     c->hidden_stride, s->gemm);
        for (size_t i = 0; i < rows; i++) {
            float *row = s->hidden + i * c->hidden_stride;

            dsp->swiglu(d->mlp_dim, row, row + d->mlp_dim, row);
        }
        hidden = tomevit_operand(&l->fc2, rows, s->hidden, c->hidden_stride,
                                 s->out);
    } else {
        tomevit_gemm_operand(dsp, &l->fc1, tomevit_activation_finish(d), rows,
                             &a, &hidden, s->gemm);
    }
    tomevit_gemm(dsp, &l->fc2, VIT_ADD, rows, &hidden,
                 c->rows.x + first * c->x_stride, c->x_stride, s->gemm);
}
