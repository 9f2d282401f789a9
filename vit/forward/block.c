/* SPDX-License-Identifier: MIT */
/* The products of a transformer layer, each on one block of rows. */
#include "config.h"

#include "context.h"

/* Normalised rows first .. first + rows - 1 of x, as `to` takes them. */
static vit_operand normalise(const vit_crew *c, const vit_norm *norm,
                             const vit_matrix *to, vit_scratch *s,
                             size_t first, size_t rows)
{
    const tomevit_model *m = c->model;
    vit_operand a = tomevit_operand_new(to, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < rows; i++) {
        m->dsp->layer_norm(m->d.dim, c->x + (first + i) * c->x_stride,
                           norm->weight, norm->bias, m->d.norm_eps,
                           tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    return a;
}

/* A norm of every head's queries or keys, in place; if the model has it. */
static void normalise_heads(const tomevit_model *m, const vit_norm *norm,
                            size_t rows, float *y, size_t stride)
{
    size_t head_dim = m->d.dim / m->d.heads;

    for (size_t i = 0; m->d.qk_norm && i < rows; i++)
        for (size_t h = 0; h < m->d.heads; h++)
            m->dsp->layer_norm(head_dim, y + i * stride + h * head_dim,
                               norm->weight, norm->bias, m->d.norm_eps,
                               y + i * stride + h * head_dim);
}

void tomevit_qkv(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows)
{
    vit_crew *c = p->c;
    vit_operand a = normalise(c, &l->norm1, &l->qkv, s, first, rows);

    tomevit_gemm(c->model->dsp, &l->qkv, VIT_STORE, rows, &a,
                 c->qkv + first * c->qkv_stride, c->qkv_stride, s->gemm);
    normalise_heads(c->model, &l->q_norm, rows,
                    c->qkv + first * c->qkv_stride, c->qkv_stride);
    normalise_heads(c->model, &l->k_norm, rows,
                    c->qkv + first * c->qkv_stride + c->model->d.dim,
                    c->qkv_stride);
}

/* The last panel of q comes along where it holds the first columns of k. */
void tomevit_keys_values(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                         size_t first, size_t rows)
{
    vit_crew *c = p->c;
    size_t dim = c->model->d.dim, column = dim;
    vit_matrix kv = tomevit_matrix_columns(c->model->dsp, &l->qkv, &column,
                                           2 * dim);
    vit_operand a = normalise(c, &l->norm1, &kv, s, first, rows);

    tomevit_gemm(c->model->dsp, &kv, VIT_STORE, rows, &a,
                 c->qkv + first * c->qkv_stride + column, c->qkv_stride,
                 s->gemm);
    normalise_heads(c->model, &l->k_norm, rows,
                    c->qkv + first * c->qkv_stride + dim, c->qkv_stride);
}

void tomevit_queries(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                     size_t first, size_t rows)
{
    vit_crew *c = p->c;
    const tomevit_model *m = c->model;
    size_t column = 0;
    vit_matrix q = tomevit_matrix_columns(m->dsp, &l->qkv, &column, m->d.dim);
    vit_operand a = tomevit_operand_new(&q, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < rows; i++) {
        size_t image = (first + i) / p->read, row = (first + i) % p->read;

        m->dsp->layer_norm(m->d.dim,
                           c->x + (c->offsets[image] + row) * c->x_stride,
                           l->norm1.weight, l->norm1.bias, m->d.norm_eps,
                           tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm(m->dsp, &q, VIT_STORE, rows, &a,
                 c->attention + first * c->x_stride, c->x_stride, s->gemm);
    normalise_heads(m, &l->q_norm, rows, c->attention + first * c->x_stride,
                    c->x_stride);
}

void tomevit_projection(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                        size_t first, size_t rows)
{
    vit_crew *c = p->c;
    vit_operand a = tomevit_operand(&l->proj, rows,
                                    c->attention + first * c->x_stride,
                                    c->x_stride, s->in);

    tomevit_gemm(c->model->dsp, &l->proj, VIT_ADD, rows, &a,
                 c->x + first * c->x_stride, c->x_stride, s->gemm);
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

void tomevit_mlp(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows)
{
    vit_crew *c = p->c;
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
                 c->x + first * c->x_stride, c->x_stride, s->gemm);
}
