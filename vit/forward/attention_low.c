/* SPDX-License-Identifier: MIT */
/*
 * Attention of one head of one image, as attention.c has it, with both of its
 * products in bf16: queries, keys, the softmax's weights and values are
 * rounded, scores and sums are f32. One strip of the scores exists at a time.
 */
#include "config.h"

#include "steps.h"

#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One head on its way. */
typedef struct head {
    const vit_low *low;
    vit_scratch *s;
    size_t tokens, dim;
    const float *k, *v;    /* [tokens, stride] */
    const int32_t *row;    /* [tokens]: of v, or NULL: each its own */
    size_t stride;
} head;

/* Keys [tokens, dim] are the rows of a matrix; so are weights. */
static void pack_keys(const head *h)
{
    enum { SLICE = 64 };
    size_t nr = h->low->nr, words = vit_low_words(h->low, h->dim);
    uint32_t slice[VIT_MAX_NR * SLICE];

    memset(h->s->narrow.keys, 0,
           vit_columns(h->tokens) * words * sizeof(uint32_t));
    for (size_t j = 0; j < h->tokens; j += nr) {
        size_t rows = smaller(h->tokens - j, nr);

        if (j + nr < h->tokens)
            vit_fetch(h->k + (j + nr) * h->stride, h->stride,
                      smaller(h->tokens - j - nr, nr), h->dim);
        for (size_t p = 0; p < h->dim; p += 2 * SLICE) {
            size_t depth = h->dim - p < 2 * SLICE ? h->dim - p : 2 * SLICE;

            for (size_t r = 0; r < rows; r++)
                h->low->words(depth, h->k + (j + r) * h->stride + p, 1.0f,
                              slice + r * SLICE);
            h->low->transpose(rows, (depth + 1) / 2, slice, SLICE, nr,
                              h->s->narrow.keys + j * words + p / 2 * nr);
        }
    }
}

static const float *value(const head *h, size_t t)
{
    return h->v + (h->row ? (size_t)h->row[t] : t) * h->stride;
}

/* Values [tokens, dim] have their depth in the rows: two make one of words. */
static void pack_values(const head *h)
{
    enum { AHEAD = 16 };
    size_t nr = h->low->nr, words = vit_low_words(h->low, h->tokens);

    for (size_t j = 0; j < h->dim; j += nr) {
        size_t width = h->dim - j < nr ? h->dim - j : nr;
        uint32_t *panel = h->s->narrow.values + j * words;

        for (size_t t = 0; t < h->tokens; t += 2) {
            if (!h->row && t + AHEAD + 1 < h->tokens)
                vit_fetch(value(h, t + AHEAD) + j, h->stride, 2, width);
            h->low->interleave(width, value(h, t) + j,
                               t + 1 < h->tokens ? value(h, t + 1) + j : NULL,
                               panel);
            memset(panel + width, 0, (nr - width) * sizeof(*panel));
            panel += nr;
        }
        memset(panel, 0, (words - (h->tokens + 1) / 2) * nr * sizeof(*panel));
    }
}

/* Rows of x[rows, k], as the left side of a product has them. */
static void narrow(const head *h, size_t rows, size_t k, const float *x,
                   size_t ldx, vit_operand_buffer to)
{
    size_t chunks = vit_low_chunks(h->low, k), step = h->low->interleaved;

    for (size_t i = 0; i < rows; i++)
        to.quants[i] = h->low->narrow(
            k, x + i * ldx, to.data + vit_low_place(h->low, chunks, i, 0),
            step * VIT_CHUNK);
}

/* y[rows, n] = a[rows, k] panels, without bias. */
static void multiply(const head *h, size_t rows, size_t k,
                     vit_operand_buffer a, const uint32_t *panels, size_t n,
                     float *y, size_t ldy)
{
    vit_low_product p = {
        .rows = rows, .n = n, .words = vit_low_words(h->low, k),
        .a = a.data, .quants = a.quants, .panels = panels,
        .y = y, .ldy = ldy, .scratch = h->s->gemm,
    };

    h->low->product(h->low, &p);
}

/* The head that a task is about, its keys packed. */
static head begin(const vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t first = c->rows.offsets[at->image], dim = m->d.dim / m->d.heads;
    size_t group = m->d.heads / tomevit_kv_heads(&m->d, at->index);
    head h = {
        .low = m->outer, .s = s,
        .tokens = c->rows.offsets[at->image + 1] - first, .dim = dim,
        .k = c->qkv + first * c->qkv_stride + m->d.dim +
             at->head / group * dim,
        .stride = c->qkv_stride,
    };

    pack_keys(&h);
    return h;
}

/* Scores of queries from `i` on, of whole panels: what comes after the last
 * key is not read. */
static void score(const vit_pass *p, const head *h, const float *q, size_t ldq,
                  size_t i, size_t rows)
{
    vit_scratch *s = h->s;

    narrow(h, rows, h->dim, q + i * ldq, ldq, s->narrow.queries);
    multiply(h, rows, h->dim, s->narrow.queries, s->narrow.keys,
             vit_columns(h->tokens), s->scores, p->c->score_stride);
}

/* Their softmax, as rows of f32. */
static void soften(vit_pass *p, const head *h, const vit_at *at, size_t i,
                   size_t rows)
{
    const vit_team *c = p->c;
    const float *bias = vit_bias(p, c->rows.offsets[at->image]);
    float scale = tomevit_score_scale(c->model);

    for (size_t r = 0; r < rows; r++)
        c->model->dsp->softmax(h->tokens, scale,
                               tomevit_row_bias(p, h->s, at, i + r, bias),
                               h->s->scores + r * c->score_stride);
}

/* The same as the left side of a product, and nothing else. A row's bias may
 * be its own: those come one by one. */
static void soften_narrowed(vit_pass *p, const head *h, const vit_at *at,
                            size_t i, size_t rows)
{
    const vit_team *c = p->c;
    const vit_low *low = h->low;
    const float *bias = vit_bias(p, c->rows.offsets[at->image]);
    size_t most = c->model->d.relative ? 1 : VIT_SOFTMAX_ROWS;
    size_t chunks = vit_low_chunks(low, h->tokens);
    vit_operand_buffer to = h->s->narrow.weights;
    size_t ldo = low->interleaved > 1 ? VIT_CHUNK
                                      : vit_low_bytes(low, 1, h->tokens);

    for (size_t r = 0; r < rows; r += most) {
        size_t together = smaller(most, rows - r);

        for (size_t q = 0; q < together; q++)
            to.quants[r + q] = (vit_quant){1.0f, 0.0f};
        low->softmax(together, h->tokens, tomevit_score_scale(c->model),
                     tomevit_row_bias(p, h->s, at, i + r, bias),
                     h->s->scores + r * c->score_stride, c->score_stride,
                     to.data + vit_low_place(low, chunks, r, 0), ldo,
                     low->interleaved * VIT_CHUNK);
    }
}

void tomevit_look_low(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const vit_team *c = p->c;
    head h = begin(p, s, at);
    size_t strip = h.low->strip, stride = c->qkv_stride;
    const float *q = c->qkv + c->rows.offsets[at->image] * stride +
                     at->head * h.dim;

    for (size_t i = 0; i < h.tokens; i += strip) {
        size_t rows = smaller(h.tokens - i, strip);

        score(p, &h, q, stride, i, rows);
        soften(p, &h, at, i, rows);
        tomevit_note_scores(p, s, at, i, rows);
    }
}

void tomevit_attention_low(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    size_t image = at->image, read = at->read;
    vit_team *c = p->c;
    head h = begin(p, s, at);
    size_t first = c->rows.offsets[image], strip = h.low->strip;
    float *y = c->attention + at->head * h.dim +
               (read ? image * read : first) * c->x_stride;
    const float *q = read ? y : c->qkv + first * c->qkv_stride +
                                at->head * h.dim;
    size_t ldq = read ? c->x_stride : c->qkv_stride;
    size_t end = at->rows ? at->first + at->rows : read ? read : h.tokens;
    int notes = tomevit_takes_note(p, at);

    h.row = tomevit_values_of(p, at, &h.v);
    pack_values(&h);
    for (size_t i = at->first; i < end; i += strip) {
        size_t rows = smaller(end - i, strip);

        if (!read && i + strip < end)
            vit_fetch(q + (i + strip) * ldq, ldq,
                      smaller(end - i - strip, strip), h.dim);
        score(p, &h, q, ldq, i, rows);
        if (notes || !h.low->softmax) {
            soften(p, &h, at, i, rows);
            narrow(&h, rows, h.tokens, s->scores, c->score_stride,
                   s->narrow.weights);
        } else {
            soften_narrowed(p, &h, at, i, rows);
        }
        if (notes)
            tomevit_note_scores(p, s, at, i, rows);
        multiply(&h, rows, h.tokens, s->narrow.weights, s->narrow.values,
                 h.dim, y + i * c->x_stride, c->x_stride);
    }
}
