/* SPDX-License-Identifier: MIT */
/*
 * Layers of class attention: behind those of the patches the class token comes
 * in, and it alone looks at itself and at all of them, and goes through an MLP.
 * [CaiT, arXiv 2103.17239, section 3] A token that stands for several weighs as
 * many: ln(size) on its score.
 */
#include "config.h"

#include "steps.h"

#include <math.h>
#include <string.h>

/* Keys and values of all tokens of an image, where its queries were. */
static void keys_and_values(vit_team *c, vit_scratch *s,
                            const vit_class_layer *l, size_t image)
{
    const tomevit_model *m = c->model;
    size_t end = c->rows.offsets[image + 1], rows;

    for (size_t t = c->rows.offsets[image]; t < end; t += rows) {
        vit_operand a = tomevit_operand_new(&l->kv, s->norm, c->x_stride,
                                            s->in);

        rows = end - t < m->block_rows ? end - t : m->block_rows;
        for (size_t i = 0; i < rows; i++) {
            tomevit_norm(m, &l->norm1, m->d.dim,
                         c->rows.x + (t + i) * c->x_stride,
                         tomevit_operand_row(&a, i));
            tomevit_operand_set(&a, i);
        }
        tomevit_gemm(m->dsp, &l->kv, VIT_STORE, rows, &a,
                     c->qkv + t * c->qkv_stride, c->qkv_stride, s->gemm);
    }
}

/* own = query, key and value of the class token x. */
static void own_products(const vit_team *c, vit_scratch *s,
                         const vit_class_layer *l, const float *x, float *own)
{
    const tomevit_model *m = c->model;
    size_t dim = m->d.dim;
    vit_operand a;

    tomevit_norm(m, &l->norm1, dim, x, s->norm);
    a = tomevit_operand(&l->q, 1, s->norm, c->x_stride, s->in);
    tomevit_gemm(m->dsp, &l->q, VIT_STORE, 1, &a, own, dim, s->gemm);
    a = tomevit_operand(&l->kv, 1, s->norm, c->x_stride, s->in);
    tomevit_gemm(m->dsp, &l->kv, VIT_STORE, 1, &a, own + dim, 2 * dim,
                 s->gemm);
}

/* y[dim] = the values, the class token's own first, weighed by what its query
 * makes of the keys. */
static void look(const vit_pass *p, vit_scratch *s, size_t image,
                 const float *own, float *y)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[image], dim = d->dim;
    size_t tokens = c->rows.offsets[image + 1] - first;
    size_t head_dim = dim / d->pool_heads;
    const float *bias = vit_bias(p, first);
    float scale = 1.0f / sqrtf((float)head_dim);

    memset(y, 0, dim * sizeof(*y));
    for (size_t at = 0; at < dim; at += head_dim) {
        for (size_t t = 0; t <= tokens; t++) {
            const float *k = t ? c->qkv + (first + t - 1) * c->qkv_stride
                               : own + dim;
            float sum = 0.0f;

            for (size_t i = at; i < at + head_dim; i++)
                sum += own[i] * k[i];
            s->scores[t] = sum * scale + (t && bias ? bias[t - 1] : 0.0f);
        }
        c->model->dsp->softmax(tokens + 1, 1.0f, NULL, s->scores);
        for (size_t t = 0; t <= tokens; t++) {
            const float *v = t ? c->qkv + (first + t - 1) * c->qkv_stride + dim
                               : own + 2 * dim;

            for (size_t i = at; i < at + head_dim; i++)
                y[i] += s->scores[t] * v[i];
        }
    }
}

/* x += scale y; NULL: without a scale. */
static void add_scaled(size_t n, const float *scale, const float *y, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] += scale ? scale[i] * y[i] : y[i];
}

void tomevit_class_layers(const vit_pass *p, vit_scratch *s, size_t image,
                          float *y)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t dim = m->d.dim;
    float *x = s->class_rows, *own = x + dim, *added = own; /* when used up */

    memcpy(x, m->class_row, dim * sizeof(*x));
    for (size_t i = 0; i < m->d.class_layers; i++) {
        const vit_class_layer *l = &m->class_layers[i];
        vit_operand hidden = tomevit_operand_new(&l->fc2, s->hidden,
                                                 c->hidden_stride, s->out);
        vit_operand a;

        keys_and_values(c, s, l, image);
        own_products(c, s, l, x, own);
        look(p, s, image, own, s->norm);
        a = tomevit_operand(&l->proj, 1, s->norm, c->x_stride, s->in);
        tomevit_gemm(m->dsp, &l->proj, VIT_STORE, 1, &a, added, dim, s->gemm);
        add_scaled(dim, l->scale1, added, x);
        tomevit_norm(m, &l->norm2, dim, x, s->norm);
        a = tomevit_operand(&l->fc1, 1, s->norm, c->x_stride, s->in);
        tomevit_gemm_operand(m->dsp, &l->fc1,
                             tomevit_activation_finish(&m->d), 1, &a, &hidden,
                             s->gemm);
        tomevit_gemm(m->dsp, &l->fc2, VIT_STORE, 1, &hidden, added, dim,
                     s->gemm);
        add_scaled(dim, l->scale2, added, x);
    }
    tomevit_final_norm(m, x, y);
}
