/* SPDX-License-Identifier: MIT */
/*
 * A picture of what was merged: from the map of an image's patches to groups
 * with their colours, and from those to pixels.
 *
 * The pixels tell the groups exactly. A patch without lines is its group's
 * mean colour throughout. Where two neighbouring patches are of different
 * groups, and at the edges of the crop, each has a line of its own group's
 * colour along its own side, so that there is a line between two patches if
 * and only if their groups differ; no two groups have lines of one colour.
 */
#ifndef TOMERGE_GROUPS_H
#define TOMERGE_GROUPS_H

#include "../images/image.h"

typedef struct groups_colour {
    uint8_t rgb[3];
} groups_colour;

typedef struct groups {
    size_t rows, columns;  /* of the crop's patches */
    size_t patch;          /* pixels on a side of a patch */
    size_t count;
    size_t dropped;        /* patches that are in no group */
    int32_t *group;        /* [rows, columns]: by first patch, -1 dropped */
    groups_colour *fill;   /* [count]: the mean of its pixels, rounded */
    groups_colour *line;   /* [count]: all different, neighbours clearly */
} groups;

/* crop  [rows * patch, columns * patch, 3]
 * map   [rows, columns]: patches of one group have one number, any from 0 to
 *       `numbers` - 1; -1 is a dropped patch.
 * To be freed with groups_free. */
void groups_make(groups *g, size_t rows, size_t columns, size_t patch,
                 const uint8_t *crop, size_t numbers, const int32_t *map);
void groups_free(groups *g);

enum groups_style {
    GROUPS_FILL,           /* the mean colours */
    GROUPS_OVERLAY         /* the crop's own pixels */
};

/* Paints a panel of the crop's pixels, `scale` as large, at (left, top), which
 * must lie inside of `out`. Dropped patches are dark. */
void groups_paint(const groups *g, const uint8_t *crop, int style,
                  size_t scale, image *out, size_t left, size_t top);

/* How wide a line is, for a patch of so many pixels of the picture. */
size_t groups_line_width(size_t pixels);

#endif
