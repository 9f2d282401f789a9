/* SPDX-License-Identifier: MIT */
/*
 * Classes given as embeddings of text: logits are cosines of the image's
 * embedding with them, times a scale, plus a bias. [CLIP, arXiv 2103.00020;
 * SigLIP, arXiv 2303.15343]
 */
#include "config.h"

#include "steps.h"

#include <math.h>

/* To unit length; what has none stays 0. */
static void normalise(size_t n, float *x, float scale)
{
    double squares = 0.0;

    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    if (squares > 0.0)
        scale = (float)((double)scale / sqrt(squares));
    for (size_t i = 0; i < n; i++)
        x[i] *= scale;
}

int tomevit_zero_shot_rows(const tomevit_description *d, vit_source source,
                           float *w)
{
    float scale = logf(100.0f); /* where training has CLIP's end up */
    int error = 0;

    if (d->logit_scale)
        error = source.read(source.self, VIT_LOGIT_SCALE, 0, &scale);
    for (size_t i = 0; !error && i < d->classes; i++)
        normalise(d->embedding, w + i * d->embedding, expf(scale));
    return error;
}

float *tomevit_embedding(const vit_pass *p, vit_scratch *s, size_t rows,
                         float *x, size_t *stride)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t n = m->d.embedding;

    if (m->d.projection) {
        vit_operand a = tomevit_operand(&m->project, rows, x, *stride, s->in);

        tomevit_gemm(m->dsp, &m->project, VIT_STORE, rows, &a, s->embedding,
                     c->embedding_stride, s->gemm);
    }
    for (size_t i = 0; i < rows; i++) {
        float *y = s->embedding + i * c->embedding_stride;

        for (size_t j = 0; !m->d.projection && j < n; j++)
            y[j] = x[i * *stride + j];
        normalise(n, y, 1.0f);
    }
    *stride = c->embedding_stride;
    return s->embedding;
}
