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
