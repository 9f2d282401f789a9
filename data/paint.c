/* SPDX-License-Identifier: MIT */
/* A scene to pixels: outlines, patterns, backgrounds, light and noise. */
#include "config.h"

#include "scene.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

/* ---- outlines ------------------------------------------------------------ */

/* (x, y) seen from axes turned by the angle of (cosine, sine). */
static void rotate(int32_t cosine, int32_t sine, int32_t x, int32_t y,
                   int32_t *a, int32_t *b)
{
    *a = (int32_t) (((int64_t) x * cosine + (int64_t) y * sine) /
                    SCENE_SINE_ONE);
    *b = (int32_t) (((int64_t) y * cosine - (int64_t) x * sine) /
                    SCENE_SINE_ONE);
}

static int32_t percent(int32_t radius, int32_t share)
{
    return (int32_t) ((int64_t) radius * share / 100);
}

static int inside_ellipse(int32_t a, int32_t b, int32_t radius)
{
    return (int64_t) a * a + (int64_t) b * b <= (int64_t) radius * radius;
}

int scene_inside(const scene_figure *f, int32_t x, int32_t y)
{
    int32_t a, b, longer = percent(f->radius, 112);
    int32_t shorter = percent(f->radius, 46);

    rotate(f->cosine, f->sine, x - f->x, y - f->y, &a, &b);
    b = b * SCENE_UNIT / f->squeeze;
    switch (f->shape) {
    case SHAPE_BEAM:
        return abs(a) <= longer && abs(b) <= shorter;
    case SHAPE_COLUMN:
        return abs(a) <= shorter && abs(b) <= longer;
    case SHAPE_DISC:
        return inside_ellipse(a, b, percent(f->radius, 86));
    case SHAPE_RING:
        return inside_ellipse(a, b, f->radius) &&
               !inside_ellipse(a, b, percent(f->radius, 52));
    default: /* SHAPE_BAR */
        return abs(a) <= f->radius && abs(b) <= percent(f->radius, 14);
    }
}

/* ---- patterns ------------------------------------------------------------ */

static int32_t modulo(int32_t value, int32_t period)
{
    int32_t rest = value % period;

    return rest < 0 ? rest + period : rest;
}

static int in_dot(int32_t a, int32_t b, int32_t period)
{
    int32_t x = modulo(a, period) - period / 2;
    int32_t y = modulo(b, period) - period / 2;

    return (int64_t) x * x + (int64_t) y * y <=
           (int64_t) period * period * 13 / 100;
}

const uint8_t *scene_pattern_at(const scene_pattern *p, int32_t x, int32_t y)
{
    int32_t a, b, period = p->period, wide = period + period / 2;
    int second = 0;

    rotate(p->cosine, p->sine, x, y, &a, &b);
    a += p->shift[0];
    b += p->shift[1];
    switch (p->texture) {
    case TEXTURE_CHECKS:
        second = (modulo(a, wide) < wide / 2) != (modulo(b, wide) < wide / 2);
        break;
    case TEXTURE_DOTS:
        second = in_dot(a, b, period);
        break;
    case TEXTURE_STRIPES:
        second = modulo(a, period) < period / 2;
        break;
    case TEXTURE_ZIGZAG:
        a += abs(modulo(b, 2 * period) - period);
        second = modulo(a, wide) < wide / 2;
        break;
    default: /* TEXTURE_PLAIN */
        break;
    }
    return p->colour[second];
}

/* ---- backgrounds --------------------------------------------------------- */

/* 0 .. 256 at the corners of a lattice. */
static int32_t lattice(uint64_t seed, int32_t i, int32_t j)
{
    uint64_t place = (uint64_t) (uint32_t) i << 32 | (uint32_t) j;

    return (int32_t) (random_mix(seed ^ random_mix(place)) % 257);
}

/* Value noise, 0 .. 256: lattice values blended linearly in between. */
static int32_t cloud(uint64_t seed, int32_t cell, int32_t x, int32_t y)
{
    int32_t fx = modulo(x, cell), fy = modulo(y, cell);
    int32_t i = (x - fx) / cell, j = (y - fy) / cell;
    int64_t top = (int64_t) lattice(seed, i, j) * (cell - fx) +
                  (int64_t) lattice(seed, i + 1, j) * fx;
    int64_t bottom = (int64_t) lattice(seed, i, j + 1) * (cell - fx) +
                     (int64_t) lattice(seed, i + 1, j + 1) * fx;

    return (int32_t) ((top * (cell - fy) + bottom * fy) /
                      ((int64_t) cell * cell));
}

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

void scene_background_at(const scene *s, int32_t x, int32_t y, uint8_t rgb[3])
{
    const scene_pattern *g = &s->ground;
    int32_t a, b, blend;

    if (s->background == BACKGROUND_TEXTURE) {
        memcpy(rgb, scene_pattern_at(g, x, y), 3);
        return;
    }
    if (s->background == BACKGROUND_CLOUDS) {
        blend = (2 * cloud(s->cloud_seed, s->cloud_cell, x, y) +
                 cloud(~s->cloud_seed, s->cloud_cell / 3, x, y)) / 3;
    } else {
        rotate(g->cosine, g->sine, x, y, &a, &b);
        blend = clamp(128 + a / 160, 0, 256);
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t) ((g->colour[0][c] * (256 - blend) +
                             g->colour[1][c] * blend) / 256);
}

/* ---- painting ------------------------------------------------------------ */

/* Four samples a pixel: `rgb` and `owner`, either or NULL, are
 * [2 height, 2 width]. */
typedef struct canvas {
    int32_t width, height, shorter;
    uint8_t *rgb;
    uint8_t *owner;            /* 1 where the subject is seen */
} canvas;

/* Where sample i of `samples` along an axis lies. */
static int32_t position(const canvas *c, int32_t i, int32_t samples)
{
    return (int32_t) ((int64_t) (2 * i + 1 - samples) * 64 * SCENE_UNIT /
                      (2 * (int64_t) c->shorter));
}

/* The first sample at or beyond a place, within 0 .. samples. */
static int32_t sample_of(const canvas *c, int32_t place, int32_t samples)
{
    int32_t i = (int32_t) ((int64_t) place * c->shorter / (64 * SCENE_UNIT));

    return clamp(i + samples / 2, 0, samples);
}

static void paint_ground(const canvas *c, const scene *s)
{
    int32_t wide = 2 * c->width, high = 2 * c->height;

    for (int32_t j = 0; j < high; j++) {
        uint8_t *row = c->rgb + (size_t) j * (size_t) wide * 3;
        int32_t y = position(c, j, high);

        for (int32_t i = 0; i < wide; i++)
            scene_background_at(s, position(c, i, wide), y, row + 3 * i);
    }
}

static void paint_figure(const canvas *c, const scene_figure *f, int subject)
{
    int32_t wide = 2 * c->width, high = 2 * c->height;
    int32_t reach = f->radius + f->radius / 2 + SCENE_UNIT;
    int32_t left = sample_of(c, f->x - reach, wide);
    int32_t right = sample_of(c, f->x + reach, wide);
    int32_t top = sample_of(c, f->y - reach, high);
    int32_t bottom = sample_of(c, f->y + reach, high);

    for (int32_t j = top; j < bottom; j++) {
        size_t row = (size_t) j * (size_t) wide;
        int32_t y = position(c, j, high);

        for (int32_t i = left; i < right; i++) {
            size_t at = row + (size_t) i;
            int32_t x = position(c, i, wide);

            if (!scene_inside(f, x, y))
                continue;
            if (c->rgb)
                memcpy(c->rgb + 3 * at, scene_pattern_at(&f->pattern, x, y),
                       3);
            if (c->owner)
                c->owner[at] = (uint8_t) subject;
        }
    }
}

/* Means of four samples, then light and noise. */
static void finish_row(const canvas *c, const scene *s, int32_t j,
                       uint8_t *out)
{
    size_t wide = 6 * (size_t) c->width;
    const uint8_t *upper = c->rgb + 2 * (size_t) j * wide;
    const uint8_t *lower = upper + wide;

    for (int32_t i = 0; i < c->width; i++) {
        uint64_t pixel = (uint64_t) j * (uint64_t) c->width + (uint64_t) i;
        uint64_t noise = random_at(s->noise_seed, pixel);
        int32_t light = 256 + s->light[0] * (2 * i - c->width) / c->width +
                        s->light[1] * (2 * j - c->height) / c->height;

        for (int k = 0; k < 3; k++, noise >>= 16) {
            size_t at = 6 * (size_t) i + (size_t) k;
            int32_t mean = (upper[at] + upper[at + 3] + lower[at] +
                            lower[at + 3] + 2) / 4;
            int32_t grain = (int32_t) (noise & 255) +
                            (int32_t) (noise >> 8 & 255) - 255;

            out[3 * i + k] = (uint8_t) clamp(
                mean * light / 256 + grain * s->noise / 255, 0, 255);
        }
    }
}

static void paint_figures(const canvas *c, const scene *s)
{
    for (size_t i = 0; i < s->figures; i++)
        paint_figure(c, &s->figure[i], i == s->subject);
}

int scene_paint(const scene *s, int32_t width, int32_t height, uint8_t *rgb)
{
    size_t samples = 4 * (size_t) width * (size_t) height;
    canvas c = {width, height, width < height ? width : height, NULL, NULL};

    c.rgb = malloc(3 * samples);
    if (!c.rgb)
        return -1;
    paint_ground(&c, s);
    paint_figures(&c, s);
    for (int32_t j = 0; j < height; j++)
        finish_row(&c, s, j, rgb + 3 * (size_t) j * (size_t) width);
    free(c.rgb);
    return 0;
}

void scene_cover(const scene *s, uint8_t *cover)
{
    enum { SIDE = 2 * SCENE_COVER_SIDE, WIDE = 2 * SIDE };
    uint8_t owner[WIDE * WIDE] = {0};
    canvas c = {SIDE, SIDE, SIDE, NULL, owner};

    paint_figures(&c, s);
    for (int32_t j = 0; j < SCENE_COVER_SIDE; j++) {
        for (int32_t i = 0; i < SCENE_COVER_SIDE; i++) {
            int seen = 0;

            for (int32_t k = 0; k < 16; k++)
                seen += owner[(4 * j + k / 4) * WIDE + 4 * i + k % 4];
            *cover++ = (uint8_t) seen;
        }
    }
}
