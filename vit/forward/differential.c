/* SPDX-License-Identifier: MIT */
/*
 * Attention of one head that is the difference of two: what both weigh high is
 * noise, and goes. [Differential Transformer, arXiv 2410.05258]
 */
#include "config.h"

#include "attention.h"
#include "steps.h"

#include <math.h>

/* softmax(q1 k1^T) - lambda softmax(q2 k2^T), a head's channels being those of
 * both: its first half, its second. The scores of rows from query i on. */
static void subtract(const vit_pass *p, vit_scratch *s, const vit_at *at,
                     size_t i, size_t rows, size_t tokens, const float *q,
                     size_t ldq)
{
    const vit_team *c = p->c;
    const vit_dsp *dsp = c->model->dsp;
    size_t half = tomevit_head_dim(&c->model->d) / 2;
    size_t panels = vit_panels(dsp, tokens);
    const float *bias = vit_bias(p, c->rows.offsets[at->image]);
    float scale = 1.0f / sqrtf((float)half), lambda = at->layer->lambda;

    tomevit_compare(dsp, s->keys, s->scores, rows, tokens, half,
                    c->score_stride, q, ldq);
    tomevit_compare(dsp, s->keys + panels * half, s->second, rows, tokens,
                    half, c->score_stride, q + half, ldq);
    for (size_t r = 0; r < rows; r++) {
        float *y = s->scores + r * c->score_stride;
        float *x = s->second + r * c->score_stride;

        dsp->softmax(tokens, scale, tomevit_row_bias(p, s, at, i + r, bias), y);
        dsp->softmax(tokens, scale, tomevit_row_bias(p, s, at, i + r, bias), x);
        for (size_t t = 0; t < tokens; t++)
            y[t] -= lambda * x[t];
    }
}

void tomevit_differential(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    size_t first = c->rows.offsets[at->image], stride = c->qkv_stride;
    size_t tokens = c->rows.offsets[at->image + 1] - first;
    size_t head_dim = tomevit_head_dim(d), half = head_dim / 2;
    const float epsilon = 1e-5f; /* whatever that of the other norms is */
    size_t panels = vit_panels(dsp, tokens);
    size_t end = at->rows ? at->first + at->rows : at->read ? at->read : tokens;
    float *y = c->attention + at->head * head_dim +
               (at->read ? at->image * at->read : first) * c->x_stride;
    const float *head = c->qkv + first * stride + at->head * head_dim;
    const float *q = at->read ? y : head, *k = head + d->dim, *v;
    size_t ldq = at->read ? c->x_stride : stride;
    const int32_t *row = tomevit_values_of(p, at, &v);

    tomevit_pack_keys(dsp, s->keys, k, stride, tokens, half);
    tomevit_pack_keys(dsp, s->keys + panels * half, k + half, stride, tokens,
                      half);
    tomevit_pack_values(dsp, s->values, v, row, stride, tokens, head_dim);
    for (size_t i = at->first, rows; i < end; i += rows) {
        rows = vit_tile_rows(end - i, dsp->mr);
        subtract(p, s, at, i, rows, tokens, q + i * ldq, ldq);
        tomevit_weigh(dsp, s->scores, s->values, rows, tokens, head_dim,
                      c->score_stride, y + i * c->x_stride, c->x_stride);
        for (size_t r = i; r < i + rows; r++)
            dsp->rms_norm(head_dim, y + r * c->x_stride, at->layer->sub_norm,
                          epsilon, y + r * c->x_stride);
    }
}
