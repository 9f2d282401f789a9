/* SPDX-License-Identifier: MIT */
/* How long the sides of a picture are resized to, and what its crop shows.
 * [Pillow, Image.resize; torchvision, center_crop; timm, data/transforms.py] */
#include "config.h"

#include "axis.h"

#include <math.h>

#include "../base/reserved.h"

#define MAX_SIDE ((size_t)1 << 24)

/* The length that a side of the crop is cut from; 0 if there is none. */
static size_t whole_side(const tomevit_preprocessing *pre, size_t side)
{
    double whole = floor((double)side / pre->crop_pct);

    return side > MAX_SIDE || whole > (double)MAX_SIDE ? 0 : (size_t)whole;
}

/* 1 if the numbers that matter are in their ranges. */
static int usable(const tomevit_preprocessing *pre)
{
    if (!pre || !VIT_UNUSED(pre->reserved) ||
        (pre->interpolation != TOMEVIT_BICUBIC &&
         pre->interpolation != TOMEVIT_BILINEAR) ||
        pre->pixels < TOMEVIT_PILLOW_12 || pre->pixels > TOMEVIT_PILLOW_13)
        return 0;
    if (pre->max_patches)
        return pre->patch && pre->patch <= MAX_SIDE / pre->max_patches;
    return pre->size > 0 && pre->crop_pct > 0.0 && pre->crop_pct <= 1.0 &&
           pre->crop_mode >= TOMEVIT_CENTER &&
           pre->crop_mode <= TOMEVIT_BORDER && whole_side(pre, pre->size) &&
           whole_side(pre, tomevit_crop_width(pre));
}

size_t tomevit_resized_side(const tomevit_preprocessing *pre)
{
    return usable(pre) && !pre->max_patches ? whole_side(pre, pre->size) : 0;
}

/* ---- sides of an image's own --------------------------------------------- */

/* Patches along a side that is scaled, at least one. */
static double patches_along(const tomevit_preprocessing *pre, size_t side,
                            double scale)
{
    return fmax(ceil((double)side * scale / (double)pre->patch), 1.0);
}

/* The largest scale by which no more patches come out, as it is found by
 * halving an interval until it is shorter than 1e-5: that width is part of the
 * rule. [transformers, image_processing_siglip2.py; timm,
 * data/naflex_transforms.py] */
static double fitting_scale(const tomevit_preprocessing *pre, size_t width,
                            size_t height)
{
    const double width_of_interval = 1e-5;
    double low = width_of_interval / 10.0, high = 100.0;

    while (high - low >= width_of_interval) {
        double scale = (low + high) / 2.0;

        if (patches_along(pre, height, scale) *
                patches_along(pre, width, scale) <= (double)pre->max_patches)
            low = scale;
        else
            high = scale;
    }
    return low;
}

int tomevit_crop_sides(const tomevit_preprocessing *pre, size_t width,
                       size_t height, size_t *crop_width, size_t *crop_height)
{
    double scale, across, down;

    if (!crop_width || !crop_height || !usable(pre) || !width || !height ||
        width > MAX_SIDE || height > MAX_SIDE)
        return TOMEVIT_EINVAL;
    if (!pre->max_patches) {
        *crop_width = tomevit_crop_width(pre);
        *crop_height = pre->size;
        return 0;
    }
    scale = fitting_scale(pre, width, height);
    across = patches_along(pre, width, scale);
    down = patches_along(pre, height, scale);
    /* Sides so unequal that they do not fit even at the least scale. */
    if (across * down > (double)pre->max_patches)
        return TOMEVIT_EINVAL;
    *crop_width = (size_t)across * pre->patch;
    *crop_height = (size_t)down * pre->patch;
    return 0;
}

/* Half of `excess`, a half rounding to the even neighbour. */
static size_t half_to_even(size_t excess)
{
    size_t half = excess / 2;

    return half + (excess % 2 && half % 2);
}

/* An axis of which the crop shows `side` pixels. */
static vit_axis make_axis(const tomevit_preprocessing *pre, size_t side,
                          size_t inputs, size_t resized)
{
    vit_axis a;

    a.inputs = inputs;
    a.resized = resized;
    a.outputs = resized < side ? resized : side;
    a.before = (side - a.outputs) / 2;
    a.start = half_to_even(a.resized - a.outputs);
    a.scale = (double)inputs / (double)a.resized;
    a.stretch = a.scale < 1.0 ? 1.0 : a.scale;
    a.support = (pre->interpolation == TOMEVIT_BICUBIC ? 2.0 : 1.0)
                * a.stretch;
    return a;
}

/* A side of an image that is divided by a ratio; 0: it gets too long. */
static size_t divide_side(size_t inputs, double ratio)
{
    double resized = rint((double)inputs / ratio);

    return resized < 1 ? 1
                       : resized < (double)SIZE_MAX ? (size_t)resized : 0;
}

int tomevit_axes_make(const tomevit_preprocessing *pre, size_t width,
                      size_t height, vit_axis *x, vit_axis *y)
{
    size_t shorter = width < height ? width : height;
    size_t high, wide, down, across;
    double ratio_x, ratio_y;

    if (tomevit_crop_sides(pre, width, height, &across, &down))
        return TOMEVIT_EINVAL;
    if (pre->max_patches) {
        *x = make_axis(pre, across, width, across);
        *y = make_axis(pre, down, height, down);
        return 0;
    }
    high = whole_side(pre, pre->size);
    wide = whole_side(pre, tomevit_crop_width(pre));
    ratio_x = (double)width / (double)wide;
    ratio_y = (double)height / (double)high;
    if (pre->crop_mode == TOMEVIT_SQUASH) {
        across = wide;
        down = high;
    } else if (pre->crop_mode == TOMEVIT_BORDER) {
        across = divide_side(width, fmax(ratio_x, ratio_y));
        down = divide_side(height, fmax(ratio_x, ratio_y));
    } else if (tomevit_crop_width(pre) != pre->size) {
        across = divide_side(width, fmin(ratio_x, ratio_y));
        down = divide_side(height, fmin(ratio_x, ratio_y));
    } else {
        /* At most 2^48: a quotient of such integers is cut to the same whole
         * number whether it is taken exactly or rounded to double first. */
        across = (size_t)((uint64_t)high * width / shorter);
        down = (size_t)((uint64_t)high * height / shorter);
    }
    if (across == 0 || down == 0)
        return TOMEVIT_EINVAL;
    *x = make_axis(pre, tomevit_crop_width(pre), width, across);
    *y = make_axis(pre, pre->size, height, down);
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
    for (size_t i = 0; i < 3 * pre->size * tomevit_crop_width(pre); i++)
        crop[i] = colour[i % 3];
}
