/* SPDX-License-Identifier: MIT */
/*
 * How important a layer's attention finds each token: what the class token pays
 * to it, or all tokens in the mean, where there is none or they are asked for;
 * in both cases meaned over the heads. See enum tomevit_importance.
 *
 * Until all heads of an image have seen it, what each saw lies where the
 * image's merged rows will, [heads, tokens]: a row has more channels than
 * heads.
 */
#include "config.h"

#include "steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

int tomevit_wants_importance(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && tomevit_ranks_at(p->merging, at->index);
}

int tomevit_takes_note(const vit_pass *p, const vit_at *at)
{
    int where = p->merging->where;

    return tomevit_wants_importance(p, at) &&
           (where == TOMEVIT_MERGE_BETWEEN || where == TOMEVIT_MERGE_AFTER);
}

/* Whether all tokens' attention counts. */
static int all_pay(const vit_pass *p)
{
    return !p->c->model->d.class_token ||
           p->merging->importance == TOMEVIT_IMPORTANCE_RECEIVED;
}

static float *seen_by(const vit_team *c, size_t image, size_t head)
{
    size_t first = c->rows.offsets[image];
    size_t tokens = c->rows.offsets[image + 1] - first;

    return c->next.x + first * c->x_stride + head * tokens;
}

/* y += x, eight at a time as long as there are: the compiler makes vectors of
 * a loop that it knows the end of. */
static void add_up(size_t n, const float *restrict x, float *restrict y)
{
    enum { AT_ONCE = 8 };
    size_t i = 0;

    for (; n - i >= AT_ONCE; i += AT_ONCE)
        for (size_t k = 0; k < AT_ONCE; k++)
            y[i + k] += x[i + k];
    for (; i < n; i++)
        y[i] += x[i];
}

void tomevit_note_scores(const vit_pass *p, const vit_scratch *s,
                         const vit_at *at, size_t query, size_t rows)
{
    const vit_team *c = p->c;
    const size_t *offsets = c->rows.offsets + at->image;
    size_t tokens = offsets[1] - offsets[0];
    float *seen;

    seen = seen_by(c, at->image, at->head);
    if (query == 0)
        memcpy(seen, s->scores, tokens * sizeof(*seen));
    if (!all_pay(p))
        return;
    for (size_t i = query == 0; i < rows; i++)
        add_up(tokens, s->scores + i * c->score_stride, seen);
}

/* |v| of a token, of all heads. */
static float length_of_values(const vit_team *c, size_t layer, size_t row)
{
    size_t width = tomevit_kv_width(&c->model->d, layer);
    const float *v = c->qkv + row * c->qkv_stride + c->model->d.dim + width;
    float squares = 0;

    for (size_t i = 0; i < width; i++)
        squares += v[i] * v[i];
    return sqrtf(squares);
}

/* Positive, so that rows can be weighted by it. */
void tomevit_importance(vit_pass *p, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image];
    size_t tokens = c->rows.offsets[at->image + 1] - first;
    float *mean = c->importance + first;
    float shares = (float)(d->heads * (all_pay(p) ? tokens : 1));

    memset(mean, 0, tokens * sizeof(*mean));
    for (size_t h = 0; h < d->heads; h++) {
        const float *seen = seen_by(c, at->image, h);

        for (size_t t = 0; t < tokens; t++)
            mean[t] += seen[t];
    }
    for (size_t t = 0; t < tokens; t++) {
        mean[t] /= shares;
        if (p->merging->importance == TOMEVIT_IMPORTANCE_VALUES)
            mean[t] *= length_of_values(c, at->index, first + t);
        if (mean[t] < FLT_MIN)
            mean[t] = FLT_MIN;
    }
}
