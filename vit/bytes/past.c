/* SPDX-License-Identifier: MIT */
/*
 * The keys and values of a sequence's earlier rows, of one run of a block.
 *
 * Without merging all are in one window. With it, a window's rows are kept
 * whole while it is the last or the one before; then they merge, for keys and
 * values alone: what a patch has become by then is settled, and only how often
 * later ones look at it gets less [cf. Bolya et al., ICLR 2023, 3.2].
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "context.h"

static size_t panels(const vit_dsp *dsp, size_t n)
{
    return (n + dsp->nr - 1) / dsp->nr * dsp->nr;
}

void tomevit_bytes_set_room(const vit_dsp *dsp, vit_bytes_part *p)
{
    size_t dim = p->dim / p->heads, merged = vit_bytes_merged(p);
    size_t windows = p->group ? 2 : 1;
    vit_bytes_room *r = &p->room;

    r->keys = panels(dsp, p->window) * dim;
    r->values = p->window * panels(dsp, dim);
    r->merged_keys = panels(dsp, merged) * dim;
    r->merged_values = merged * panels(dsp, dim);
    r->head = windows * (r->keys + r->values) + r->merged_keys +
              r->merged_values;
}

size_t tomevit_bytes_cache(const vit_bytes_part *p)
{
    return p->kv_heads * p->room.head +
           (p->group ? vit_bytes_merged(p) + 2 * p->window : 0);
}

vit_bytes_past tomevit_bytes_past(const vit_bytes_part *p, float *cache,
                                  size_t head)
{
    const vit_bytes_room *r = &p->room;
    float *at = cache + head * r->head;
    vit_bytes_past past;

    for (size_t i = 0; i < 2; i++) {
        past.keys[i] = at;
        past.values[i] = at + r->keys;
        if (p->group)
            at = past.values[i] + r->values;
    }
    past.merged_keys = at;
    past.merged_values = at + r->merged_keys;
    return past;
}

float *tomevit_bytes_bias(const vit_bytes_part *p, float *cache)
{
    return cache + p->kv_heads * p->room.head;
}

void tomevit_bytes_put_key(const vit_dsp *dsp, size_t dim, const float *k,
                           size_t at, float *to)
{
    float *panel = to + at / dsp->nr * dsp->nr * dim + at % dsp->nr;

    for (size_t c = 0; c < dim; c++)
        panel[c * dsp->nr] = k[c];
}

void tomevit_bytes_put_value(const vit_dsp *dsp, size_t dim, size_t length,
                             const float *v, size_t at, float *to)
{
    size_t nr = dsp->nr;

    for (size_t c = 0; c < dim; c += nr)
        memcpy(to + c * length + at * nr, v + c,
               (dim - c < nr ? dim - c : nr) * sizeof(*v));
}

/* ---- merging ------------------------------------------------------------- */

static tomerge_options how(void)
{
    tomerge_options options;

    tomerge_options_init(&options);
    options.exact = 1;
    return options;
}

void tomevit_bytes_carve_merge(const vit_bytes_part *p, vit_bytes_merge *m,
                               vit_arena *arena)
{
    size_t width = vit_bytes_kv_width(p), dim = p->dim / p->heads, bytes = 0;
    tomerge_options options = how();

    m->bytes = 0;
    if (tomerge_match_rounds_workspace(&options, p->window, dim, &m->bytes) ||
        tomerge_merge_workspace(p->window, &bytes))
        arena->overflow = 1;
    m->bytes = m->bytes > bytes ? m->bytes : bytes;
    m->keys = tomevit_carve_f32(arena, p->window * width);
    m->values = tomevit_carve_f32(arena, p->window * width);
    m->less_keys = tomevit_carve_f32(arena, p->window * width);
    m->less_values = tomevit_carve_f32(arena, p->window * width);
    m->metric = tomevit_carve_f32(arena, p->window * dim);
    m->size = tomevit_carve_f32(arena, p->window);
    m->map = tomevit_carve(arena, p->window, sizeof(*m->map));
    m->workspace = tomevit_carve(arena, m->bytes, 1);
}

/* The rows of a window, out of its panels. */
static void gather(const vit_bytes_rows *r, float *cache, size_t w)
{
    const vit_dsp *dsp = r->m->dsp;
    const vit_bytes_part *p = r->p;
    size_t dim = p->dim / p->heads, width = vit_bytes_kv_width(p);
    size_t nr = dsp->nr;

    for (size_t head = 0; head < p->kv_heads; head++) {
        vit_bytes_past past = tomevit_bytes_past(p, cache, head);

        for (size_t i = 0; i < p->window; i++)
            for (size_t c = 0; c < dim; c++) {
                size_t to = i * width + head * dim + c;

                r->s->merge->keys[to] =
                    past.keys[w % 2][i / nr * nr * dim + c * nr + i % nr];
                r->s->merge->values[to] =
                    past.values[w % 2][c / nr * nr * p->window + i * nr +
                                       c % nr];
            }
    }
}

/* Rows that have merged, behind those that did before them. */
static void put_rows(const vit_bytes_rows *r, float *cache, size_t first)
{
    const vit_dsp *dsp = r->m->dsp;
    const vit_bytes_part *p = r->p;
    size_t dim = p->dim / p->heads, width = vit_bytes_kv_width(p);
    float *bias = tomevit_bytes_bias(p, cache);

    for (size_t i = 0; i < vit_bytes_left(p); i++) {
        for (size_t head = 0; head < p->kv_heads; head++) {
            vit_bytes_past past = tomevit_bytes_past(p, cache, head);
            size_t from = i * width + head * dim;

            tomevit_bytes_put_key(dsp, dim, r->s->merge->less_keys + from,
                                  first + i, past.merged_keys);
            tomevit_bytes_put_value(dsp, dim, vit_bytes_merged(p),
                                    r->s->merge->less_values + from, first + i,
                                    past.merged_values);
        }
        bias[first + i] = r->s->merge->size[i];
    }
    /* Two windows are whole behind them. */
    memset(bias + first + vit_bytes_left(p), 0, 2 * p->window * sizeof(*bias));
}

void tomevit_bytes_merge_window(const vit_bytes_rows *r, float *cache,
                                size_t w)
{
    const vit_bytes_part *p = r->p;
    vit_bytes_merge *m = r->s->merge;
    size_t dim = p->dim / p->heads, width = vit_bytes_kv_width(p);
    tomerge_options options = how();
    tomerge_plan plan = {p->window, p->window, m->map, NULL};
    tomerge_const_view keys = tomerge_const_view_of(m->keys, width,
                                                    TOMERGE_F32);

    gather(r, cache, w);
    tomerge_mean_heads(p->window, p->kv_heads, dim, keys, (ptrdiff_t)dim,
                       tomerge_view_of(m->metric, dim, TOMERGE_F32));
    tomerge_match_rounds(&options, dim,
                         tomerge_const_view_of(m->metric, dim, TOMERGE_F32),
                         NULL, p->window - vit_bytes_left(p), &plan,
                         m->workspace, m->bytes);
    tomerge_merge(TOMERGE_WEIGHTED, &plan, width, keys, NULL,
                  tomerge_view_of(m->less_keys, width, TOMERGE_F32), m->size,
                  m->workspace, m->bytes);
    tomerge_merge(TOMERGE_WEIGHTED, &plan, width,
                  tomerge_const_view_of(m->values, width, TOMERGE_F32), NULL,
                  tomerge_view_of(m->less_values, width, TOMERGE_F32), NULL,
                  m->workspace, m->bytes);
    tomerge_size_bias(plan.rows, m->size, m->size);
    put_rows(r, cache, w * vit_bytes_left(p));
}
