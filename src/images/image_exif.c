/* SPDX-License-Identifier: MIT */
/* EXIF orientation: finding the tag, and turning the picture upright. */
#include <stdlib.h>
#include <string.h>

#include "image_decoders.h"

enum { ORIENTATION_TAG = 0x0112, TYPE_SHORT = 3 };

static unsigned get16(const uint8_t *p, int big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get32(const uint8_t *p, int big)
{
    uint32_t a = get16(p, big), b = get16(p + 2, big);

    return big ? a << 16 | b : b << 16 | a;
}

int image_exif_orientation(const uint8_t *tiff, size_t count)
{
    size_t offset, entries;
    int big;

    if (count < 8 || (memcmp(tiff, "II*", 4) && memcmp(tiff, "MM\0*", 4)))
        return 1;
    big = tiff[0] == 'M';
    offset = get32(tiff + 4, big);
    if (offset > count - 2)
        return 1;
    entries = get16(tiff + offset, big);
    offset += 2;
    for (; entries > 0 && count - offset >= 12; entries--, offset += 12) {
        const uint8_t *entry = tiff + offset;
        unsigned value;

        if (get16(entry, big) != ORIENTATION_TAG)
            continue;
        value = get16(entry + 8, big);
        if (get16(entry + 2, big) != TYPE_SHORT || get32(entry + 4, big) != 1
            || value < 1 || value > 8)
            return 1;
        return (int)value;
    }
    return 1;
}

/*
 *   1 as it is     2 left-right          3 half turn     4 top-bottom
 *   5 transpose    6 quarter clockwise   7 transverse    8 quarter back
 * 5 to 8 swap the axes: pixel (x, y) of the result is (y, x) of the source,
 * whose columns are mirrored in 2, 3, 7, 8 and rows in 3, 4, 6, 7.
 */
int image_turn(image *picture, int orientation)
{
    size_t width = picture->width, height = picture->height;
    int swap = orientation >= 5;
    int mirror_x = orientation == 2 || orientation == 3 || orientation == 7
                   || orientation == 8;
    int mirror_y = orientation == 3 || orientation == 4 || orientation == 6
                   || orientation == 7;
    size_t out_width = swap ? height : width;
    size_t out_height = swap ? width : height;
    uint8_t *turned = malloc(3 * width * height);
    uint8_t *out = turned;

    if (!turned)
        return -1;
    for (size_t y = 0; y < out_height; y++)
        for (size_t x = 0; x < out_width; x++, out += 3) {
            size_t from_x = swap ? y : x, from_y = swap ? x : y;

            if (mirror_x)
                from_x = width - 1 - from_x;
            if (mirror_y)
                from_y = height - 1 - from_y;
            memcpy(out, picture->rgb + 3 * (from_y * width + from_x), 3);
        }
    free(picture->rgb);
    picture->rgb = turned;
    picture->width = out_width;
    picture->height = out_height;
    return 0;
}
