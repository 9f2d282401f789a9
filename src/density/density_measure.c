/* SPDX-License-Identifier: MIT */
/* How many bits pictures are worth to a model in each of its ways, and as a
 * PNG. */
#include "config.h"

#include "density.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../bytes/heat.h"
#include "../images/png_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Bits of a picture's pixels as a PNG. */
static double png_bits(const byte_model *m, const uint8_t *bytes)
{
    uint8_t *pixels = memory_zero(m->d->length, 1), *png;
    image picture = {pixels, m->d->width, m->d->height};
    char why[PNG_WRITE_WHY];
    size_t count = 0;

    tomevit_bytes_pixels(m->model, bytes, pixels);
    png = png_encode_smallest(&picture, &count, why);
    free(png);
    free(pixels);
    return 8.0 * (double)count;
}

/* The first picture's map, where its bits are those at hand. */
static int draw(density *p)
{
    if (p->mapped || p->pictures.why[0][0] != '\0')
        return 0;
    p->mapped = 1;
    return heat_write(p->m.s.options->map, &p->m, p->bits);
}

/* A batch in one way; worth[count, width]. */
static int measure_way(density *p, size_t way, size_t count, double *worth)
{
    density_way *w = &p->ways[way];
    size_t length = p->m.d->length;
    tomevit_bytes_output out = {.bits = p->bits};
    double began = clock_seconds();
    int error = tomevit_bytes_forward(w->context, count, p->pictures.bytes,
                                      &out);

    w->seconds += clock_seconds() - began;
    w->timed += count;
    if (error) {
        message_failed("%s", tomevit_strerror(error));
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        double bits = 0;

        for (size_t k = 0; k < length; k++)
            bits += (double)p->bits[i * length + k];
        worth[i * p->width + way] = bits;
    }
    return way == 0 && isfinite(worth[0]) ? draw(p) : 0;
}

/* A sum that is no number is no result: the picture is refused, as one that
 * cannot be read. */
static void check_finite(const density *p, const double *row, size_t i)
{
    char *why = p->pictures.why[i];
    size_t way = 0;

    while (way < p->count && isfinite(row[way]))
        way++;
    if (way == p->count || why[0] != '\0')
        return;
    if (p->count > 1)
        snprintf(why, sizeof(p->pictures.why[i]), "the model's answer is not "
                 "finite (window %zu, groups of %zu)", p->ways[way].window,
                 p->ways[way].group);
    else
        snprintf(why, sizeof(p->pictures.why[i]), "the model's answer is not "
                 "finite");
}

/* Ways begin in turns, so that none is always the one that finds the caches
 * cold. */
int density_measure(density *p, size_t first, size_t count)
{
    double *worth = p->worth + first * p->width;
    size_t length = p->m.d->length, turn = first / p->pictures.most;

    byte_pictures_read(&p->pictures, &p->m, p->files->files + first, count);
    for (size_t k = 0; k < p->count; k++)
        if (measure_way(p, (turn + k) % p->count, count, worth) != 0)
            return -1;
#pragma omp parallel for num_threads(p->m.s.threads) schedule(dynamic, 1)
    for (size_t i = 0; i < count; i++) {
        double *row = worth + i * p->width;

        check_finite(p, row, i);
        if (p->pictures.why[i][0] == '\0')
            row[p->count] = png_bits(&p->m, p->pictures.bytes + i * length);
        else
            for (size_t k = 0; k < p->width; k++)
                row[k] = -1;
    }
    return 0;
}
