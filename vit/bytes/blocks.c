/* SPDX-License-Identifier: MIT */
/* Rows through the blocks of a causal Transformer; see context.h. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "context.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- products ------------------------------------------------------------ */

static void norm(const vit_bytes_rows *r, const vit_bytes_norm *n,
                 const float *x, float *y)
{
    const vit_dsp *dsp = r->m->dsp;

    if (n->bias)
        dsp->layer_norm(r->p->dim, x, n->weight, n->bias, r->m->eps, y);
    else
        dsp->rms_norm(r->p->dim, x, n->weight, r->m->eps, y);
}

/* Rows first .. first + rows - 1 of x, normalised, as `to` takes them. */
static vit_operand normalised(const vit_bytes_rows *r,
                              const vit_bytes_norm *n, const vit_matrix *to,
                              size_t first, size_t rows)
{
    vit_operand a = tomevit_operand_new(to, r->s->norm, r->x_stride, r->s->in);

    for (size_t i = 0; i < rows; i++) {
        norm(r, n, r->s->x + (first + i) * r->x_stride,
             tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    return a;
}

static void activate(const vit_bytes_rows *r, float *row)
{
    size_t hidden = r->p->hidden;

    if (r->p->mlp == VIT_BYTES_SWIGLU)
        r->m->dsp->swiglu(hidden, row, row + hidden, row);
    else if (r->p->mlp == VIT_BYTES_RELU) {
        /* Without this gcc makes it a branch a number: a sixth of all time.
         * clang needs no telling, and warns where it is not to vectorise. */
#ifndef __clang__
#pragma omp simd
#endif
        for (size_t j = 0; j < hidden; j++)
            row[j] = row[j] > 0.0f ? row[j] : 0.0f;
    }
}

static void mlp(const vit_bytes_rows *r, const vit_bytes_block *b,
                size_t first, size_t rows)
{
    const vit_dsp *dsp = r->m->dsp;
    vit_bytes_scratch *s = r->s;
    vit_operand a = normalised(r, &b->norm2, &b->up, first, rows);

    tomevit_gemm(dsp, &b->up,
                 r->p->mlp == VIT_BYTES_GELU ? VIT_GELU : VIT_STORE, rows, &a,
                 s->hidden, r->hidden_stride, s->gemm);
    for (size_t i = 0; i < rows; i++)
        activate(r, s->hidden + i * r->hidden_stride);
    a = tomevit_operand(&b->down, rows, s->hidden, r->hidden_stride, s->out);
    tomevit_gemm(dsp, &b->down, VIT_ADD, rows, &a,
                 s->x + first * r->x_stride, r->x_stride, s->gemm);
}

/* ---- attention ----------------------------------------------------------- */

/* Rows that a query sees, those of one part of the past after another's. */
typedef struct part {
    const float *keys, *values;
    size_t rows, length;   /* of which there is room for */
} part;

/* New rows of a sequence that lie in one window. */
typedef struct rows_now {
    size_t first;          /* in x */
    size_t count, window, place; /* of the first in its window */
    float *cache;
} rows_now;

/* Adds the keys and values of a sequence's new rows to its cache. */
static void remember(const vit_bytes_rows *r, const rows_now *n, size_t head)
{
    const vit_dsp *dsp = r->m->dsp;
    size_t dim = r->p->dim / r->p->heads, slot = n->window % 2;
    vit_bytes_past past = tomevit_bytes_past(r->p, n->cache, head);

    for (size_t i = 0; i < n->count; i++) {
        const float *k = r->s->qkv + (n->first + i) * r->qkv_stride +
                         r->p->dim + head * dim;

        tomevit_bytes_put_key(dsp, dim, k, n->place + i, past.keys[slot]);
        tomevit_bytes_put_value(dsp, dim, r->p->window,
                                k + vit_bytes_kv_width(r->p), n->place + i,
                                past.values[slot]);
    }
}

/* The past of window w: what has merged, the window before, and itself, of
 * which `own` rows are looked at. */
static size_t parts_of(const vit_bytes_rows *r, const vit_bytes_past *past,
                       size_t w, size_t own, part out[3])
{
    size_t count = 0, slot = w % 2;

    if (w > 1)
        out[count++] = (part){past->merged_keys, past->merged_values,
                              (w - 1) * vit_bytes_left(r->p),
                              vit_bytes_merged(r->p)};
    if (w > 0)
        out[count++] = (part){past->keys[!slot], past->values[!slot],
                              r->p->window, r->p->window};
    out[count++] = (part){past->keys[slot], past->values[slot], own,
                          r->p->window};
    return count;
}

/* Of `rows` queries the weights of what they see; zeros for rows that come
 * later and were compared along with the tile. `seen` rows by the first. */
static void weigh(const vit_bytes_rows *r, const part *parts, size_t count,
                  size_t rows, const float *q, size_t seen, const float *bias)
{
    const vit_dsp *dsp = r->m->dsp;
    size_t dim = r->p->dim / r->p->heads, all = 0;
    float scale = 1.0f / sqrtf((float)dim);

    for (size_t i = 0; i < count; all += parts[i++].rows)
        for (size_t j = 0; j < parts[i].rows; j += dsp->nr) {
            const float *panel = parts[i].keys + j * dim;

            dsp->gemm(rows, dim, q, r->qkv_stride, panel,
                      r->s->scores + all + j, r->score_stride, 0,
                      (vit_ahead){panel, panel, 0});
        }
    for (size_t i = 0; i < rows; i++) {
        float *row = r->s->scores + i * r->score_stride;

        dsp->softmax(seen + i, scale, bias, row);
        memset(row + seen + i, 0, (all - seen - i) * sizeof(*row));
    }
}

static void sum_values(const vit_bytes_rows *r, const part *parts,
                       size_t count, size_t rows, float *y)
{
    const vit_dsp *dsp = r->m->dsp;
    size_t nr = dsp->nr, dim = r->p->dim / r->p->heads;
    float tile[VIT_MAX_MR * VIT_MAX_NR];

    for (size_t c = 0; c < dim; c += nr) {
        for (size_t i = 0, at = 0; i < count; at += parts[i++].rows) {
            const float *panel = parts[i].values + c * parts[i].length;

            dsp->gemm(rows, parts[i].rows, r->s->scores + at, r->score_stride,
                      panel, tile, nr, i > 0, (vit_ahead){panel, panel, 0});
        }
        for (size_t i = 0; i < rows; i++)
            memcpy(y + i * r->x_stride + c, tile + i * nr,
                   smaller(dim - c, nr) * sizeof(*y));
    }
}

/* Rows from .. to - 1 of those now. */
static void attend_head(const vit_bytes_rows *r, const rows_now *n,
                        size_t head, size_t from, size_t to)
{
    const vit_dsp *dsp = r->m->dsp;
    const vit_bytes_part *p = r->p;
    size_t dim = p->dim / p->heads, group = p->heads / p->kv_heads;
    vit_bytes_past past = tomevit_bytes_past(p, n->cache, head / group);
    const float *bias = n->window > 1 ? tomevit_bytes_bias(p, n->cache)
                                      : NULL;

    for (size_t i = from, rows; i < to; i += rows) {
        size_t own = n->place + i, count, before;
        part parts[3];

        rows = vit_tile_rows(to - i, dsp->mr);
        count = parts_of(r, &past, n->window, own + rows, parts);
        before = (count > 1 ? parts[0].rows : 0) +
                 (count > 2 ? parts[1].rows : 0);
        weigh(r, parts, count, rows,
              r->s->qkv + (n->first + i) * r->qkv_stride + head * dim,
              before + own + 1, bias);
        sum_values(r, parts, count, rows,
                   r->s->attention + (n->first + i) * r->x_stride +
                   head * dim);
    }
}

/* ---- several threads on the rows of one sequence ------------------------- */

/* The rows with the scratch of the thread that is asked, but what all share. */
static vit_bytes_scratch scratch_of(const vit_bytes_rows *r)
{
    vit_bytes_scratch s = r->team[tomevit_bytes_thread()];

    s.x = r->s->x;
    s.qkv = r->s->qkv;
    s.attention = r->s->attention;
    return s;
}

/* Pieces of at most `most` rows, whole tiles, that all have something to do. */
static size_t piece_rows(const vit_bytes_rows *r, size_t rows, size_t most)
{
    size_t each = rows, mr = r->m->dsp->mr;

    if (r->threads > 1)
        each = (rows / (size_t)r->threads + mr) / mr * mr;
    return smaller(each, most);
}

/* Heads see what the rows of all sequences before them left; a head's rows are
 * shared out as well. */
static void attend_now(const vit_bytes_rows *r, const rows_now *n)
{
    const vit_bytes_part *p = r->p;
    size_t each = piece_rows(r, n->count, n->count);
    size_t pieces = (n->count + each - 1) / each;

    for (size_t head = 0; head < p->kv_heads; head++)
        remember(r, n, head);
    if (r->threads <= 1) {
        for (size_t head = 0; head < p->heads; head++)
            attend_head(r, n, head, 0, n->count);
        return;
    }
#pragma omp parallel num_threads(r->threads)
    {
        vit_bytes_scratch s = scratch_of(r);
        vit_bytes_rows mine = *r;

        mine.s = &s;
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < p->heads * pieces; i++) {
            size_t from = i % pieces * each;

            attend_head(&mine, n, i / pieces, from,
                        smaller(from + each, n->count));
        }
    }
}

/* Window by window: what has left the two last ones merges first. */
static void attend(const vit_bytes_rows *r, size_t sequence, float *cache)
{
    const vit_bytes_part *p = r->p;
    rows_now n = {.first = sequence * r->count, .cache = cache};
    size_t left = r->count;

    for (size_t at = r->from; left > 0; at += n.count) {
        n.window = at / p->window;
        n.place = at % p->window;
        n.count = smaller(p->window - n.place, left);
        if (n.place == 0 && n.window > 1)
            tomevit_bytes_merge_window(r, cache, n.window - 2);
        attend_now(r, &n);
        n.first += n.count;
        left -= n.count;
    }
}

/* ---- blocks -------------------------------------------------------------- */

/* A step of a block for rows first .. first + rows - 1. */
typedef void step(const vit_bytes_rows *r, const vit_bytes_block *b,
                  size_t first, size_t rows);

static void to_qkv(const vit_bytes_rows *r, const vit_bytes_block *b,
                   size_t first, size_t rows)
{
    vit_operand a = normalised(r, &b->norm1, &b->qkv, first, rows);

    tomevit_gemm(r->m->dsp, &b->qkv, VIT_STORE, rows, &a,
                 r->s->qkv + first * r->qkv_stride, r->qkv_stride, r->s->gemm);
}

static void from_attention(const vit_bytes_rows *r, const vit_bytes_block *b,
                           size_t first, size_t rows)
{
    vit_bytes_scratch *s = r->s;
    vit_operand a = tomevit_operand(&b->o, rows,
                                    s->attention + first * r->x_stride,
                                    r->x_stride, s->in);

    tomevit_gemm(r->m->dsp, &b->o, VIT_ADD, rows, &a,
                 s->x + first * r->x_stride, r->x_stride, s->gemm);
    mlp(r, b, first, rows);
}

static void for_all_rows(const vit_bytes_rows *r, const vit_bytes_block *b,
                         step *take)
{
    size_t all = r->sequences * r->count;
    size_t each = piece_rows(r, all, r->m->block_rows);

    if (r->threads <= 1) {
        for (size_t i = 0; i < all; i += each)
            take(r, b, i, smaller(all - i, each));
        return;
    }
#pragma omp parallel num_threads(r->threads)
    {
        vit_bytes_scratch s = scratch_of(r);
        vit_bytes_rows mine = *r;

        mine.s = &s;
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < all; i += each)
            take(&mine, b, i, smaller(all - i, each));
    }
}

static void run_block(const vit_bytes_rows *r, const vit_bytes_block *b,
                      float *cache)
{
    for_all_rows(r, b, to_qkv);
    for (size_t i = 0; i < r->sequences; i++)
        attend(r, i, cache + i * r->next_sequence);
    for_all_rows(r, b, from_attention);
}

void tomevit_bytes_run(const vit_bytes_rows *r)
{
    size_t all = r->sequences * r->count;
    float *cache = r->cache;

    for (size_t i = 0; i < r->p->blocks_count; i++)
        for (size_t k = 0; k < r->p->share; k++, cache += r->next_run)
            run_block(r, &r->p->blocks[i], cache);
    for (size_t i = 0; i < all; i++) {
        float *x = r->s->x + i * r->x_stride;

        norm(r, &r->p->norm, x, x);
    }
}
