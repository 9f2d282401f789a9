/* SPDX-License-Identifier: MIT */
/* Image files: decoded whole, in part (the same pixels), leniently,
 * strictly, turned. */
#include "fuzz.h"
#include "../../src/images/image.h"

#include <stdlib.h>
#include <string.h>

static void want_middle(void *user, size_t width, size_t height,
                        image_region *region)
{
    (void)user;
    region->x = width / 4;
    region->y = height / 4;
    region->width = (width + 1) / 2;
    region->height = (height + 1) / 2;
}

/* Also touches every pixel, so that unset ones are found. */
static void check_same(const image *whole, const image *part)
{
    image_region region = { 0, 0, whole->width, whole->height };

    if (part->width != whole->width || part->height != whole->height)
        abort();
    want_middle(NULL, whole->width, whole->height, &region);
    for (size_t y = region.y; y < region.y + region.height; y++) {
        size_t start = 3 * (y * whole->width + region.x);

        if (memcmp(whole->rgb + start, part->rgb + start, 3 * region.width))
            abort();
    }
}

/* A refusal says why and holds no memory. */
static int decode(const uint8_t *data, size_t size,
                  const image_options *options, image *out)
{
    char why[200] = "";

    if (image_decode(data, size, options, out, why) == 0)
        return 1;
    if (out->rgb || why[0] == '\0')
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    image_options options;
    image whole, part;

    image_options_init(&options);
    options.max_pixels = 1 << 18;
    decode(data, size, &options, &whole);
    options.want = want_middle;
    if (decode(data, size, &options, &part) && whole.rgb)
        check_same(&whole, &part);
    image_free(&whole);
    image_free(&part);
    options.lenient = 1;
    decode(data, size, &options, &part);
    image_free(&part);
    options.want = NULL;
    options.lenient = 0;
    options.strict = 1;
    decode(data, size, &options, &whole);
    image_free(&whole);
    options.strict = 0;
    options.exif = 1;
    decode(data, size, &options, &whole);
    image_free(&whole);
    return 0;
}
