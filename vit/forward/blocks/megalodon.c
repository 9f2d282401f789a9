/* SPDX-License-Identifier: MIT */
/*
 * Megalodon's block [arXiv 2404.08801, section 3] as it may be read for
 * images, which its authors published no code for: a norm over groups of
 * channels of all rows where texts have one over the past, moving averages in
 * two directions as Mega has them. Both what enters the block and what
 * attention makes of it go on to the MLP, whose residual is the former; they
 * merge by one plan. Where the parts of a row are, gated.h says.
 */
#include "config.h"

#include "gated.h"

/* Rows of an image, normed by groups of channels. */
static void norm_groups(const vit_team *c, vit_scratch *s, size_t image,
                        const vit_norm *norm, const float *x, float *y)
{
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[image];
    vit_groups g = {d->dim, d->mega.groups, norm->weight, norm->bias,
                    d->norm_eps};

    tomevit_group_norm(&g, c->rows.offsets[image + 1] - first,
                       c->rows.size + first, x + first * c->x_stride,
                       c->x_stride, y + first * c->x_stride, c->x_stride,
                       s->sums);
}

static void norm_rows(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    norm_groups(p->c, s, at->image, &at->layer->norm1, p->c->rows.x,
                p->c->attention);
}

/* Queries and keys of one row: Z, a unit in each head, scaled and shifted. */
static void split(const vit_team *c, const vit_layer *l, float *row)
{
    const tomevit_description *d = &c->model->d;
    vit_parts part = tomevit_parts_of(d);
    size_t width = d->mega.shared, each = width / d->heads;
    float *z = row + part.z;

    for (size_t h = 0; h < d->heads; h++)
        c->model->dsp->rms_norm(each, z + h * each, NULL, d->norm_eps,
                                z + h * each);
    tomevit_scale_and_shift(width, l->qk_scale, l->qk_shift, z, row + part.q);
    tomevit_scale_and_shift(width, l->qk_scale + width, l->qk_shift + width,
                            z, row + part.k);
}

/* Queries and keys, gates, and what averages alone add. */
static void mix(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_layer *l = at->layer;
    vit_parts part = tomevit_parts_of(&m->d);
    const float *x = c->next.x + at->first * c->x_stride;
    float *row = tomevit_gated_row(c, s, at->first);
    vit_heads q = {row + part.q, at->rows, c->parts_stride, m->d.heads, NULL,
                   TOMEVIT_METRIC_Q_UNTURNED, 0}, k = q;
    vit_operand a = tomevit_operand_new(&l->mx, s->norm, c->x_stride, s->in);

    for (size_t i = 0; i < at->rows; i++, x += c->x_stride) {
        m->dsp->rms_norm(m->d.dim, x, l->rms, m->d.norm_eps,
                         tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm(m->dsp, &l->mx, VIT_STORE, at->rows, &a, row, c->parts_stride,
                 s->gemm);
    for (size_t i = 0; i < at->rows; i++)
        split(c, l, row + i * c->parts_stride);
    m->dsp->finish(VIT_SILU, at->rows, m->d.mega.value, row + part.r,
                   c->parts_stride, s->zeros, row + part.r, c->parts_stride);
    k.y = row + part.k;
    k.metric = TOMEVIT_METRIC_K_UNTURNED;
    tomevit_finish_heads(p, at, &q);
    tomevit_finish_heads(p, at, &k);
}

/* x + H + h(R O), which takes the place of the normed rows. */
static void join(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    vit_parts part = tomevit_parts_of(&m->d);
    float *row = tomevit_gated_row(c, s, at->first);
    const float *x = c->rows.x + at->first * c->x_stride;
    float *y = c->attention + at->first * c->x_stride;
    vit_operand a = tomevit_operand(&at->layer->h, at->rows, row + part.r,
                                    c->parts_stride, s->in);

    tomevit_gemm(m->dsp, &at->layer->h, VIT_ADD, at->rows, &a, row + part.h,
                 c->parts_stride, s->gemm);
    for (size_t i = 0; i < at->rows; i++, row += c->parts_stride) {
        for (size_t j = 0; j < m->d.dim; j++)
            y[j] = x[j] + row[part.h + j];
        x += c->x_stride;
        y += c->x_stride;
    }
}

/* Merging leaves what attention made in the first columns of c->qkv. */
static void mlp(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;

    if (at->r > 0)
        tomevit_mlp_of(p, s, at, c->qkv + at->first * c->qkv_stride,
                       c->qkv_stride);
    else
        tomevit_mlp_of(p, s, at, c->attention + at->first * c->x_stride,
                       c->x_stride);
}

static void take_chunk(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    tomevit_gated_chunk(p, s, at, mix, join);
}

static const vit_step steps[] = {
    {VIT_EACH_IMAGE, .run = tomevit_turn_rows, .when = tomevit_stand_elsewhere},
    {VIT_EACH_IMAGE, .run = norm_rows},
    {VIT_EACH_ROWS, .run = tomevit_gated_values, .when = tomevit_as_one},
    {VIT_EACH_LANES, .run = tomevit_average},
    {VIT_EACH_CHUNK, .run = take_chunk, .when = tomevit_in_chunks},
    {VIT_EACH_ROWS, .run = mix, .when = tomevit_as_one},
    {VIT_EACH_HEAD, .run = tomevit_gated_attention, .when = tomevit_as_one,
     .by_queries = 1},
    {VIT_EACH_ROWS, .run = join, .when = tomevit_as_one},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = tomevit_merges},
    VIT_MERGE,
    {VIT_EACH_ROWS, .run = mlp},
    {0},
};

/* The last norm, of all rows of an image. */
void tomevit_megalodon_out(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    norm_groups(p->c, s, at->image, &p->c->model->norm, p->c->rows.x,
                p->c->rows.x);
}

static void carve(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    tomevit_carve_gated(c, s, arena);
    s->sums = tomevit_carve(arena, 2 * c->model->d.dim, sizeof(*s->sums));
}

static double macs(const tomevit_description *d, size_t layer, double before,
                   double queries, double rows)
{
    (void)layer; /* all are alike */
    return tomevit_gated_macs(d, before, queries) +
           rows * (double)d->dim *
               (double)(tomevit_fc1_width(d) + d->mlp_dim);
}

const vit_block tomevit_block_megalodon = {steps, steps, carve, macs};
