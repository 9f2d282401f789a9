/* SPDX-License-Identifier: MIT */
/*
 * Mega's block [arXiv 2209.10655, sections 3.2 and 3.3], with merging between
 * attention and MLP. Of every row there are, one after another in c->qkv:
 *
 *     U [dim]  Z [shared]  R [value]  H [dim]  V [value]  Q, K [shared]
 *
 * normed rows are in c->attention, their moving averages in c->next.x, which
 * merging needs only later. Products of the moving averages and the attention
 * of one head over its scores are f32 in every type.
 */
#include "config.h"

#include "../steps.h"

#include <math.h>
#include <string.h>

/* Where each part of a row begins. */
typedef struct parts {
    size_t z, r, h, v, q, k;
} parts;

static parts parts_of(const tomevit_description *d)
{
    parts p = {.z = d->dim};

    p.r = p.z + d->mega.shared;
    p.h = p.r + d->mega.value;
    p.v = p.h + d->dim;
    p.q = p.v + d->mega.value;
    p.k = p.q + d->mega.shared;
    return p;
}

size_t tomevit_mega_key(const tomevit_description *d)
{
    return parts_of(d).k;
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* Normed rows, and the values of them. */
static void values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    float *y = c->attention + at->first * c->x_stride;
    vit_operand a;

    for (size_t i = 0; i < at->rows; i++)
        tomevit_norm(m, &at->layer->norm1, m->d.dim,
                     c->rows.x + (at->first + i) * c->x_stride,
                     y + i * c->x_stride);
    a = tomevit_operand(&at->layer->v, at->rows, y, c->x_stride, s->in);
    tomevit_gemm(m->dsp, &at->layer->v, VIT_SILU, at->rows, &a,
                 c->qkv + at->first * c->qkv_stride + parts_of(&m->d).v,
                 c->qkv_stride, s->gemm);
}

/* silu(moving average + omega x), of some channels of an image. */
static void average(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image], from = at->head * VIT_EMA_LANES;
    size_t rows = c->rows.offsets[at->image + 1] - first;
    size_t to = from + VIT_EMA_LANES < d->dim ? from + VIT_EMA_LANES : d->dim;
    const float *x = c->attention + first * c->x_stride;
    float *y = c->next.x + first * c->x_stride;
    vit_ema_order order = tomevit_ema_order(
        p->merging->ema_merge, d->tokens, rows,
        c->rows.trace + at->image * d->tokens, c->rows.place + first,
        c->rows.size + first, s->passing);

    tomevit_ema(at->layer->ema, d->dim, d->mega.states, 0, at->head, &order,
                rows, x, c->x_stride, y, c->x_stride, s->metric);
    for (size_t i = 0; i < rows; i++, x += c->x_stride, y += c->x_stride)
        for (size_t j = from; j < to; j++) {
            float v = y[j] + at->layer->omega[j] * x[j];

            y[j] = v * sigmoid(v);
        }
}

/* Gates, queries and keys, candidates. */
static void mix(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    parts part = parts_of(&m->d);
    size_t width = m->d.mega.shared;
    float *row = c->qkv + at->first * c->qkv_stride;
    vit_operand a = tomevit_operand(&l->mx, at->rows,
                                    c->next.x + at->first * c->x_stride,
                                    c->x_stride, s->in);

    tomevit_gemm(m->dsp, &l->mx, VIT_STORE, at->rows, &a, row, c->qkv_stride,
                 s->gemm);
    for (size_t i = 0; i < at->rows; i++, row += c->qkv_stride) {
        m->dsp->finish(VIT_SILU, 1, width + m->d.mega.value, row + part.z,
                       c->qkv_stride, s->zeros, row + part.z, c->qkv_stride);
        for (size_t j = 0; j < width; j++) {
            row[part.q + j] = row[part.z + j] * l->qk_scale[j] +
                              l->qk_shift[j];
            row[part.k + j] = row[part.z + j] * l->qk_scale[width + j] +
                              l->qk_shift[width + j];
        }
    }
}

/* Rows of one image that attend to each other. */
typedef struct among {
    const vit_layer *layer;
    const tomevit_description *d;
    const int32_t *place;  /* [rows] */
    const float *size, *bias; /* [rows], or NULL: ones, zeros */
    size_t rows, whole;    /* whole: of them before any merged */
} among;

/* Weights of one query's scores s[rows]. [arXiv 2209.10655, equation 16] */
static void weigh(const vit_dsp *dsp, const among *g, size_t query, float *s,
                  float *bias)
{
    const float *relative = g->layer->rel_bias + g->whole - 1;

    for (size_t j = 0; j < g->rows; j++)
        bias[j] = relative[(ptrdiff_t)g->place[j] -
                           (ptrdiff_t)g->place[query]] +
                  (g->bias && !g->d->mega.laplace ? g->bias[j] : 0.0f);
    if (!g->d->mega.laplace) {
        dsp->softmax(g->rows, 1.0f / sqrtf((float)g->d->mega.shared), bias, s);
        return;
    }
    for (size_t j = 0; j < g->rows; j++) {
        float x = s[j] / (float)g->whole + bias[j];

        s[j] = 0.5f * (1.0f + erff((x - 0.707107f) /
                                   (0.282095f * 1.41421356f)));
        if (g->size)
            s[j] *= g->size[j];
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Panels of nr columns: keys [shared, nr] and values [rows, nr]. */
static void pack(const vit_dsp *dsp, vit_scratch *s, const among *g,
                 const float *k, const float *v, size_t stride)
{
    size_t nr = dsp->nr;

    for (size_t j = 0; j < g->rows; j += nr)
        dsp->pack(smaller(g->rows - j, nr), g->d->mega.shared, k + j * stride,
                  stride, nr, s->keys + j * g->d->mega.shared);
    for (size_t t = 0; t < g->rows; t++)
        for (size_t j = 0; j < g->d->mega.value; j += nr) {
            size_t width = smaller(g->d->mega.value - j, nr);
            float *row = s->values + j * g->rows + t * nr;

            memcpy(row, v + t * stride + j, width * sizeof(*v));
            memset(row + width, 0, (nr - width) * sizeof(*v));
        }
}

/* R of some rows times what their scores weigh of the values. */
static void gate(const vit_dsp *dsp, const vit_scratch *s, const among *g,
                 size_t rows, size_t score_stride, float *r, size_t stride)
{
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    size_t nr = dsp->nr;

    for (size_t j = 0; j < g->d->mega.value; j += nr) {
        const float *panel = s->values + j * g->rows;
        vit_ahead ahead = {panel, panel, 0};

        dsp->gemm(rows, g->rows, s->scores, score_stride, panel, tile, nr, 0,
                  ahead);
        for (size_t i = 0; i < rows; i++)
            for (size_t n = 0; n < smaller(g->d->mega.value - j, nr); n++)
                r[i * stride + j + n] *= tile[i * nr + n];
    }
}

/* row: the first of the rows, in c->qkv. */
static void attend(const vit_team *c, vit_scratch *s, const among *g,
                   float *row)
{
    const vit_dsp *dsp = c->model->dsp;
    parts part = parts_of(g->d);
    size_t stride = c->qkv_stride;

    pack(dsp, s, g, row + part.k, row + part.v, stride);
    for (size_t i = 0, rows; i < g->rows; i += rows) {
        rows = vit_tile_rows(g->rows - i, dsp->mr);
        for (size_t j = 0; j < g->rows; j += dsp->nr) {
            const float *panel = s->keys + j * g->d->mega.shared;
            vit_ahead ahead = {panel, panel, 0};

            dsp->gemm(rows, g->d->mega.shared, row + i * stride + part.q,
                      stride, panel, s->scores + j, c->score_stride, 0, ahead);
        }
        for (size_t n = 0; n < rows; n++)
            weigh(dsp, g, i + n, s->scores + n * c->score_stride,
                  s->relative);
        gate(dsp, s, g, rows, c->score_stride, row + i * stride + part.r,
             stride);
    }
}

/* All chunks of one image. They are formed by place: rows that have merged stay
 * in the chunk of their destination. */
static void attention(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image];
    size_t end = c->rows.offsets[at->image + 1];
    size_t chunk = d->mega.chunk ? d->mega.chunk : d->tokens;

    while (first < end) {
        size_t next = first, number = (size_t)c->rows.place[first] / chunk;
        int sized = p->merged && p->merging->prop_attn;
        among g = {at->layer, d, c->rows.place + first,
                   sized ? c->rows.size + first : NULL, vit_bias(p, first), 0,
                   chunk};

        while (next < end && (size_t)c->rows.place[next] / chunk == number)
            next++;
        g.rows = next - first;
        attend(c, s, &g, c->qkv + first * c->qkv_stride);
        first = next;
    }
}

/* x + U (silu(H + h(R A V)) - x) */
static void join(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    parts part = parts_of(&m->d);
    float *row = c->qkv + at->first * c->qkv_stride;
    float *x = c->rows.x + at->first * c->x_stride;
    vit_operand a = tomevit_operand(&at->layer->h, at->rows, row + part.r,
                                    c->qkv_stride, s->in);

    tomevit_gemm(m->dsp, &at->layer->h, VIT_ADD, at->rows, &a, row + part.h,
                 c->qkv_stride, s->gemm);
    for (size_t i = 0; i < at->rows; i++, row += c->qkv_stride) {
        m->dsp->finish(VIT_SILU, 1, m->d.dim, row + part.h, c->qkv_stride,
                       s->zeros, row + part.h, c->qkv_stride);
        for (size_t j = 0; j < m->d.dim; j++)
            x[j] += sigmoid(row[j]) * (row[part.h + j] - x[j]);
        x += c->x_stride;
    }
}

static int merges(const vit_pass *p, const vit_at *at)
{
    (void)p;
    return at->r > 0;
}

static const vit_step steps[] = {
    {VIT_EACH_ROWS, .run = values},
    {VIT_EACH_LANES, .run = average},
    {VIT_EACH_ROWS, .run = mix},
    {VIT_EACH_IMAGE, .run = attention},
    {VIT_EACH_ROWS, .run = join},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = merges},
    {VIT_ONCE, .run = tomevit_pack_offsets, .when = merges},
    {VIT_EACH_IMAGE, .run = tomevit_merge, .when = merges},
    {VIT_ONCE, .run = tomevit_swap, .when = merges},
    {VIT_EACH_ROWS, .run = tomevit_mlp},
    {0},
};

/* silu(out(norm(x))) in place of the rows that the last layer leaves. */
void tomevit_mega_out(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    float *x = c->rows.x + at->first * c->x_stride;
    vit_operand a = tomevit_operand_new(&m->out, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < at->rows; i++) {
        tomevit_norm(m, &m->norm, m->d.dim, x + i * c->x_stride,
                     tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm(m->dsp, &m->out, VIT_SILU, at->rows, &a, x, c->x_stride,
                 s->gemm);
}

static void carve(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t tokens = vit_columns(d->tokens), value = vit_columns(d->mega.value);
    size_t widest = d->mega.shared + d->mega.value;

    s->keys = tomevit_carve_f32(arena, tokens * d->mega.shared);
    s->values = tomevit_carve_f32(arena, d->tokens * value);
    s->scores = tomevit_carve_f32(arena, VIT_MAX_MR * c->score_stride);
    s->relative = tomevit_carve_f32(arena, c->score_stride);
    s->metric = tomevit_carve_f32(arena, d->tokens);
    s->passing = tomevit_carve(arena, d->tokens, sizeof(int32_t));
    s->zeros = tomevit_carve_f32(
        arena, vit_columns(widest > d->dim ? widest : d->dim));
}

/* Products, attention among the rows of a chunk, and the two directions of the
 * moving averages over all places. */
static double macs(const tomevit_description *d, double before, double queries,
                   double rows)
{
    double dim = (double)d->dim, shared = (double)d->mega.shared;
    double value = (double)d->mega.value;
    double keys = d->mega.chunk ? before * (double)d->mega.chunk /
                                      (double)d->tokens : before;

    return before * dim * (value + (double)tomevit_mix_width(d)) +
           queries * (value * dim + keys * (shared + value)) +
           rows * 2 * dim * (double)d->mlp_dim +
           4 * (double)d->tokens * dim * (double)d->mega.states;
}

const vit_block tomevit_block_mega = {steps, steps, carve, macs};
