/* SPDX-License-Identifier: MIT */
/* Mega's block [arXiv 2209.10655, sections 3.2 and 3.3], with merging between
 * attention and MLP. Where the parts of a row are, gated.h says. */
#include "config.h"

#include "gated.h"

static void norm_rows(vit_pass *p, vit_scratch *unused, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    float *y = c->attention + at->first * c->x_stride;

    for (size_t i = 0; i < at->rows; i++)
        tomevit_norm(m, &at->layer->norm1, m->d.dim,
                     c->rows.x + (at->first + i) * c->x_stride,
                     y + i * c->x_stride);
    (void)unused;
}

/* Normed rows, and the values of them. */
static void values(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    norm_rows(p, s, at);
    tomevit_gated_values(p, s, at);
}

/* Gates, queries and keys, candidates. */
static void mix(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    vit_parts part = tomevit_parts_of(&m->d);
    size_t width = m->d.mega.shared;
    float *row = tomevit_gated_row(c, s, at->first);
    vit_operand a = tomevit_operand(&l->mx, at->rows,
                                    c->next.x + at->first * c->x_stride,
                                    c->x_stride, s->in);

    tomevit_gemm(m->dsp, &l->mx, VIT_STORE, at->rows, &a, row, c->parts_stride,
                 s->gemm);
    m->dsp->finish(VIT_SILU, at->rows, width + m->d.mega.value, row + part.z,
                   c->parts_stride, s->zeros, row + part.z, c->parts_stride);
    for (size_t i = 0; i < at->rows; i++, row += c->parts_stride) {
        tomevit_scale_and_shift(width, l->qk_scale, l->qk_shift, row + part.z,
                                row + part.q);
        tomevit_scale_and_shift(width, l->qk_scale + width,
                                l->qk_shift + width, row + part.z,
                                row + part.k);
    }
}

/* x + U (silu(H + h(R A V)) - x) */
static void join(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    vit_parts part = tomevit_parts_of(&m->d);
    float *row = tomevit_gated_row(c, s, at->first);
    float *x = c->rows.x + at->first * c->x_stride;
    vit_operand a = tomevit_operand(&at->layer->h, at->rows, row + part.r,
                                    c->parts_stride, s->in);

    tomevit_gemm(m->dsp, &at->layer->h, VIT_ADD, at->rows, &a, row + part.h,
                 c->parts_stride, s->gemm);
    for (size_t i = 0; i < at->rows; i++)
        m->dsp->highway(m->d.dim, row + i * c->parts_stride,
                        row + i * c->parts_stride + part.h,
                        x + i * c->x_stride);
}

static void take_chunk(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    tomevit_gated_chunk(p, s, at, mix, join);
}

static const vit_step steps[] = {
    {VIT_EACH_ROWS, .run = values, .when = tomevit_as_one},
    {VIT_EACH_ROWS, .run = norm_rows, .when = tomevit_in_chunks},
    {VIT_EACH_LANES, .run = tomevit_average},
    {VIT_EACH_CHUNK, .run = take_chunk, .when = tomevit_in_chunks},
    {VIT_EACH_ROWS, .run = mix, .when = tomevit_as_one},
    {VIT_EACH_HEAD, .run = tomevit_gated_attention, .when = tomevit_as_one,
     .by_queries = 1},
    {VIT_EACH_ROWS, .run = join, .when = tomevit_as_one},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = tomevit_merges},
    VIT_MERGE,
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

static double macs(const tomevit_description *d, size_t layer, double before,
                   double queries, double rows)
{
    (void)layer; /* all are alike */
    return tomevit_gated_macs(d, before, queries) +
           rows * 2 * (double)d->dim * (double)d->mlp_dim;
}

const vit_block tomevit_block_mega = {steps, steps, tomevit_carve_gated, macs};
