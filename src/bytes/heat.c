/* SPDX-License-Identifier: MIT */
/* What the patches of a picture are worth, drawn. */
#include "config.h"

#include "heat.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../images/png_write.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = 256 };       /* the least of the longer side, in pixels */

/* Black, violet, orange, white: each lighter than the one before. */
static void colour(double share, uint8_t rgb[3])
{
    static const double stops[][3] = {
        {4, 4, 20}, {110, 30, 130}, {240, 120, 40}, {255, 250, 220}
    };
    double at = share * 3;
    size_t i = at >= 2 ? 2 : at >= 1 ? 1 : 0;

    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(stops[i][c] + (at - (double)i) *
                           (stops[i + 1][c] - stops[i][c]) + 0.5);
}

/* Every byte of a patch becomes its share of the range, 0 .. 255. */
static void shares(const byte_model *m, const float *bits, uint8_t *bytes)
{
    size_t patch = m->d->patch, patches = m->d->patches;
    double *mean = memory_zero(patches, sizeof(*mean));
    double least = HUGE_VAL, most = -HUGE_VAL;

    for (size_t k = 0; k < patches; k++) {
        for (size_t i = 0; i < patch; i++)
            mean[k] += (double)bits[k * patch + i] / (double)patch;
        least = mean[k] < least ? mean[k] : least;
        most = mean[k] > most ? mean[k] : most;
    }
    for (size_t i = 0; i < m->d->length; i++)
        bytes[i] = most > least
            ? (uint8_t)(255 * (mean[i / patch] - least) / (most - least) + 0.5)
            : 0;
    free(mean);
}

int heat_write(const char *path, const byte_model *m, const float *bits)
{
    size_t width = m->d->width, height = m->d->height, scale = 1;
    uint8_t *bytes = memory_zero(m->d->length, 1);
    uint8_t *pixels = memory_zero(m->d->length, 1);
    char why[PNG_WRITE_WHY];
    image picture;

    while (scale * (width > height ? width : height) < SIDE)
        scale++;
    shares(m, bits, bytes);
    tomevit_bytes_pixels(m->model, bytes, pixels);
    picture.width = width * scale;
    picture.height = height * scale;
    picture.rgb = memory_zero(picture.width * picture.height, 3);
    for (size_t y = 0; y < picture.height; y++)
        for (size_t x = 0; x < picture.width; x++)
            colour(pixels[3 * (y / scale * width + x / scale)] / 255.0,
                   picture.rgb + 3 * (y * picture.width + x));
    int failed = png_write(path, &picture, why);
    if (failed)
        message_failed("%s: %s", path, why);
    free(picture.rgb);
    free(pixels);
    free(bytes);
    return failed;
}
