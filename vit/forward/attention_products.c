/* SPDX-License-Identifier: MIT */
/* The two products of attention in f32, and the panels that they take. */
#include "config.h"

#include "attention.h"
#include "steps.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void tomevit_pack_keys(const vit_dsp *dsp, float *keys, const float *k,
                       size_t stride, size_t tokens, size_t head_dim)
{
    size_t nr = dsp->nr;

    for (size_t j = 0; j < tokens; j += nr) {
        if (j + nr < tokens)
            vit_fetch(k + (j + nr) * stride, stride,
                      smaller(tokens - j - nr, nr), head_dim);
        dsp->pack(smaller(tokens - j, nr), head_dim, k + j * stride,
                  stride, nr, keys + j * head_dim);
    }
}

void tomevit_pack_values(const vit_dsp *dsp, float *values, const float *v,
                         const int32_t *row, size_t stride, size_t tokens,
                         size_t head_dim)
{
    enum { AHEAD = 16 };
    size_t nr = dsp->nr;

    for (size_t t = 0; t < tokens; t++) {
        const float *from = v + (row ? (size_t)row[t] : t) * stride;

        if (!row && t + AHEAD < tokens)
            vit_fetch(v + (t + AHEAD) * stride, stride, 1, head_dim);
        for (size_t j = 0; j < head_dim; j += nr) {
            size_t width = smaller(head_dim - j, nr);
            float *to = values + j * tokens + t * nr;

            memcpy(to, from + j, width * sizeof(*v));
            memset(to + width, 0, (nr - width) * sizeof(*v));
        }
    }
}

void tomevit_weigh(const vit_dsp *dsp, const float *scores,
                   const float *values, size_t rows, size_t tokens,
                   size_t head_dim, size_t score_stride, float *y, size_t ldy)
{
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    size_t nr = dsp->nr;

    for (size_t j = 0; j < head_dim; j += nr) {
        const float *panel = values + j * tokens;
        size_t width = head_dim - j;
        vit_ahead ahead = {panel, y + j, ldy};

        if (width >= nr) {
            dsp->gemm(rows, tokens, scores, score_stride, panel, y + j, ldy, 0,
                      ahead);
            continue;
        }
        dsp->gemm(rows, tokens, scores, score_stride, panel, tile, nr, 0,
                  ahead);
        for (size_t i = 0; i < rows; i++)
            memcpy(y + i * ldy + j, tile + i * nr, width * sizeof(*y));
    }
}

/* Every panel of keys brings a part of the queries that come next, 8 rows of nr
 * columns, until all are there. */
void tomevit_compare(const vit_dsp *dsp, const float *keys, float *scores,
                     size_t rows, size_t tokens, size_t head_dim,
                     size_t score_stride, const float *q, size_t ldq)
{
    const float *next = q + rows * ldq;
    size_t nr = dsp->nr, parts = (head_dim + nr - 1) / nr;

    for (size_t j = 0, n = 0; j < tokens; j += nr, n++) {
        const float *panel = keys + j * head_dim;
        vit_ahead ahead = {panel, panel, 0};

        if (n / parts * 8 < rows) {
            ahead.rows = next + n / parts * 8 * ldq + n % parts * nr;
            ahead.stride = ldq;
        }
        dsp->gemm(rows, head_dim, q, ldq, panel, scores + j, score_stride, 0,
                  ahead);
    }
}

const int32_t *tomevit_values_of(const vit_pass *p, const vit_at *at,
                                 const float **v)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t group = d->heads / tomevit_kv_heads(d, at->index);
    int ahead = tomevit_is_ahead(p, at);
    const vit_rows *rows = ahead ? &c->next : &c->rows;

    *v = c->qkv + rows->offsets[at->image] * c->qkv_stride + d->dim +
         tomevit_kv_width(d, at->index) +
         at->head / group * (d->dim / d->heads);
    return ahead ? c->map + c->rows.offsets[at->image] : NULL;
}
