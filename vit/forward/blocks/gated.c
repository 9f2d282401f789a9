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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
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

float *tomevit_gated_row(const vit_team *c, const vit_scratch *s, size_t row)
{
    return c->by_chunks ? s->parts + (row - s->parts_first) * c->parts_stride
                        : c->qkv + row * c->parts_stride;
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
                 tomevit_gated_row(c, s, at->first) + tomevit_parts_of(&m->d).v,
                 c->parts_stride, s->gemm);
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
    const float *relative;

    if (g->d->block != TOMEVIT_BLOCK_MEGA) {
        dsp->softmax(g->rows, 1.0f, g->bias, s);
        return;
    }
    relative = g->layer->rel_bias + g->whole - 1;
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

/* Where in a row's parts lies what tokens are compared by, one head after
 * another of *channels. */
static size_t part_compared(const tomevit_description *d, int metric,
                            size_t *channels)
{
    vit_parts part = tomevit_parts_of(d);

    *channels = d->mega.shared / d->heads;
    switch (metric) {
    case TOMEVIT_METRIC_V:
        *channels = d->mega.value / d->heads;
        return part.v;
    case TOMEVIT_METRIC_Q:
    case TOMEVIT_METRIC_Q_UNTURNED:
        return part.q;
    default:
        return part.k;
    }
}

const float *tomevit_gated_metric(const vit_team *c, int metric, size_t first,
                                  size_t *channels)
{
    size_t from = part_compared(&c->model->d, metric, channels);

    return c->qkv + first * c->qkv_stride + (c->by_chunks ? 0 : from);
}

/* One head of the chunk that is the rows first .. next - 1 of all: its queries
 * begin .. end - 1. */
static void attend_chunk(vit_pass *p, vit_scratch *s, const vit_at *at,
                         size_t first, size_t next, size_t begin, size_t end)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    vit_parts part = tomevit_parts_of(d);
    float *row = tomevit_gated_row(c, s, first);
    size_t shared = d->mega.shared / d->heads;
    size_t value = d->mega.value / d->heads;
    among g = {
        .layer = at->layer, .d = d,
        .whole = d->mega.chunk ? d->mega.chunk : d->tokens,
        .shared = shared, .value = value, .stride = c->parts_stride,
        .rows = next - first, .place = c->rows.place + first,
        .size = p->merged && p->merging->prop_attn ? c->rows.size + first
                                                   : NULL,
        .bias = vit_bias(p, first),
        .q = row + part.q + at->head * shared,
        .k = row + part.k + at->head * shared,
        .v = row + part.v + at->head * value,
        .r = row + part.r + at->head * value};

    attend(c, s, &g, begin, end);
}

/* Where the chunk ends that row `first` is in. They are formed by place: rows
 * that have merged stay in the chunk of their destination. */
static size_t end_of_chunk(const vit_team *c, size_t first, size_t end)
{
    const tomevit_description *d = &c->model->d;
    size_t chunk = d->mega.chunk ? d->mega.chunk : d->tokens, next = first;
    size_t number = (size_t)c->rows.place[first] / chunk;

    while (next < end && (size_t)c->rows.place[next] / chunk == number)
        next++;
    return next;
}

/* Chunk by chunk. Of a task that is shared out, the chunks that its queries are
 * in. */
void tomevit_gated_attention(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    size_t first = c->rows.offsets[at->image], begin = first + at->first;
    size_t end = c->rows.offsets[at->image + 1];
    size_t stop = at->rows ? begin + at->rows : end;

    while (first < stop) {
        size_t next = end_of_chunk(c, first, end);

        if (next > begin)
            attend_chunk(p, s, at, first, next,
                         begin > first ? begin - first : 0,
                         smaller(stop, next) - first);
        first = next;
    }
}

/* Keeps what tokens are going to be compared by. */
static void keep_metric(const vit_pass *p, const vit_scratch *s,
                        const vit_at *at)
{
    vit_team *c = p->c;
    size_t channels, heads = c->model->d.heads;
    size_t from = part_compared(&c->model->d, p->merging->metric, &channels);

    for (size_t i = at->first; i < at->first + at->rows; i++)
        memcpy(c->qkv + i * c->qkv_stride, tomevit_gated_row(c, s, i) + from,
               heads * channels * sizeof(float));
}

/* A task for all rows of `at`, as many at a time as products take. */
static void each_part(vit_pass *p, vit_scratch *s, const vit_at *at,
                      vit_task *task)
{
    size_t most = p->c->model->block_rows;
    vit_at part = *at;

    for (size_t i = 0; i < at->rows; i += part.rows) {
        part.first = at->first + i;
        part.rows = smaller(at->rows - i, most);
        task(p, s, &part);
    }
}

void tomevit_gated_chunk(vit_pass *p, vit_scratch *s, const vit_at *at,
                         vit_task *mix, vit_task *join)
{
    vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t end = c->rows.offsets[at->image + 1];
    vit_at rows = *at;

    rows.first = c->rows.offsets[at->image];
    while (rows.first < end &&
           (size_t)c->rows.place[rows.first] / d->mega.chunk < at->head)
        rows.first++;
    if (rows.first == end ||
        (size_t)c->rows.place[rows.first] / d->mega.chunk > at->head)
        return;
    rows.rows = end_of_chunk(c, rows.first, end) - rows.first;
    s->parts_first = rows.first;
    each_part(p, s, &rows, tomevit_gated_values);
    each_part(p, s, &rows, mix);
    for (rows.head = 0; rows.head < d->heads; rows.head++)
        attend_chunk(p, s, &rows, rows.first, rows.first + rows.rows, 0,
                     rows.rows);
    each_part(p, s, &rows, join);
    if (at->r > 0)
        keep_metric(p, s, &rows);
}

int tomevit_in_chunks(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->c->by_chunks;
}

int tomevit_as_one(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return !p->c->by_chunks;
}

/* What a chunk needs does not grow with the image. Its scores and values stand
 * in for the lanes of all rows while these are averaged. */
void tomevit_carve_gated(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    const tomevit_description *d = &c->model->d;
    size_t chunk = d->mega.chunk ? d->mega.chunk : d->tokens;
    size_t columns = vit_columns(chunk);
    size_t lanes = d->tokens * VIT_EMA_LANES;
    size_t widest = larger(d->mega.shared, d->mega.value);

    s->keys = tomevit_carve_f32(arena, columns * d->mega.shared);
    s->values = tomevit_carve_f32(
        arena, larger(chunk * vit_columns(d->mega.value), lanes));
    s->scores = tomevit_carve_f32(
        arena, larger(VIT_MAX_MR * c->score_stride, lanes));
    s->relative = tomevit_carve_f32(arena, c->score_stride);
    s->parts = tomevit_carve_f32(arena,
                                 c->by_chunks ? chunk * c->parts_stride : 0);
    s->metric = tomevit_carve_f32(
        arena, d->tokens * (d->heads > 1 ? widest / d->heads : 1));
    s->passing = tomevit_carve(arena, d->tokens, sizeof(int32_t));
    s->zeros = tomevit_carve_f32(
        arena,
        vit_columns(larger(d->mega.shared + d->mega.value, d->dim)));
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
