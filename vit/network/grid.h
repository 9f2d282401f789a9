/* SPDX-License-Identifier: MIT */
/* How an image's patches lie: rows of so many columns. */
#ifndef TOMEVIT_GRID_H
#define TOMEVIT_GRID_H

#include "tomevit.h"

/* Its height is image_size. */
static inline size_t tomevit_image_width(const tomevit_description *d)
{
    return d->image_width ? d->image_width : d->image_size;
}

static inline size_t tomevit_grid_rows(const tomevit_description *d)
{
    return d->image_size / d->patch;
}

static inline size_t tomevit_grid_columns(const tomevit_description *d)
{
    return tomevit_image_width(d) / d->patch;
}

static inline size_t tomevit_grid_patches(const tomevit_description *d)
{
    return tomevit_grid_rows(d) * tomevit_grid_columns(d);
}

/* Of an image and its crop. The width of squares is left open, as in
 * descriptions that know of nothing else. */
static inline void tomevit_set_image(tomevit_description *d, size_t height,
                                     size_t width)
{
    d->image_size = d->preprocessing.size = height;
    d->image_width = d->preprocessing.width = width == height ? 0 : width;
}

#endif
