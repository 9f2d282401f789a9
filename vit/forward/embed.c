/* SPDX-License-Identifier: MIT */
/* Patch embedding: a convolution whose stride is its size, as a product. */
#include "config.h"

#include "steps.h"

#include <string.h>

/* Patches of one block: [3, patch, patch] of each, as the weights have it. */
typedef struct patches {
    size_t patch, columns, height, width;
} patches;

static void gather_f32(const patches *g, const float *image, size_t index,
                       float *out)
{
    size_t top = index / g->columns * g->patch;
    size_t left = index % g->columns * g->patch;

    for (size_t k = 0; k < 3; k++) {
        for (size_t y = 0; y < g->patch; y++) {
            const float *row = image + left +
                (k * g->height + top + y) * g->width;

            memcpy(out, row, g->patch * sizeof(*out));
            out += g->patch;
        }
    }
}

static void gather_rgb8(const patches *g, const uint8_t *image, size_t index,
                        float normalised[3][256], float *out)
{
    size_t top = index / g->columns * g->patch;
    size_t left = index % g->columns * g->patch;

    for (size_t k = 0; k < 3; k++) {
        for (size_t y = 0; y < g->patch; y++) {
            const uint8_t *row = image + k +
                ((top + y) * g->width + left) * 3;

            for (size_t x = 0; x < g->patch; x++)
                *out++ = normalised[k][row[x * 3]];
        }
    }
}

/* What the layers begin with, where a norm stands before them. */
static void norm_pre(const tomevit_model *m, size_t rows, float *x,
                     size_t stride)
{
    for (size_t i = 0; m->d.norm_pre && i < rows; i++)
        tomevit_norm(m, &m->norm_pre, m->d.dim, x + i * stride,
                     x + i * stride);
}

/* Positions come after the norm of patches alone. */
static void norm_patches(const tomevit_model *m, size_t rows, const float *pos,
                         size_t pos_stride, float *x, size_t stride)
{
    for (size_t i = 0; m->d.patch_norm && i < rows; i++, x += stride) {
        tomevit_norm(m, &m->patch_norm, m->d.dim, x, x);
        for (size_t k = 0; m->d.pos_embed && k < m->d.dim; k++)
            x[k] += pos[i * pos_stride + k];
    }
}

static void place_prefix(const vit_team *c, size_t image)
{
    const tomevit_model *m = c->model;
    float *x = c->rows.x + c->rows.offsets[image] * c->x_stride;

    for (size_t t = 0; t < m->d.prefix; t++)
        memcpy(x + t * c->x_stride, m->prefix + t * m->d.dim,
               m->d.dim * sizeof(*x));
    norm_pre(m, m->d.prefix, x, c->x_stride);
}

void tomevit_embed(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t dim = m->d.dim, image = at->image, first = at->first;
    size_t rows = at->rows;
    const tomevit_image *in = &p->images[image];
    patches g = {m->d.patch, vit_grid_of(p, image).columns,
                 in->height ? in->height : m->d.image_size,
                 in->height ? in->width : tomevit_image_width(&m->d)};
    float *x = c->rows.x +
               (c->rows.offsets[image] + m->d.prefix + first) * c->x_stride;
    vit_operand a = tomevit_operand_new(&m->patch, s->hidden,
                                        c->hidden_stride, s->in);
    int added = m->d.pos_embed && !m->d.patch_norm;
    size_t pos_stride;
    const float *pos = tomevit_places_of(p, image, first, &pos_stride);

    if (first == 0)
        place_prefix(c, image);
    for (size_t i = 0; i < rows; i++) {
        float *to = tomevit_operand_row(&a, i);
        float *row = m->d.stem_side[0] ? s->patch : to;

        if (in->format == TOMEVIT_F32_CHW)
            gather_f32(&g, in->data, first + i, row);
        else
            gather_rgb8(&g, in->data, first + i, c->normalised, row);
        if (m->d.stem_side[0])
            tomevit_stem(c, s, row, to);
        tomevit_operand_set(&a, i);
        if (added)
            memcpy(x + i * c->x_stride, pos + i * pos_stride, dim * sizeof(*x));
    }
    tomevit_gemm(m->dsp, &m->patch, added ? VIT_ADD : VIT_STORE, rows, &a, x,
                 c->x_stride, s->gemm);
    norm_patches(m, rows, pos, pos_stride, x, c->x_stride);
    norm_pre(m, rows, x, c->x_stride);
}
