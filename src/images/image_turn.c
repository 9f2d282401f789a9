/* SPDX-License-Identifier: MIT */
/* Turning a picture upright. */
#include <stdlib.h>
#include <string.h>

#include "image_decoders.h"

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
    int mirror_x = orientation == 2 || orientation == 3 || orientation == 7 ||
                   orientation == 8;
    int mirror_y = orientation == 3 || orientation == 4 || orientation == 6 ||
                   orientation == 7;
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
