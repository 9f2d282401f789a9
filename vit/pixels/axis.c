/* SPDX-License-Identifier: MIT */
/* How long the sides of a picture are resized to, and what its crop shows.
 * [Pillow, Image.resize; torchvision, center_crop; timm, data/transforms.py] */
#include "config.h"

#include "axis.h"

#include <math.h>

#include "../base/reserved.h"

#define MAX_SIDE ((size_t)1 << 24)

size_t tomevit_resized_side(const tomevit_preprocessing *pre)
{
    double side;

    if (!pre || !VIT_UNUSED(pre->reserved) ||
        pre->size == 0 || pre->size > MAX_SIDE ||
        !(pre->crop_pct > 0.0 && pre->crop_pct <= 1.0) ||
        (pre->interpolation != TOMEVIT_BICUBIC &&
         pre->interpolation != TOMEVIT_BILINEAR) ||
        pre->crop_mode < TOMEVIT_CENTER || pre->crop_mode > TOMEVIT_BORDER ||
        pre->pixels < TOMEVIT_PILLOW_12 || pre->pixels > TOMEVIT_PILLOW_13)
        return 0;
    side = floor((double)pre->size / pre->crop_pct);
    return side <= (double)MAX_SIDE ? (size_t)side : 0;
}

/* Half of `excess`, a half rounding to the even neighbour. */
static size_t half_to_even(size_t excess)
{
    size_t half = excess / 2;

    return half + (excess % 2 && half % 2);
}

static vit_axis make_axis(const tomevit_preprocessing *pre, size_t inputs,
                          size_t resized)
{
    vit_axis a;

    a.inputs = inputs;
    a.resized = resized;
    a.outputs = resized < pre->size ? resized : pre->size;
    a.before = (pre->size - a.outputs) / 2;
    a.start = half_to_even(a.resized - a.outputs);
    a.scale = (double)inputs / (double)a.resized;
    a.stretch = a.scale < 1.0 ? 1.0 : a.scale;
    a.support = (pre->interpolation == TOMEVIT_BICUBIC ? 2.0 : 1.0)
                * a.stretch;
    return a;
}

/* What a side becomes. */
static size_t resize_side(const tomevit_preprocessing *pre, size_t side,
                          size_t inputs, size_t other)
{
    size_t shorter = inputs < other ? inputs : other;
    size_t longer = inputs < other ? other : inputs;

    if (pre->crop_mode == TOMEVIT_BORDER) {
        double ratio = (double)longer / (double)side;
        size_t resized = (size_t)rint((double)inputs / ratio);

        return resized ? resized : 1;
    }
    /* At most 2^48: a quotient of such integers is cut to the same whole
     * number whether it is taken exactly or rounded to double first. */
    return pre->crop_mode == TOMEVIT_SQUASH ? side : side * inputs / shorter;
}

int tomevit_axes_make(const tomevit_preprocessing *pre, size_t width,
                      size_t height, vit_axis *x, vit_axis *y)
{
    size_t side = tomevit_resized_side(pre);
    size_t shorter = width < height ? width : height;

    if (side == 0 || shorter == 0 || width > MAX_SIDE || height > MAX_SIDE)
        return TOMEVIT_EINVAL;
    *x = make_axis(pre, width, resize_side(pre, side, width, height));
    *y = make_axis(pre, height, resize_side(pre, side, height, width));
    return 0;
}

int tomevit_rows_first(int pixels, const vit_axis *x, const vit_axis *y)
{
    switch (pixels) {
    case TOMEVIT_PILLOW_12_3:
        return y->inputs > 100 * x->inputs && y->resized < y->inputs;
    case TOMEVIT_PILLOW_13:
        return y->inputs > y->resized &&
               (int64_t)y->inputs - (int64_t)y->resized
                      > 2 * ((int64_t)x->inputs - (int64_t)x->resized);
    default:
        return 0;
    }
}

/* The number of seven places that a float was written as. */
static double decimal(float x)
{
    return rint((double)x * 1e7) / 1e7;
}

/* The colour of a border: timm's round(255 * mean), halves to even. */
void tomevit_fill_border(const tomevit_preprocessing *pre, uint8_t *crop)
{
    uint8_t colour[3];

    for (size_t c = 0; c < 3; c++)
        colour[c] = (uint8_t)rint(fmin(fmax(255.0 * decimal(pre->mean[c]), 0.0),
                                      255.0));
    for (size_t i = 0; i < 3 * pre->size * pre->size; i++)
        crop[i] = colour[i % 3];
}
