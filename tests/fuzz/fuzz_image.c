/* SPDX-License-Identifier: MIT */
/* Image files: decoded strictly, leniently, turned, and in part. */
#include "fuzz.h"
#include "../src/image.h"

#include <stdlib.h>

static void want_middle(void *user, size_t width, size_t height,
                        image_region *region)
{
    (void)user;
    region->x = width / 4;
    region->y = height / 4;
    region->width = (width + 1) / 2;
    region->height = (height + 1) / 2;
}

/* Touches the region's pixels, so that unset ones are found. */
static unsigned sum(const image *picture, const image_region *region)
{
    unsigned total = 0;

    for (size_t y = region->y; y < region->y + region->height; y++)
        for (size_t i = 3 * region->x; i < 3 * (region->x + region->width);
             i++)
            total += picture->rgb[3 * picture->width * y + i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int mode = 0; mode < 4; mode++) {
        image_options options;
        image picture;
        image_region region;
        char why[200];
        volatile unsigned total;

        image_options_init(&options);
        options.max_pixels = 1 << 18;
        options.lenient = mode == 1 || mode == 3;
        options.exif = mode == 2;
        if (mode == 3 || mode == 0)
            options.want = want_middle;
        if (image_decode(data, size, &options, &picture, why)) {
            if (picture.rgb || why[0] == '\0')
                abort();
            continue;
        }
        region = (image_region){ 0, 0, picture.width, picture.height };
        if (options.want)
            options.want(NULL, picture.width, picture.height, &region);
        total = sum(&picture, &region);
        (void)total;
        image_free(&picture);
    }
    return 0;
}
