/* SPDX-License-Identifier: MIT */
/*
 * An image's embedding beside those of texts: its logits are the cosines with
 * them, times a scale, plus a bias. [CLIP, arXiv 2103.00020; SigLIP, arXiv
 * 2303.15343]
 */
#include "config.h"

#include "steps.h"

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
    }
    *stride = c->embedding_stride;
    return s->embedding;
}
