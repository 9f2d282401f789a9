/* SPDX-License-Identifier: MIT */
/*
 * Attention whose heads talk: the scores of all heads of a query and a key are
 * mixed before the softmax, and what comes of it after. [arXiv 2003.02436]
 *
 * A merged token counts as the tokens that it is made of. In the softmax that
 * is ln(size) on the mixed scores, as in other attention; of the second mix it
 * makes the bias, which each key adds to what values weigh, count as often. A
 * token made of equal ones then changes nothing. The bias of the first mix is
 * the same for all keys of a softmax, which it does not change: it is left out.
 *
 * All heads of a query are needed at once, so a task for a head is one for a
 * part of the queries instead.
 */
#include "config.h"

#include "attention.h"
#include "steps.h"

#include <math.h>

/* Some queries of an image, and where their heads' scores begin. */
typedef struct group {
    size_t rows, tokens, heads;
    size_t stride;         /* of one row of the scores */
    size_t head;           /* from a head's scores to the next one's */
    float *scores;         /* [heads, VIT_MAX_MR, stride] */
} group;

/* scores of head i = sum over j of mix[i, j] times those of head j, plus
 * bias[i] times the size of each key. NULL for either: 0, 1. */
static void mix_heads(const vit_dsp *dsp, const vit_scratch *s, const group *g,
                      const float *mix, const float *bias, const float *size)
{
    for (size_t r = 0; r < g->rows; r++)
        for (size_t t = 0; t < g->tokens; t += dsp->nr) {
            float *at = g->scores + r * g->stride + t;
            size_t left = g->tokens - t, n = left < dsp->nr ? left : dsp->nr;
            vit_ahead ahead = {s->panel, s->panel, 0};

            for (size_t h = 0; h < g->heads; h++)
                for (size_t i = 0; i < dsp->nr; i++)
                    s->panel[h * dsp->nr + i] = at[h * g->head + i];
            for (size_t h = 0; bias && h < g->heads; h++)
                for (size_t i = 0; i < n; i++)
                    at[h * g->head + i] = bias[h] * (size ? size[t + i] : 1.0f);
            for (size_t h = 0, rows; h < g->heads; h += rows) {
                rows = g->heads - h < dsp->mr ? g->heads - h : dsp->mr;
                dsp->gemm(rows, g->heads, mix + h * g->heads, g->heads,
                          s->panel, at + h * g->head, g->head, bias != NULL,
                          ahead);
            }
        }
}

/* Which queries a task is about: a thread alone does them all in one. */
static void part_of(const vit_team *c, size_t head, size_t tokens,
                    size_t *first, size_t *end)
{
    size_t mr = c->model->dsp->mr, units = (tokens + mr - 1) / mr;
    size_t tasks = c->threads == 1 ? 1 : c->model->d.heads;

    *first = head < tasks ? units * head / tasks * mr : tokens;
    *end = head < tasks ? units * (head + 1) / tasks * mr : tokens;
    if (*end > tokens)
        *end = tokens;
}

void tomevit_talking(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    const vit_dsp *dsp = c->model->dsp;
    size_t first = c->rows.offsets[at->image], head_dim = d->dim / d->heads;
    size_t tokens = c->rows.offsets[at->image + 1] - first, end, i;
    size_t keys = vit_panels(dsp, tokens) * head_dim;
    size_t values = tokens * vit_panels(dsp, head_dim);
    const float *q = c->qkv + first * c->qkv_stride, *bias = vit_bias(p, first);
    const float *size = bias ? c->rows.size + first : NULL;
    float *y = c->attention + first * c->x_stride;
    float scale = 1.0f / sqrtf((float)head_dim);
    group g = {.tokens = tokens, .heads = d->heads, .stride = c->score_stride,
               .head = VIT_MAX_MR * c->score_stride, .scores = s->scores};

    part_of(c, at->head, tokens, &i, &end);
    for (size_t h = 0; i < end && h < d->heads; h++) {
        vit_at of_head = {.index = at->index, .layer = at->layer, .r = at->r,
                          .image = at->image, .head = h};
        const float *v;
        const int32_t *row = tomevit_values_of(p, &of_head, &v);

        tomevit_pack_keys(dsp, s->keys + h * keys, q + d->dim + h * head_dim,
                          c->qkv_stride, tokens, head_dim);
        tomevit_pack_values(dsp, s->values + h * values, v, row, c->qkv_stride,
                            tokens, head_dim);
    }
    for (; i < end; i += g.rows) {
        g.rows = vit_tile_rows(end - i, dsp->mr);
        for (size_t h = 0; h < d->heads; h++)
            tomevit_compare(dsp, s->keys + h * keys, g.scores + h * g.head,
                            g.rows, tokens, head_dim, g.stride,
                            q + i * c->qkv_stride + h * head_dim,
                            c->qkv_stride);
        mix_heads(dsp, s, &g, at->layer->mix_scores, NULL, NULL);
        for (size_t k = 0; k < d->heads * g.rows; k++)
            dsp->softmax(tokens, scale, bias, g.scores + k / g.rows * g.head +
                                                  k % g.rows * g.stride);
        mix_heads(dsp, s, &g, at->layer->mix_weights,
                  at->layer->mix_weights_bias, size);
        for (size_t h = 0; h < d->heads; h++)
            tomevit_weigh(dsp, g.scores + h * g.head, s->values + h * values,
                          g.rows, tokens, head_dim, g.stride,
                          y + i * c->x_stride + h * head_dim, c->x_stride);
    }
}
