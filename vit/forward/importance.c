/* SPDX-License-Identifier: MIT */
/*
 * How important a layer's attention finds each token: what the class token pays
 * to it, or where there is no class token what all tokens do, meaned over them;
 * in both cases meaned over the heads. [Liang et al., ICLR 2022: EViT]
 *
 * Until all heads of an image have seen it, what each saw lies where the
 * image's merged rows will, [heads, tokens]: a row has more channels than
 * heads.
 */
#include "config.h"

#include "steps.h"

#include <float.h>
#include <string.h>

int tomevit_wants_importance(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && (p->needs & TOMERGE_NEEDS_IMPORTANCE) != 0;
}

static float *seen_by(const vit_team *c, size_t image, size_t head)
{
    size_t first = c->rows.offsets[image];
    size_t tokens = c->rows.offsets[image + 1] - first;

    return c->next.x + first * c->x_stride + head * tokens;
}

void tomevit_note_scores(const vit_pass *p, const vit_scratch *s,
                         const vit_at *at, size_t query, size_t rows)
{
    const vit_team *c = p->c;
    const size_t *offsets = c->rows.offsets + at->image;
    size_t tokens = offsets[1] - offsets[0];
    float *seen;

    if (!tomevit_wants_importance(p, at))
        return;
    seen = seen_by(c, at->image, at->head);
    if (query == 0)
        memcpy(seen, s->scores, tokens * sizeof(*seen));
    if (c->model->d.class_token)
        return;
    for (size_t i = query == 0; i < rows; i++)
        for (size_t t = 0; t < tokens; t++)
            seen[t] += s->scores[i * c->score_stride + t];
}

/* Positive, so that rows can be weighted by it. */
void tomevit_importance(vit_pass *p, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image];
    size_t tokens = c->rows.offsets[at->image + 1] - first;
    float *mean = c->importance + first;
    float shares = (float)(d->heads * (d->class_token ? 1 : tokens));

    memset(mean, 0, tokens * sizeof(*mean));
    for (size_t h = 0; h < d->heads; h++) {
        const float *seen = seen_by(c, at->image, h);

        for (size_t t = 0; t < tokens; t++)
            mean[t] += seen[t];
    }
    for (size_t t = 0; t < tokens; t++) {
        mean[t] /= shares;
        if (mean[t] < FLT_MIN)
            mean[t] = FLT_MIN;
    }
}
