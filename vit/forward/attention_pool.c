/* SPDX-License-Identifier: MIT */
/*
 * Pooling by attention: one learnt query looks at all tokens, and an MLP
 * follows. [arXiv 1810.00825; SigLIP, arXiv 2303.15343] Or it is the first of
 * several, which do not see one another, and a norm follows. [CoCa, arXiv
 * 2205.01917; open_clip, transformer.py: AttentionalPooler] A token that stands
 * for several weighs as many: ln(size) on its score, as in the layers.
 */
#include "config.h"

#include "steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keys and values of all tokens of an image, where its queries were. */
static void keys_and_values(vit_team *c, vit_scratch *s, size_t image)
{
    const tomevit_model *m = c->model;
    size_t end = c->rows.offsets[image + 1], rows;

    for (size_t t = c->rows.offsets[image]; t < end; t += rows) {
        vit_operand a = tomevit_operand_new(&m->pool.kv, s->norm, c->x_stride,
                                            s->in);

        rows = end - t < m->block_rows ? end - t : m->block_rows;
        for (size_t i = 0; i < rows; i++) {
            tomevit_final_norm(m, c->rows.x + (t + i) * c->x_stride,
                               tomevit_operand_row(&a, i));
            tomevit_operand_set(&a, i);
        }
        tomevit_gemm(m->dsp, &m->pool.kv, VIT_STORE, rows, &a,
                     c->qkv + t * c->qkv_stride, c->qkv_stride, s->gemm);
    }
}

/* y[width] = the values, weighed by what the query makes of the keys. */
static void look(const vit_pass *p, vit_scratch *s, size_t image, float *y)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t first = c->rows.offsets[image],
           tokens = c->rows.offsets[image + 1] - first;
    size_t width = tomevit_pool_width(&m->d);
    size_t heads = m->d.pool_heads, head_dim = width / heads;
    const float *bias = vit_bias(p, first);

    memset(y, 0, width * sizeof(*y));
    for (size_t h = 0; h < heads; h++) {
        const float *kv = c->qkv + first * c->qkv_stride + h * head_dim;
        const float *q = m->pool.query + h * head_dim;

        for (size_t t = 0; t < tokens; t++) {
            float sum = 0.0f;

            for (size_t i = 0; i < head_dim; i++)
                sum += q[i] * kv[t * c->qkv_stride + i];
            s->scores[t] = sum;
        }
        m->dsp->softmax(tokens, 1.0f, bias, s->scores);
        for (size_t t = 0; t < tokens; t++)
            for (size_t i = 0; i < head_dim; i++)
                y[h * head_dim + i] += s->scores[t] *
                    kv[t * c->qkv_stride + width + i];
    }
}

void tomevit_attention_pool(const vit_pass *p, vit_scratch *s, size_t image,
                            float *y)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_attention_pool *pool = &m->pool;
    size_t width = tomevit_pool_width(&m->d);
    float *norm = m->d.pool == TOMEVIT_POOL_QUERY ? y : s->norm;
    vit_operand a, hidden;

    keys_and_values(c, s, image);
    look(p, s, image, s->norm);
    a = tomevit_operand(&pool->proj, 1, s->norm, c->x_stride, s->in);
    tomevit_gemm(m->dsp, &pool->proj, VIT_STORE, 1, &a, y, c->pooled_stride,
                 s->gemm);
    m->dsp->layer_norm(width, y, pool->norm.weight, pool->norm.bias,
                       m->d.norm_eps, norm);
    if (m->d.pool == TOMEVIT_POOL_QUERY)
        return;
    hidden = tomevit_operand_new(&pool->fc2, s->hidden, c->hidden_stride,
                                 s->out);
    a = tomevit_operand(&pool->fc1, 1, s->norm, c->x_stride, s->in);
    tomevit_gemm_operand(m->dsp, &pool->fc1, tomevit_activation_finish(&m->d),
                         1, &a, &hidden, s->gemm);
    tomevit_gemm(m->dsp, &pool->fc2, VIT_ADD, 1, &hidden, y, c->pooled_stride,
                 s->gemm);
}
