/* SPDX-License-Identifier: MIT */
/*
 * Attention of one head of one image: softmax(q k^T / sqrt(head_dim) + bias)
 * v, bias being ln(size) of each key once tokens have merged [ToMe, equation
 * 1]. Only one tile's rows of the scores exist at a time.
 */
#include "config.h"

#include "attention.h"
#include "steps.h"

void tomevit_look(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    size_t first = c->rows.offsets[at->image];
    size_t tokens = c->rows.offsets[at->image + 1] - first;
    size_t head_dim = d->dim / d->heads, stride = c->qkv_stride;
    size_t group = d->heads / tomevit_kv_heads(d, at->index);
    const float *q = c->qkv + first * stride + at->head * head_dim;
    const float *k = c->qkv + first * stride + d->dim +
                     at->head / group * head_dim;
    const float *bias = vit_bias(p, first);
    float scale = tomevit_score_scale(c->model);

    if (c->model->outer) {
        tomevit_look_low(p, s, at);
        return;
    }
    tomevit_pack_keys(dsp, s->keys, k, stride, tokens, head_dim);
    for (size_t i = 0, rows; i < tokens; i += rows) {
        rows = vit_tile_rows(tokens - i, dsp->mr);
        tomevit_compare(dsp, s->keys, s->scores, rows, tokens, head_dim,
                        c->score_stride, q + i * stride, stride);
        for (size_t r = 0; r < rows; r++)
            dsp->softmax(tokens, scale,
                         tomevit_row_bias(p, s, at, i + r, bias),
                         s->scores + r * c->score_stride);
        tomevit_note_scores(p, s, at, i, rows);
    }
}

void tomevit_attention(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    size_t image = at->image, head = at->head, read = at->read;
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    size_t first = c->rows.offsets[image],
           tokens = c->rows.offsets[image + 1] - first;
    size_t head_dim = d->dim / d->heads, stride = c->qkv_stride;
    size_t group = d->heads / tomevit_kv_heads(d, at->index);
    const float *k = c->qkv + first * stride + d->dim +
                     head / group * head_dim;
    const float *bias = vit_bias(p, first);
    size_t end = at->rows ? at->first + at->rows : read ? read : tokens;
    float *y = c->attention + head * head_dim +
               (read ? image * read : first) * c->x_stride;
    const float *q = read ? y : c->qkv + first * stride + head * head_dim;
    size_t ldq = read ? c->x_stride : stride;
    float scale = tomevit_score_scale(c->model);
    const int32_t *row;
    const float *v;

    if (c->model->outer) {
        tomevit_attention_low(p, s, at);
        return;
    }
    if (d->differential) {
        tomevit_differential(p, s, at);
        return;
    }
    if (d->talking) {
        tomevit_talking(p, s, at);
        return;
    }
    row = tomevit_values_of(p, at, &v);
    tomevit_pack_keys(dsp, s->keys, k, stride, tokens, head_dim);
    tomevit_pack_values(dsp, s->values, v, row, stride, tokens, head_dim);
    for (size_t i = at->first, rows; i < end; i += rows) {
        rows = vit_tile_rows(end - i, dsp->mr);
        tomevit_compare(dsp, s->keys, s->scores, rows, tokens, head_dim,
                        c->score_stride, q + i * ldq, ldq);
        for (size_t r = 0; r < rows; r++)
            dsp->softmax(tokens, scale,
                         tomevit_row_bias(p, s, at, i + r, bias),
                         s->scores + r * c->score_stride);
        if (tomevit_takes_note(p, at))
            tomevit_note_scores(p, s, at, i, rows);
        tomevit_weigh(dsp, s->scores, s->values, rows, tokens, head_dim,
                      c->score_stride, y + i * c->x_stride, c->x_stride);
    }
}
