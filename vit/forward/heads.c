/* SPDX-License-Identifier: MIT */
/*
 * What stands between the product that gives queries and keys, and attention:
 * their norms, and rotations by their positions.
 *
 * Once tokens have merged, a row stands for patches of several places. It goes
 * on at that of the token it was built on; or at the mean place; or it is
 * turned by the mean of all rotations, as rotating is linear.
 */
#include "config.h"

#include "steps.h"

#include <string.h>

/* ---- rows that stand elsewhere ------------------------------------------- */

int tomevit_stand_elsewhere(const vit_pass *p, const vit_at *at)
{
    (void)at;
    return p->merged && p->c->model->d.rope.kind != TOMEVIT_ROTARY_NONE &&
           p->merging->rope_merge != TOMEVIT_ROPE_DESTINATION;
}

/* The rotations of patch 0 in a layer; the others follow. */
static const float *patch_turns(const tomevit_model *m, size_t layer)
{
    size_t patches = m->d.tokens - m->d.prefix;

    return m->turns + (tomevit_rope_each_head(&m->d)
                           ? layer * patches * tomevit_turns_of(&m->d) : 0);
}

/* A row of an image, and the patches it stands for, of which there is one. */
typedef struct members {
    size_t rows, tokens, prefix, columns;
    const int32_t *trace;  /* [tokens] */
    float *row, *column, *count; /* [rows] */
} members;

static void sum_places(const members *g)
{
    memset(g->row, 0, g->rows * sizeof(*g->row));
    memset(g->column, 0, g->rows * sizeof(*g->column));
    memset(g->count, 0, g->rows * sizeof(*g->count));
    for (size_t t = g->prefix; t < g->tokens; t++) {
        int32_t to = g->trace[t];

        if (to < 0)
            continue;
        g->row[to] += (float)((t - g->prefix) / g->columns);
        g->column[to] += (float)((t - g->prefix) % g->columns);
        g->count[to]++;
    }
}

static void turn_to_centroids(const tomevit_model *m, size_t layer,
                              const members *g, float *turns)
{
    size_t each = tomevit_turns_of(&m->d), length = tomevit_turn_length(&m->d);

    for (size_t i = 0; i < g->rows; i++)
        for (size_t head = 0; g->count[i] > 0 && head < each / length; head++)
            tomevit_rope_turn(&m->d, tomevit_rates(m, layer, head),
                              (double)g->row[i] / (double)g->count[i],
                              (double)g->column[i] / (double)g->count[i],
                              turns + i * each + head * length);
}

static void add(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void divide(size_t n, float by, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] /= by;
}

static void turn_by_means(const tomevit_model *m, size_t layer,
                          const members *g, float *turns)
{
    size_t each = tomevit_turns_of(&m->d);
    const float *patch = patch_turns(m, layer);

    for (size_t i = 0; i < g->rows; i++)
        if (g->count[i] != 1)
            memset(turns + i * each, 0, each * sizeof(*turns));
    for (size_t t = g->prefix; t < g->tokens; t++, patch += each) {
        int32_t to = g->trace[t];

        if (to >= 0 && g->count[to] == 1)
            memcpy(turns + (size_t)to * each, patch, each * sizeof(*turns));
        else if (to >= 0)
            add(each, patch, turns + (size_t)to * each);
    }
    for (size_t i = 0; i < g->rows; i++)
        if (g->count[i] > 1)
            divide(each, g->count[i], turns + i * each);
}

void tomevit_turn_rows(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t first = c->rows.offsets[at->image];
    float *turns = c->turns + first * tomevit_turns_of(&m->d);
    members g = {
        .rows = c->rows.offsets[at->image + 1] - first,
        .tokens = m->d.tokens, .prefix = m->d.prefix,
        .columns = tomevit_grid_columns(&m->d),
        .trace = c->rows.trace + at->image * m->d.tokens,
        .row = s->scores, .column = s->scores + m->d.tokens,
        .count = s->scores + 2 * m->d.tokens,
    };

    sum_places(&g);
    if (p->merging->rope_merge == TOMEVIT_ROPE_CENTROID)
        turn_to_centroids(m, at->index, &g, turns);
    else
        turn_by_means(m, at->index, &g, turns);
}

/* ---- queries and keys ---------------------------------------------------- */

int tomevit_compares_unturned(const vit_pass *p)
{
    return (p->needs & TOMERGE_NEEDS_METRIC) &&
           (p->merging->metric == TOMEVIT_METRIC_K_UNTURNED ||
            p->merging->metric == TOMEVIT_METRIC_Q_UNTURNED);
}

/* Heads of one row, each of `stride` floats of turns, or all the same. */
static void turn_heads(const tomevit_model *m, size_t heads, const float *turn,
                       size_t stride, float *y)
{
    size_t channels = tomevit_head_dim(&m->d);

    if (m->d.rope.halves < 2) {
        m->dsp->rotate(heads, channels, m->d.rope.halves, turn, stride, y);
        return;
    }
    for (size_t h = 0; h < heads; h++)
        m->dsp->rotate(2, channels / 2, 1, turn + h * stride, channels,
                       y + h * channels);
}

static void norm_heads(const tomevit_model *m, const vit_heads *h)
{
    size_t head_dim = tomevit_head_dim(&m->d);

    for (size_t i = 0; h->norm && i < h->rows; i++)
        for (size_t j = 0; j < h->heads; j++) {
            float *y = h->y + i * h->stride + j * head_dim;

            tomevit_norm(m, h->norm, head_dim, y, y);
        }
}

/* What tokens are compared by, before it is turned. */
static void keep_unturned(const vit_pass *p, const vit_at *at,
                          const vit_heads *h)
{
    size_t head_dim = tomevit_head_dim(&p->c->model->d);
    tomerge_const_view from = {h->y, (ptrdiff_t)h->stride, TOMERGE_F32};
    tomerge_view to = {p->c->unturned + at->first * head_dim,
                       (ptrdiff_t)head_dim, TOMERGE_F32};

    if (at->r > 0 && !h->read && tomevit_compares_unturned(p) &&
        p->merging->metric == h->metric)
        tomerge_mean_heads(h->rows, h->heads, head_dim, from,
                           (ptrdiff_t)head_dim, to);
}

void tomevit_finish_heads(const vit_pass *p, const vit_at *at,
                          const vit_heads *h)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t each = tomevit_turns_of(&m->d), length = tomevit_turn_length(&m->d);
    int elsewhere = tomevit_stand_elsewhere(p, at);
    const float *patch;

    norm_heads(m, h);
    if (!m->d.rope.kind)
        return;
    keep_unturned(p, at, h);
    patch = patch_turns(m, at->index);
    for (size_t i = 0; i < h->rows; i++) {
        size_t row = at->first + i;

        if (h->read)
            row = c->rows.offsets[row / at->read] + row % at->read;
        if (c->rows.place[row] >= 0)
            turn_heads(m, h->heads,
                       elsewhere ? c->turns + row * each
                                 : patch + (size_t)c->rows.place[row] * each,
                       each > length ? length : 0, h->y + i * h->stride);
    }
}
