/* SPDX-License-Identifier: MIT */
/* Pixels: their memory, their limits, which of them are wanted. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_decoders.h"

void image_options_init(image_options *options)
{
    memset(options, 0, sizeof(*options));
    options->max_pixels = (size_t)1 << 28;
    options->max_bytes = (size_t)1 << 30;
}

void image_free(image *picture)
{
    free(picture->rgb);
    memset(picture, 0, sizeof(*picture));
}

int image_check_size(size_t width, size_t height, const image_options *options,
                     size_t file_bytes, size_t pixels_per_byte,
                     char why[IMAGE_WHY])
{
    if (width == 0 || height == 0) {
        snprintf(why, IMAGE_WHY, "the header claims %zu x %zu pixels",
                 width, height);
        return -1;
    }
    if (width > options->max_pixels / height ||
        width > SIZE_MAX / 3 / height) {
        snprintf(why, IMAGE_WHY,
                 "the header claims %zu x %zu pixels, more than the limit "
                 "of %zu", width, height, options->max_pixels);
        return -1;
    }
    if (width * height / pixels_per_byte > file_bytes) {
        snprintf(why, IMAGE_WHY,
                 "truncated: %zu bytes cannot hold the %zu x %zu pixels "
                 "of the header", file_bytes, width, height);
        return -1;
    }
    return 0;
}

int image_allocate(image *out, size_t width, size_t height,
                   const image_options *options, char why[IMAGE_WHY])
{
    size_t pixels = width * height;

    /* Zeroed where rows may be left undecoded. */
    out->rgb = options->lenient ? calloc(pixels, 3) : malloc(pixels * 3);
    if (!out->rgb) {
        snprintf(why, IMAGE_WHY, "no memory for %zu x %zu pixels",
                 width, height);
        return IMAGE_NO_MEMORY;
    }
    out->width = width;
    out->height = height;
    return 0;
}

image_region image_wanted(const image *picture, const image_options *options,
                          int orientation)
{
    image_region all = { 0, 0, picture->width, picture->height };
    image_region region = all;

    if (!options->want || orientation != 1)
        return all;
    options->want(options->user, picture->width, picture->height, &region);
    if (region.x >= all.width || region.y >= all.height ||
        region.width == 0 || region.width > all.width - region.x ||
        region.height == 0 || region.height > all.height - region.y)
        return all;
    return region;
}
