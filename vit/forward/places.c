/* SPDX-License-Identifier: MIT */
/* Positions of images that keep their proportions: a grid of the model's is
 * resized to each of theirs, as it would be if the model were opened for images
 * of those sides. [NaViT, arXiv 2307.06304, section 2.1] */
#include "config.h"

#include "../network/positions.h"
#include "steps.h"

/* 1 if the model's positions are not those of the image as they are. */
static int is_resized(const vit_pass *p, size_t image)
{
    const tomevit_description *d = &p->c->model->d;
    vit_grid grid = vit_grid_of(p, image);

    return d->pos_embed && (grid.rows != tomevit_grid_rows(d) ||
                            grid.columns != tomevit_grid_columns(d));
}

int tomevit_has_places(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->c->model->d.pos_embed &&
           p->c->model->d.preprocessing.max_patches > 0;
}

/* Where they lie until the first layer's attention. */
static float *room_of(const vit_pass *p, size_t image)
{
    const vit_team *c = p->c;

    return c->attention + c->rows.offsets[image] * c->x_stride;
}

void tomevit_place(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const tomevit_model *m = p->c->model;
    const tomevit_description *d = &m->d;
    vit_grid grid = vit_grid_of(p, at->image);
    vit_resizing r = {m->resize, d->dim,
                      {tomevit_grid_rows(d), tomevit_grid_columns(d)},
                      {grid.rows, grid.columns}};

    if (is_resized(p, at->image))
        tomevit_resize_positions_in(&r, m->pos + d->pos_prefix * d->dim,
                                    s->positions, room_of(p, at->image),
                                    p->c->x_stride);
}

const float *tomevit_places_of(const vit_pass *p, size_t image, size_t first,
                               size_t *stride)
{
    const tomevit_model *m = p->c->model;

    *stride = m->d.dim;
    if (!m->d.pos_embed)
        return NULL;
    if (!is_resized(p, image))
        return m->pos + (m->d.pos_prefix + first) * m->d.dim;
    *stride = p->c->x_stride;
    return room_of(p, image) + first * *stride;
}
