/* SPDX-License-Identifier: MIT */
/* What stages of convolutions take: memory, and arithmetic. See stages.c. */
#include "config.h"

#include "context.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t tomevit_stages_widest(const tomevit_description *d)
{
    size_t stem = VIT_TAPS * larger(d->stages[0], 3);

    if (!d->stages[0])
        return 0;
    return larger(larger(stem, VIT_TAPS * d->stages[2]),
                  VIT_EXPANSION * larger(d->stages[1], d->stages[2]));
}

void tomevit_carve_stages(const tomevit_model *m, vit_scratch *s,
                          vit_arena *arena)
{
    const tomevit_description *d = &m->d;
    size_t width = tomevit_image_width(d), map = 0, inner;

    if (!d->stages[0])
        return;
    for (size_t i = 0; i < 3; i++) {
        size_t places = (d->image_size >> (i + 1)) * (width >> (i + 1)), floats;

        /* More than there can be is refused when it is carved. */
        if (__builtin_mul_overflow(places, d->stages[i], &floats))
            floats = SIZE_MAX;
        map = larger(map, floats);
    }
    /* The first block of a stage sees the rows of the one before. */
    inner = VIT_EXPANSION * larger(width / 2 * d->stages[1],
                                   width / 4 * d->stages[2]);
    s->maps[0] = tomevit_carve_f32(arena, map);
    s->maps[1] = tomevit_carve_f32(arena, map);
    s->inner = tomevit_carve_f32(arena, VIT_STAGE_SIDE * inner);
    s->places_stride = tomevit_row_stride(tomevit_stages_widest(d));
    s->places = tomevit_carve_f32(arena, m->block_rows * s->places_stride);
}

/* Of an image. */
double tomevit_stages_macs(const tomevit_description *d)
{
    double pixels = (double)d->image_size * (double)tomevit_image_width(d);
    double stem = (double)d->stages[0];
    double macs = pixels / 4 * VIT_TAPS * stem * (3 + stem);

    for (size_t i = 0; i < VIT_STAGE_BLOCKS; i++) {
        size_t first = i < VIT_FIRST_STAGE ? 0 : VIT_FIRST_STAGE;
        int begins = i == first;
        double out = (double)d->stages[first ? 2 : 1];
        double in = begins ? (double)d->stages[first ? 1 : 0] : out;
        double inner = VIT_EXPANSION * out, places = pixels / (first ? 64 : 16);

        macs += places * ((begins ? 4 : 1) * in * inner +
                          inner * (VIT_TAPS + out));
        if (begins && tomevit_stage_widens(d, first ? 2 : 1))
            macs += places * in * out;
    }
    return macs + pixels / 256 * VIT_TAPS * (double)d->stages[2] *
                      (double)d->dim;
}
