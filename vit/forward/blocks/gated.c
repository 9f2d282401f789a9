/* SPDX-License-Identifier: MIT */
/* Moving averages and gated attention of Mega and Megalodon; see gated.h. */
#include "config.h"

#include "gated.h"

#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

vit_parts tomevit_parts_of(const tomevit_description *d)
{
    vit_parts p = {.z = d->block == TOMEVIT_BLOCK_MEGA ? d->dim : 0};

    p.r = p.z + d->mega.shared;
    p.h = p.r + d->mega.value;
    p.v = p.h + d->dim;
    p.q = p.v + d->mega.value;
    p.k = p.q + d->mega.shared;
    return p;
}

void tomevit_scale_and_shift(size_t n, const float *restrict scale,
                             const float *restrict shift,
                             const float *restrict x, float *restrict y)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            y[i + j] = x[i + j] * scale[i + j] + shift[i + j];
    for (; i < n; i++)
        y[i] = x[i] * scale[i] + shift[i];
}

void tomevit_gated_values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    vit_operand a = tomevit_operand(&at->layer->v, at->rows,
                                    c->attention + at->first * c->x_stride,
                                    c->x_stride, s->in);

    tomevit_gemm(m->dsp, &at->layer->v, VIT_SILU, at->rows, &a,
                 c->qkv + at->first * c->qkv_stride + tomevit_parts_of(&m->d).v,
                 c->qkv_stride, s->gemm);
}

/* y += omega x */
static void add_own(const float *restrict omega, const float *restrict x,
                    float *restrict y)
{
    for (size_t j = 0; j < VIT_EMA_LANES; j++)
        y[j] += omega[j] * x[j];
}

/* The lanes of all rows are brought together first: apart, they lie in few
 * sets of a cache, and every group of states passes them anew. */
void tomevit_average(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    enum { LANES = VIT_EMA_LANES };
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const tomevit_description *d = &m->d;
    size_t first = c->rows.offsets[at->image], from = at->head * LANES;
    size_t rows = c->rows.offsets[at->image + 1] - first;
    size_t width = smaller(LANES, d->dim - from);
    int mega = d->block == TOMEVIT_BLOCK_MEGA;
    float omega[LANES] = {0}, *x = s->scores, *y = s->values;
    vit_ema_order order = tomevit_ema_order(
        p->merging->ema_merge, d->tokens, rows,
        c->rows.trace + at->image * d->tokens, c->rows.place + first,
        c->rows.size + first, s->passing);

    memcpy(omega, at->layer->omega + from, width * sizeof(*omega));
    for (size_t i = 0; i < rows; i++)
        memcpy(x + i * LANES, c->attention + (first + i) * c->x_stride + from,
               LANES * sizeof(*x));
    tomevit_ema(m->dsp, at->layer->ema, d->dim, d->mega.states, !mega,
                at->head, &order, rows, x, LANES, y, LANES, s->metric);
    for (size_t i = 0; i < rows; i++)
        add_own(omega, x + i * LANES, y + i * LANES);
    m->dsp->finish(mega ? VIT_SILU : VIT_STORE, rows, width, y, LANES,
                   s->zeros, c->next.x + first * c->x_stride + from,
                   c->x_stride);
}

/* ---- attention ----------------------------------------------------------- */

/* Rows of one image that attend to each other, in one head. */
typedef struct among {
    const vit_layer *layer;
    const tomevit_description *d;
    const int32_t *place;  /* [rows] */
    const float *size, *bias; /* [rows], or NULL: ones, zeros */
    size_t rows, whole;    /* whole: of them before any merged */
    size_t shared, value;  /* widths */
    float *q, *k, *v, *r;  /* of the first row */
    size_t stride;
} among;

/* Weights of one query's scores s[rows]. */
static void weigh(const vit_dsp *dsp, const among *g, size_t query, float *s,
                  float *bias)
{
    const float *relative = g->layer->rel_bias + g->whole - 1;

    if (g->d->block != TOMEVIT_BLOCK_MEGA) {
        dsp->softmax(g->rows, 1.0f, g->bias, s);
        return;
    }
    for (size_t j = 0; j < g->rows; j++)
        bias[j] = relative[(ptrdiff_t)g->place[j] -
                           (ptrdiff_t)g->place[query]] +
                  (g->bias && !g->d->mega.laplace ? g->bias[j] : 0.0f);
    if (g->d->mega.laplace)
        dsp->laplace(g->rows, 1.0f / (float)g->whole, bias, g->size, s);
    else
        dsp->softmax(g->rows, 1.0f / sqrtf((float)g->shared), bias, s);
}

/* Panels of nr columns: keys [shared, nr] and values [rows, nr]. */
static void pack(const vit_dsp *dsp, vit_scratch *s, const among *g)
{
    size_t nr = dsp->nr;

    for (size_t j = 0; j < g->rows; j += nr)
        dsp->pack(smaller(g->rows - j, nr), g->shared, g->k + j * g->stride,
                  g->stride, nr, s->keys + j * g->shared);
    for (size_t t = 0; t < g->rows; t++)
        for (size_t j = 0; j < g->value; j += nr) {
            size_t width = smaller(g->value - j, nr);
            float *row = s->values + j * g->rows + t * nr;

            memcpy(row, g->v + t * g->stride + j, width * sizeof(*row));
            memset(row + width, 0, (nr - width) * sizeof(*row));
        }
}

/* y *= x, eight at a time: as many as compilers make vectors of. */
static void multiply(size_t n, const float *restrict x, float *restrict y)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            y[i + j] *= x[i + j];
    for (; i < n; i++)
        y[i] *= x[i];
}

/* R of some rows times what their scores weigh of the values. */
static void gate(const vit_dsp *dsp, const vit_scratch *s, const among *g,
                 size_t rows, size_t score_stride, float *r)
{
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    size_t nr = dsp->nr;

    for (size_t j = 0; j < g->value; j += nr) {
        const float *panel = s->values + j * g->rows;
        size_t width = smaller(g->value - j, nr);
        vit_ahead ahead = {panel, r + j, g->stride};

        dsp->gemm(rows, g->rows, s->scores, score_stride, panel, tile, nr, 0,
                  ahead);
        for (size_t i = 0; i < rows; i++)
            multiply(width, tile + i * nr, r + i * g->stride + j);
    }
}

/* Queries begin .. end - 1. */
static void attend(const vit_team *c, vit_scratch *s, const among *g,
                   size_t begin, size_t end)
{
    const vit_dsp *dsp = c->model->dsp;

    pack(dsp, s, g);
    for (size_t i = begin, rows; i < end; i += rows) {
        rows = vit_tile_rows(end - i, dsp->mr);
        for (size_t j = 0; j < g->rows; j += dsp->nr) {
            const float *panel = s->keys + j * g->shared;
            vit_ahead ahead = {panel, panel, 0};

            dsp->gemm(rows, g->shared, g->q + i * g->stride, g->stride, panel,
                      s->scores + j, c->score_stride, 0, ahead);
        }
        for (size_t n = 0; n < rows; n++)
            weigh(dsp, g, i + n, s->scores + n * c->score_stride, s->relative);
        gate(dsp, s, g, rows, c->score_stride, g->r + i * g->stride);
    }
}

/* Chunk by chunk. They are formed by place: rows that have merged stay in the
 * chunk of their destination. Of a task that is shared out, the chunks that its
 * queries are in. */
void tomevit_gated_attention(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    vit_parts part = tomevit_parts_of(d);
    size_t first = c->rows.offsets[at->image], begin = first + at->first;
    size_t end = c->rows.offsets[at->image + 1];
    size_t stop = at->rows ? begin + at->rows : end;
    size_t chunk = d->mega.chunk ? d->mega.chunk : d->tokens;
    among g = {.layer = at->layer, .d = d, .whole = chunk,
               .shared = d->mega.shared / d->heads,
               .value = d->mega.value / d->heads, .stride = c->qkv_stride};

    while (first < stop) {
        size_t next = first, number = (size_t)c->rows.place[first] / chunk;
        float *row = c->qkv + first * c->qkv_stride;

        while (next < end && (size_t)c->rows.place[next] / chunk == number)
            next++;
        g.rows = next - first;
        g.place = c->rows.place + first;
        g.size = p->merged && p->merging->prop_attn ? c->rows.size + first
                                                    : NULL;
        g.bias = vit_bias(p, first);
        g.q = row + part.q + at->head * g.shared;
        g.k = row + part.k + at->head * g.shared;
        g.v = row + part.v + at->head * g.value;
        g.r = row + part.r + at->head * g.value;
        if (next > begin)
            attend(c, s, &g, begin > first ? begin - first : 0,
                   smaller(stop, next) - first);
        first = next;
    }
}

const float *tomevit_gated_metric(const vit_team *c, int metric, size_t first,
                                  size_t *channels)
{
    const tomevit_description *d = &c->model->d;
    vit_parts part = tomevit_parts_of(d);
    const float *row = c->qkv + first * c->qkv_stride;

    *channels = d->mega.shared / d->heads;
    switch (metric) {
    case TOMEVIT_METRIC_V:
        *channels = d->mega.value / d->heads;
        return row + part.v;
    case TOMEVIT_METRIC_Q:
    case TOMEVIT_METRIC_Q_UNTURNED:
        return row + part.q;
    default:
        return row + part.k;
    }
}

void tomevit_carve_gated(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t tokens = vit_columns(d->tokens), value = vit_columns(d->mega.value);
    size_t widest = d->mega.shared + d->mega.value;

    s->keys = tomevit_carve_f32(arena, tokens * d->mega.shared);
    s->values = tomevit_carve_f32(arena, d->tokens * value);
    s->scores = tomevit_carve_f32(arena, VIT_MAX_MR * c->score_stride);
    s->relative = tomevit_carve_f32(arena, c->score_stride);
    s->metric = tomevit_carve_f32(
        arena, d->tokens * (d->heads > 1 ? d->mega.value : 1));
    s->passing = tomevit_carve(arena, d->tokens, sizeof(int32_t));
    s->zeros = tomevit_carve_f32(
        arena, vit_columns(widest > d->dim ? widest : d->dim));
}

double tomevit_gated_macs(const tomevit_description *d, double before,
                          double queries)
{
    double dim = (double)d->dim, shared = (double)d->mega.shared;
    double value = (double)d->mega.value;
    double keys = d->mega.chunk ? before * (double)d->mega.chunk /
                                      (double)d->tokens : before;

    return before * dim * (value + (double)tomevit_mix_width(d)) +
           queries * (value * dim + keys * (shared + value)) +
           (d->block == TOMEVIT_BLOCK_MEGA ? 4 : 12) * (double)d->tokens * dim *
               (double)d->mega.states;
}
