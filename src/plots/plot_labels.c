/* SPDX-License-Identifier: MIT */
/* Where the labels of points go, so that no two texts lie on one another. */
#include "plot_labels.h"

#include <math.h>
#include <stdint.h>

static int overlap(const plot_box *a, const plot_box *b)
{
    return a->left < b->right && b->left < a->right && a->top < b->bottom &&
           b->top < a->bottom;
}

static int inside(const plot_box *a, const plot_box *frame)
{
    return a->left >= frame->left && a->right <= frame->right &&
           a->top >= frame->top && a->bottom <= frame->bottom;
}

/* Whether a segment crosses a box: the part of it between the box's sides
 * (Liang and Barsky). */
static int crosses(const plot_segment *s, const plot_box *b)
{
    const double d[2] = {s->x2 - s->x1, s->y2 - s->y1};
    const double from[2] = {s->x1, s->y1};
    const double low[2] = {b->left, b->top}, high[2] = {b->right, b->bottom};
    double begin = 0, end = 1;

    for (int axis = 0; axis < 2; axis++) {
        double first = low[axis] - from[axis], last = high[axis] - from[axis];
        if (fabs(d[axis]) < 1e-9) {
            if (first > 0 || last < 0)
                return 0;
            continue;
        }
        first /= d[axis];
        last /= d[axis];
        begin = fmax(begin, fmin(first, last));
        end = fmin(end, fmax(first, last));
    }
    return begin <= end;
}

/* Place `index` of those around a point, the best first. */
enum { PLACES = 16 };
static plot_box place(const plot_mark *m, int index)
{
    static const double around[8][2] = {
        {1, -1}, {1, 0}, {0, -1}, {1, 1}, {-1, 0}, {0, 1}, {-1, -1}, {-1, 1}
    };
    const double *to = around[index % 8];
    double away = index < 8 ? 8 : 20;
    double width = (double)m->letters * PLOT_LETTER + 4;
    /* Corners are nearer than sides, along either axis. */
    double slant = fabs(to[0]) + fabs(to[1]) > 1 ? 0.75 : 1;
    double x = m->x + to[0] * (away * slant + width / 2);
    double y = m->y + to[1] * (away * slant + PLOT_LINE / 2.0);
    plot_box b = {x - width / 2, y - PLOT_LINE / 2.0, x + width / 2,
                  y + PLOT_LINE / 2.0};
    return b;
}

static int is_free(const plot_mark *marks, size_t count, const plot_box *box)
{
    const double radius = 6;

    for (size_t i = 0; i < count; i++) {
        plot_box point = {marks[i].x - radius, marks[i].y - radius,
                          marks[i].x + radius, marks[i].y + radius};
        if (overlap(box, &point) ||
            (marks[i].placed && overlap(box, &marks[i].box)))
            return 0;
    }
    return 1;
}

void plot_labels_place(plot_mark *marks, size_t count,
                       const plot_segment *segments, size_t segment_count,
                       const plot_box *frame)
{
    for (size_t i = 0; i < count; i++)
        marks[i].placed = 0;
    for (size_t i = 0; i < count; i++) {
        size_t least = SIZE_MAX;
        plot_box best = {0, 0, 0, 0};
        for (int at = 0; at < PLACES; at++) {
            plot_box box = place(&marks[i], at);
            size_t crossed = 0;
            if (!inside(&box, frame) || !is_free(marks, count, &box))
                continue;
            for (size_t k = 0; k < segment_count; k++)
                crossed += (size_t)crosses(&segments[k], &box);
            if (crossed < least) {
                least = crossed;
                best = box;
            }
        }
        marks[i].placed = least < SIZE_MAX;
        marks[i].box = best;
    }
}
