/* SPDX-License-Identifier: MIT */
/* From the last layer's tokens to features and logits. */
#include "config.h"

#include "../model/derived.h"
#include "steps.h"

#include <math.h>
#include <string.h>

/* Mean of the patch tokens weighted by the tokens each stands for: merging
 * must not change what an average over the image means. */
static void mean_pool(const vit_team *c, vit_scratch *s, size_t image,
                      float *y)
{
    const tomevit_model *m = c->model;
    size_t dim = m->d.dim, end = c->rows.offsets[image + 1];
    float total = 0.0f;

    memset(y, 0, dim * sizeof(*y));
    for (size_t t = c->rows.offsets[image] + m->d.prefix; t < end; t++) {
        const float *row = c->rows.x + t * c->x_stride;

        if (!m->d.fc_norm) {
            tomevit_final_norm(m, row, s->norm);
            row = s->norm;
        }
        for (size_t i = 0; i < dim; i++)
            y[i] += c->rows.size[t] * row[i];
        total += c->rows.size[t];
    }
    for (size_t i = 0; i < dim; i++)
        y[i] /= total;
    if (m->d.fc_norm) {
        memcpy(s->norm, y, dim * sizeof(*y));
        tomevit_final_norm(m, s->norm, y);
    }
}

/* As what stands for a square of patches is handed on: times sqrt(dim), and by
 * two vectors, if there are such. [transformers, models/gemma4] */
static void standardize(const tomevit_model *m, float *y)
{
    float root = sqrtf((float)m->d.dim);

    for (size_t i = 0; i < m->d.dim; i++) {
        y[i] *= root;
        if (m->d.bare_norm == 3)
            y[i] = (y[i] - m->bare.bias[i]) * m->bare.weight[i];
    }
}

/* What the heads see: pooled [group, features], and behind all of them the
 * distillation tokens' rows. */
void tomevit_pool(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    size_t image = at->image;
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const float *x = c->rows.x + c->rows.offsets[image] * c->x_stride;
    float *y = c->pooled + image * c->pooled_stride;

    if (m->d.pool == TOMEVIT_POOL_MEAN)
        mean_pool(c, s, image, y);
    else if (tomevit_pool_width(&m->d))
        tomevit_attention_pool(p, s, image, y);
    else if (m->d.pool == TOMEVIT_POOL_CELLS)
        tomevit_pool_cells(p, s, image, y);
    else if (m->d.pool == TOMEVIT_POOL_CLASS_LAYERS)
        tomevit_class_layers(p, s, image, y);
    else
        tomevit_final_norm(m, x, y);
    if (m->d.pool == TOMEVIT_POOL_CLASS_MEAN)
        mean_pool(c, s, image, y + m->d.dim);
    if (m->d.distilled)
        tomevit_final_norm(m, x + c->x_stride, y + c->group * c->pooled_stride);
    if (m->d.bare_norm == 1)
        tomevit_norm(m, &m->bare, m->d.features, y, y);
    else if (m->d.bare_norm)
        standardize(m, y);
    if (p->out.features)
        memcpy(p->out.features + image * m->d.features, y,
               m->d.features * sizeof(*y));
}

void tomevit_last_rows(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t dim = m->d.dim, first = c->rows.offsets[at->image];
    size_t rows = c->rows.offsets[at->image + 1] - first;
    float *y = p->out.last_rows + at->image * m->d.tokens * dim;

    (void)unused;
    for (size_t t = 0; t < rows; t++, y += dim) {
        const float *x = c->rows.x + (first + t) * c->x_stride;

        if (m->d.fc_norm)
            memcpy(y, x, dim * sizeof(*y));
        else
            tomevit_final_norm(m, x, y);
    }
}

/* Rows of pooled features, where texts' embeddings are: to the output, and as
 * unit vectors for the head if they are what it sees. */
static float *embed(vit_pass *p, vit_scratch *s, const vit_at *at, float *x,
                    size_t *stride)
{
    const tomevit_model *m = p->c->model;
    size_t width = m->d.embedding, from = *stride;
    float *y = tomevit_embedding(p, s, at->rows, x, stride);

    for (size_t i = 0; i < at->rows && p->out.embedding; i++)
        memcpy(p->out.embedding + (at->first + i) * width, y + i * *stride,
               width * sizeof(*y));
    for (size_t i = 0; i < at->rows && m->d.zero_shot; i++)
        tomevit_set_length(width, y + i * *stride, 1.0f);
    if (m->d.zero_shot)
        return y;
    *stride = from;
    return x;
}

void tomevit_heads(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    size_t first = at->first, rows = at->rows;
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t classes = m->d.classes, stride = c->pooled_stride;
    float *x = c->pooled + first * stride;
    float *y;
    float *dist = c->logits_dist + first * classes;
    vit_operand a;

    if (m->d.embedding)
        x = embed(p, s, at, x, &stride);
    if (!p->out.logits)
        return;
    y = p->out.logits + first * classes;
    a = tomevit_operand(&m->head, rows, x, stride, s->in);
    tomevit_gemm(m->dsp, &m->head, VIT_STORE, rows, &a, y, classes, s->gemm);
    if (!m->d.distilled)
        return;
    a = tomevit_operand(&m->head_dist, rows, x + c->group * stride, stride,
                        s->in);
    tomevit_gemm(m->dsp, &m->head_dist, VIT_STORE, rows, &a, dist, classes,
                 s->gemm);
    for (size_t i = 0; i < rows * classes; i++)
        y[i] = (y[i] + dist[i]) * 0.5f;
}
