/* SPDX-License-Identifier: MIT */
/* The order in which a model takes the bytes of a picture. */
#include "config.h"

#include "model.h"

#include <string.h>

/* Calls for `rows` runs of bytes: where each begins in the picture. */
static size_t run_length(const tomevit_bytes_description *d)
{
    return 3 * (d->scan == TOMEVIT_SCAN_PATCH ? d->patch_side : d->width);
}

/* Byte of the picture that run i begins with. */
static size_t run_begin(const tomevit_bytes_description *d, size_t i)
{
    size_t side = d->patch_side, patch, x, y;

    if (d->scan != TOMEVIT_SCAN_PATCH)
        return i * 3 * d->width;
    patch = i / side;
    x = patch % (d->width / side) * side;
    y = patch / (d->width / side) * side + i % side;
    return 3 * (y * d->width + x);
}

int tomevit_bytes_order(const tomevit_bytes *model, const uint8_t *pixels,
                        uint8_t *bytes)
{
    size_t run;

    if (!model || !pixels || !bytes)
        return TOMEVIT_EINVAL;
    run = run_length(&model->d);
    for (size_t i = 0; i * run < model->d.length; i++)
        memcpy(bytes + i * run, pixels + run_begin(&model->d, i), run);
    return 0;
}

int tomevit_bytes_pixels(const tomevit_bytes *model, const uint8_t *bytes,
                         uint8_t *pixels)
{
    size_t run;

    if (!model || !pixels || !bytes)
        return TOMEVIT_EINVAL;
    run = run_length(&model->d);
    for (size_t i = 0; i * run < model->d.length; i++)
        memcpy(pixels + run_begin(&model->d, i), bytes + i * run, run);
    return 0;
}
