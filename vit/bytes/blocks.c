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

static size_t panels(const vit_dsp *dsp, size_t n)
{
    return (n + dsp->nr - 1) / dsp->nr * dsp->nr;
}

/* Of every head keys as panels [head_dim, nr], then values as panels
 * [length, nr]. */
static size_t head_cache(const vit_dsp *dsp, const vit_bytes_part *p)
{
    size_t head_dim = p->dim / p->heads;

    return panels(dsp, p->length) * head_dim +
           p->length * panels(dsp, head_dim);
}

size_t tomevit_bytes_cache(const vit_dsp *dsp, const vit_bytes_part *p)
{
    return p->kv_heads * head_cache(dsp, p);
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
    else if (r->p->mlp == VIT_BYTES_RELU)
        for (size_t j = 0; j < hidden; j++)
            row[j] = row[j] > 0.0f ? row[j] : 0.0f;
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

/* Adds the keys and values of a sequence's new rows to its cache. */
static void remember(const vit_bytes_rows *r, size_t sequence, size_t head,
                     float *keys, float *values)
{
    size_t nr = r->m->dsp->nr, dim = r->p->dim / r->p->heads;

    for (size_t i = 0; i < r->count; i++) {
        const float *k = r->s->qkv + (sequence * r->count + i) * r->qkv_stride +
                         r->p->dim + head * dim;
        const float *v = k + vit_bytes_kv_width(r->p);
        size_t at = r->from + i;
        float *panel = keys + at / nr * nr * dim + at % nr;

        for (size_t c = 0; c < dim; c++)
            panel[c * nr] = k[c];
        for (size_t c = 0; c < dim; c += nr)
            memcpy(values + c * r->p->length + at * nr, v + c,
                   smaller(dim - c, nr) * sizeof(*v));
    }
}

/* Of each row the weights of itself and of those before it; zeros for those
 * that come later and were compared along with the tile. */
static void weigh(const vit_bytes_rows *r, size_t first, size_t rows,
                  const float *q, const float *keys)
{
    const vit_dsp *dsp = r->m->dsp;
    size_t dim = r->p->dim / r->p->heads, all = first + rows;
    float scale = 1.0f / sqrtf((float)dim);

    for (size_t j = 0; j < all; j += dsp->nr) {
        const float *panel = keys + j * dim;

        dsp->gemm(rows, dim, q, r->qkv_stride, panel, r->s->scores + j,
                  r->score_stride, 0, (vit_ahead){panel, panel, 0});
    }
    for (size_t i = 0; i < rows; i++) {
        float *row = r->s->scores + i * r->score_stride;
        size_t seen = first + i + 1;

        dsp->softmax(seen, scale, NULL, row);
        memset(row + seen, 0, (all - seen) * sizeof(*row));
    }
}

static void sum_values(const vit_bytes_rows *r, size_t rows, size_t all,
                       const float *values, float *y)
{
    const vit_dsp *dsp = r->m->dsp;
    size_t nr = dsp->nr, dim = r->p->dim / r->p->heads;
    float tile[VIT_MAX_MR * VIT_MAX_NR];

    for (size_t c = 0; c < dim; c += nr) {
        const float *panel = values + c * r->p->length;

        dsp->gemm(rows, all, r->s->scores, r->score_stride, panel, tile, nr, 0,
                  (vit_ahead){panel, panel, 0});
        for (size_t i = 0; i < rows; i++)
            memcpy(y + i * r->x_stride + c, tile + i * nr,
                   smaller(dim - c, nr) * sizeof(*y));
    }
}

static void attend(const vit_bytes_rows *r, size_t sequence, float *cache)
{
    const vit_dsp *dsp = r->m->dsp;
    const vit_bytes_part *p = r->p;
    size_t dim = p->dim / p->heads, group = p->heads / p->kv_heads;
    size_t first = sequence * r->count;

    for (size_t head = 0; head < p->heads; head++) {
        float *keys = cache + head / group * head_cache(dsp, p);
        float *values = keys + panels(dsp, p->length) * dim;

        if (head % group == 0)
            remember(r, sequence, head / group, keys, values);
        for (size_t i = 0, rows; i < r->count; i += rows) {
            rows = vit_tile_rows(r->count - i, dsp->mr);
            weigh(r, r->from + i, rows,
                  r->s->qkv + (first + i) * r->qkv_stride + head * dim, keys);
            sum_values(r, rows, r->from + i + rows, values,
                       r->s->attention + (first + i) * r->x_stride +
                       head * dim);
        }
    }
}

/* ---- blocks -------------------------------------------------------------- */

static void run_block(const vit_bytes_rows *r, const vit_bytes_block *b,
                      float *cache)
{
    const vit_dsp *dsp = r->m->dsp;
    vit_bytes_scratch *s = r->s;
    size_t all = r->sequences * r->count, rows;

    for (size_t i = 0; i < all; i += rows) {
        vit_operand a;

        rows = smaller(all - i, r->m->block_rows);
        a = normalised(r, &b->norm1, &b->qkv, i, rows);
        tomevit_gemm(dsp, &b->qkv, VIT_STORE, rows, &a,
                     s->qkv + i * r->qkv_stride, r->qkv_stride, s->gemm);
    }
    for (size_t i = 0; i < r->sequences; i++)
        attend(r, i, cache + i * r->next_sequence);
    for (size_t i = 0; i < all; i += rows) {
        vit_operand a;

        rows = smaller(all - i, r->m->block_rows);
        a = tomevit_operand(&b->o, rows, s->attention + i * r->x_stride,
                            r->x_stride, s->in);
        tomevit_gemm(dsp, &b->o, VIT_ADD, rows, &a, s->x + i * r->x_stride,
                     r->x_stride, s->gemm);
        mlp(r, b, i, rows);
    }
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
