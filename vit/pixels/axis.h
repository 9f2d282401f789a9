/* SPDX-License-Identifier: MIT */
/* The two axes of a crop: how long each side is resized to, and what of it the
 * crop shows. */
#ifndef TOMEVIT_AXIS_H
#define TOMEVIT_AXIS_H

#include "tomevit.h"

/* One axis of the resized image and the window that the crop cuts from it. */
typedef struct vit_axis {
    size_t inputs;
    size_t resized;
    size_t start;
    size_t before;         /* pixels of the crop in front of the image */
    size_t outputs;
    double scale;          /* input samples per resized sample */
    double stretch;        /* of the kernel: scale, but at least 1 */
    double support;        /* half the kernel's width, in input samples */
} vit_axis;

/* Both axes, or EINVAL. */
int tomevit_axes_make(const tomevit_preprocessing *pre, size_t width,
                      size_t height, vit_axis *x, vit_axis *y);

/* 1 if Pillow resizes rows first; only then does it change a pixel which. */
int tomevit_rows_first(int pixels, const vit_axis *x, const vit_axis *y);

/* The width of a crop. */
static inline size_t tomevit_crop_width(const tomevit_preprocessing *pre)
{
    return pre->width ? pre->width : pre->size;
}

/* A crop [size, width, 3] of the colour of a border. */
void tomevit_fill_border(const tomevit_preprocessing *pre, uint8_t *crop);

#endif
