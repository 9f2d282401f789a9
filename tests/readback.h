/* SPDX-License-Identifier: MIT */
/* Groups read back from the pixels of a panel, by what groups.h says of them
 * and nothing else. */
#ifndef TOMERGE_TESTS_READBACK_H
#define TOMERGE_TESTS_READBACK_H

#include "../src/images/image.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef struct readback {
    size_t grid, pixels;   /* patches on a side, pixels on a side of each */
    const image *picture;
    size_t left, top;
    int32_t *group;        /* [grid, grid]: some patch of the group, or -1 */
} readback;

static inline const uint8_t *readback_at(const readback *r, size_t patch,
                                         size_t x, size_t y)
{
    x += r->left + patch % r->grid * r->pixels;
    y += r->top + patch / r->grid * r->pixels;
    cr_assert(x < r->picture->width && y < r->picture->height);
    return r->picture->rgb + (y * r->picture->width + x) * 3;
}

/* The mean colour: the middle of a patch. */
static inline const uint8_t *readback_fill(const readback *r, size_t patch)
{
    return readback_at(r, patch, r->pixels / 2, r->pixels / 2);
}

/* The colour of the line along side 0 (left), 1 (right), 2 (top), 3 (bottom)
 * of a patch, NULL if there is none. Fails where only a part of it is there,
 * leaving out the corners, which the lines of other sides may cross. */
static inline const uint8_t *readback_line(const readback *r, size_t patch,
                                           int side)
{
    size_t edge = side % 2 ? r->pixels - 1 : 0, corner = r->pixels / 4;
    const uint8_t *first = NULL;

    for (size_t i = corner; i < r->pixels - corner; i++) {
        const uint8_t *p = side < 2 ? readback_at(r, patch, edge, i)
                                    : readback_at(r, patch, i, edge);
        first = !first ? p : first;
        cr_assert_eq(memcmp(p, first, 3), 0,
                     "patch %zu, side %d: a line with a gap", patch, side);
    }
    return memcmp(first, readback_fill(r, patch), 3) ? first : NULL;
}

static inline void readback_rename(readback *r, int32_t from, int32_t to)
{
    for (size_t p = 0; p < r->grid * r->grid; p++)
        if (r->group[p] == from)
            r->group[p] = to;
}

/* Patches without a line between them are of one group. */
static inline void readback_join(readback *r, size_t a, size_t b, int side)
{
    const uint8_t *here = readback_line(r, a, side);
    const uint8_t *there = readback_line(r, b, side - 1);

    if (!here && !there) {
        cr_assert_eq(memcmp(readback_fill(r, a), readback_fill(r, b), 3), 0,
                     "patches %zu and %zu: one group, two colours", a, b);
        readback_rename(r, r->group[b], r->group[a]);
    }
    if (here && there)
        cr_assert_neq(memcmp(here, there, 3), 0,
                      "patches %zu and %zu: two groups, one line", a, b);
}

static inline const uint8_t *readback_any_line(const readback *r, size_t p)
{
    const uint8_t *line = NULL;

    for (int side = 0; side < 4 && !line; side++)
        line = readback_line(r, p, side);
    return line;
}

/* Areas with lines of one colour are of one group; an area without a line is
 * of none. */
static inline void readback_link(readback *r)
{
    size_t patches = r->grid * r->grid;
    const uint8_t **line = calloc(patches, sizeof(*line));

    for (size_t p = 0; p < patches; p++) {
        const uint8_t *own = readback_any_line(r, p);
        const uint8_t **of = &line[r->group[p]];
        cr_assert(own == NULL || *of == NULL || memcmp(own, *of, 3) == 0,
                  "patch %zu: an area with lines of two colours", p);
        *of = own ? own : *of;
    }
    for (size_t p = 0; p < patches; p++) {
        int32_t group = r->group[p];
        if (group < 0)
            continue;
        if (!line[group])
            readback_rename(r, group, -1);
        for (size_t q = 0; q < p && line[group]; q++)
            if (r->group[q] >= 0 &&
                memcmp(line[r->group[q]], line[group], 3) == 0) {
                readback_rename(r, group, r->group[q]);
                break;
            }
    }
    free(line);
}

/* A patch has a line of its own on a side if and only if it is of a group and
 * what is there, another patch or nothing, is not. */
static inline void readback_check_sides(const readback *r)
{
    static const int across[] = {-1, 1, 0, 0}, down[] = {0, 0, -1, 1};
    int grid = (int)r->grid;

    for (int p = 0; p < grid * grid; p++) {
        for (int side = 0; side < 4; side++) {
            int x = p % grid + across[side], y = p / grid + down[side];
            int inside = x >= 0 && y >= 0 && x < grid && y < grid;
            int same = inside && r->group[y * grid + x] == r->group[p];
            cr_assert_eq(readback_line(r, (size_t)p, side) != NULL,
                         r->group[p] >= 0 && !same,
                         "patch %d, side %d: a line missing or too many", p,
                         side);
        }
    }
}

/* Call free on .group. */
static inline readback readback_groups(const image *picture, size_t left,
                                       size_t top, size_t grid, size_t pixels)
{
    readback r = {.grid = grid, .pixels = pixels, .picture = picture,
                  .left = left, .top = top};

    r.group = calloc(grid * grid, sizeof(*r.group));
    for (size_t p = 0; p < grid * grid; p++)
        r.group[p] = (int32_t)p;
    for (size_t p = 0; p < grid * grid; p++) {
        if (p % grid + 1 < grid)
            readback_join(&r, p, p + 1, 1);
        if (p / grid + 1 < grid)
            readback_join(&r, p, p + grid, 3);
    }
    readback_link(&r);
    readback_check_sides(&r);
    return r;
}

/* 1 if two maps put the same patches together, whatever the numbers. */
static inline int readback_same(const int32_t *a, const int32_t *b,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((a[i] < 0) != (b[i] < 0))
            return 0;
        for (size_t j = 0; j < i; j++)
            if (a[i] >= 0 && a[j] >= 0 && (a[i] == a[j]) != (b[i] == b[j]))
                return 0;
    }
    return 1;
}

#endif
