/* SPDX-License-Identifier: MIT */
/* Points with their intervals and Pareto front, as SVG. */
#ifndef TOMERGE_PLOT_H
#define TOMERGE_PLOT_H

#include <stddef.h>
#include <stdio.h>

enum { PLOT_WIDTH = 440, PLOT_HEIGHT = 340, PLOT_LABEL = 32, PLOT_TEXT = 320 };

typedef struct plot_point {
    double x, y, low, high; /* y lies in low .. high */
    char label[PLOT_LABEL];
    char text[PLOT_TEXT];  /* what hovering over it shows */
    size_t series;         /* which of several it belongs to */
    int front, overall;    /* set by plot_front: of its series, of all */
} plot_point;

typedef struct plot {
    const char *title, *x_name, *y_name;
    int less;              /* a smaller x is better, not a larger one */
    int lower;             /* and so is a smaller y */
    plot_point *points;
    size_t count;
    const char *const *series; /* names for the legend; NULL: only one */
    size_t series_count;
} plot;

/* Series have colours and shapes of their own, eight of the one and five of
 * the other, so that no two of the most there may be have both in common. */
enum { PLOT_SERIES = 24, PLOT_COLOURS = 8 };

/* The rules for the classes that plots use: light, and dark where a screen
 * prefers that. To be inside of <style>. */
extern const char plot_style[];

/* Marks the points that none, of their series and of all, is better than in one
 * of x and y and as good in the other. */
void plot_front(plot *p);

/* PLOT_HEIGHT and what the legend takes. */
int plot_height(size_t series_count);

/* The sign of a series, as an element of SVG around (x, y). */
void plot_sign(FILE *out, size_t series, double x, double y);

/* A group of PLOT_WIDTH by plot_height with its corner at (left, top). Point i
 * has the class "pI" as well. */
void plot_write(FILE *out, const plot *p, double left, double top);

#endif
