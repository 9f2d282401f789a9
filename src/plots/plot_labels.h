/* SPDX-License-Identifier: MIT */
/* Where the labels of points go, so that no two texts lie on one another. */
#ifndef TOMERGE_PLOT_LABELS_H
#define TOMERGE_PLOT_LABELS_H

#include <stddef.h>

typedef struct plot_box {
    double left, top, right, bottom;
} plot_box;

/* A point in pixels; `lines` are what a label had better not cross. */
typedef struct plot_mark {
    double x, y;
    size_t letters;        /* of its label */
    int placed;            /* 0: there was no room */
    plot_box box;          /* of the label; the text starts at its left */
} plot_mark;

typedef struct plot_segment {
    double x1, y1, x2, y2;
} plot_segment;

enum { PLOT_LETTER = 7, PLOT_LINE = 14 }; /* pixels: width at most, height */

/* Labels lie inside of `frame`, on no point and on no other label, and cross
 * as few of the segments as can be. */
void plot_labels_place(plot_mark *marks, size_t count,
                       const plot_segment *segments, size_t segment_count,
                       const plot_box *frame);

#endif
