/* SPDX-License-Identifier: MIT */
/* Points with their intervals and Pareto front, as SVG. */
#include "plot.h"

#include "markup.h"
#include "memory.h"
#include "plot_labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One hue besides grey, told from it in every kind of colour vision. No CSS
 * variables: programs that only draw SVG do not know them. */
const char plot_style[] =
    ".plot{font:12px system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums}\n"
    ".plot text{fill:#1c1d20}.plot .quiet{fill:#5d6167}\n"
    ".plot .title{font-size:14px;font-weight:600}\n"
    ".plot .grid{stroke:#e4e6e9;stroke-width:1}\n"
    ".plot .band{fill:#0b63b0;fill-opacity:.12}\n"
    ".plot .front{fill:none;stroke:#0b63b0;stroke-width:1.5}\n"
    ".plot .span{stroke:#c3c7cd;stroke-width:1}\n"
    ".plot .name{paint-order:stroke;stroke:#fff;stroke-width:3;"
    "stroke-linejoin:round}\n"
    ".plot .dot{fill:#fff;stroke:#6b7078;stroke-width:1.5}\n"
    ".plot .best .dot{fill:#0b63b0;stroke:#0b63b0}\n"
    ".plot .near{fill:#000;fill-opacity:0}\n"
    ".plot .point:hover .dot{stroke:#c2500a;stroke-width:4}\n"
    "@media screen and (prefers-color-scheme:dark){\n"
    ".plot text{fill:#e6e7ea}.plot .quiet{fill:#a0a5ad}\n"
    ".plot .grid{stroke:#2e3238}\n"
    ".plot .band{fill:#6fb4f2;fill-opacity:.16}\n"
    ".plot .front{stroke:#6fb4f2}\n"
    ".plot .span{stroke:#4a4f57}.plot .name{stroke:#16181b}\n"
    ".plot .dot{fill:#16181b;stroke:#9aa0a8}\n"
    ".plot .best .dot{fill:#6fb4f2;stroke:#6fb4f2}\n"
    ".plot .point:hover .dot{stroke:#f0975a}\n"
    "}\n";

enum { LEFT = 40, RIGHT = 14, TOP = 48, BOTTOM = 44, RADIUS = 4, NEAR = 12 };

/* One axis: values from `low` to `high`, a tick each `step`. */
typedef struct axis {
    double low, high, step;
    double first, length;  /* pixels; a negative length goes up */
} axis;

static double at(const axis *a, double value)
{
    return a->first + (value - a->low) / (a->high - a->low) * a->length;
}

/* A step of 1, 2 or 5 times a power of ten that gives four to nine. */
static double nice_step(double span)
{
    double power = pow(10, floor(log10(span / 4)));
    double times = span / 4 / power;

    return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

/* The values with a margin; never empty. */
static axis axis_make(double low, double high, double margin, double first,
                      double length)
{
    axis a = {low, high, 0, first, length};
    double span = high - low;

    if (!(span > 1e-6 * fabs(high)))
        span = fabs(high) > 0 ? 0.1 * fabs(high) : 1;
    a.low -= margin * span;
    a.high += margin * span;
    a.step = nice_step(a.high - a.low);
    return a;
}

/* ---- the front --------------------------------------------------------------------- */

static int better(const plot *p, const plot_point *a, const plot_point *b)
{
    double gain = p->less ? b->x - a->x : a->x - b->x;
    return gain >= 0 && a->y >= b->y && (gain > 0 || a->y > b->y);
}

void plot_front(plot *p)
{
    for (size_t i = 0; i < p->count; i++) {
        p->points[i].front = 1;
        for (size_t j = 0; j < p->count; j++)
            if (better(p, &p->points[j], &p->points[i]))
                p->points[i].front = 0;
    }
}

static int by_x(const void *a, const void *b)
{
    const plot_point *p = *(const plot_point *const *)a;
    const plot_point *q = *(const plot_point *const *)b;
    return (p->x > q->x) - (p->x < q->x);
}

/* The points on the front from left to right. */
static const plot_point **front_of(const plot *p, size_t *count)
{
    const plot_point **list = memory_zero(p->count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->points[i].front)
            list[(*count)++] = &p->points[i];
    qsort(list, *count, sizeof(*list), by_x);
    return list;
}

/* ---- drawing ----------------------------------------------------------------------- */

typedef struct frame {
    const plot *plot;
    axis x, y;
    const plot_point **front;
    size_t front_count;
} frame;

/* Ticks have as many decimals as their step. */
static int decimals(double step)
{
    return step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
}

static void draw_grid(FILE *out, const frame *f)
{
    const axis *x = &f->x, *y = &f->y;
    double right = x->first + x->length, top = y->first + y->length;

    for (double v = ceil(y->low / y->step); v * y->step <= y->high; v++) {
        double place = at(y, v * y->step);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>"
                "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%.*f</text>\n", x->first, place, right,
                x->first - 6, place + 4, decimals(y->step), v * y->step);
    }
    for (double v = ceil(x->low / x->step); v * x->step <= x->high; v++) {
        double place = at(x, v * x->step);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>"
                "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"middle\">%.*f</text>\n", place, y->first, top,
                place, y->first + 17, decimals(x->step), v * x->step);
    }
}

static void draw_names(FILE *out, const plot *p)
{
    fputs("<text class=\"title\" x=\"0\" y=\"14\">", out);
    markup_text(out, p->title);
    fputs("</text>\n<text class=\"quiet\" x=\"0\" y=\"34\">", out);
    markup_text(out, p->y_name);
    fprintf(out, "</text>\n<text class=\"quiet\" x=\"%d\" y=\"%d\" "
            "text-anchor=\"end\">", PLOT_WIDTH - RIGHT, PLOT_HEIGHT - 8);
    markup_text(out, p->x_name);
    fputs("</text>\n", out);
}

/* The intervals along the front as a band, the others as lines. */
static void draw_intervals(FILE *out, const frame *f)
{
    const plot *p = f->plot;

    if (f->front_count > 1) {
        fputs("<path class=\"band\" d=\"", out);
        for (size_t i = 0; i < f->front_count; i++)
            fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M',
                    at(&f->x, f->front[i]->x), at(&f->y, f->front[i]->high));
        for (size_t i = f->front_count; i-- > 0;)
            fprintf(out, "L%.1f %.1f", at(&f->x, f->front[i]->x),
                    at(&f->y, f->front[i]->low));
        fputs("Z\"/>\n<path class=\"front\" d=\"", out);
        for (size_t i = 0; i < f->front_count; i++)
            fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M',
                    at(&f->x, f->front[i]->x), at(&f->y, f->front[i]->y));
        fputs("\"/>\n", out);
    }
    for (size_t i = 0; i < p->count; i++)
        if (!p->points[i].front || f->front_count < 2)
            fprintf(out, "<path class=\"span\" d=\"M%.1f %.1fV%.1f\"/>\n",
                    at(&f->x, p->points[i].x), at(&f->y, p->points[i].low),
                    at(&f->y, p->points[i].high));
}

/* What labels had better not cross: the front and the lines of the others. */
static plot_segment *segments_of(const frame *f, size_t *count)
{
    const plot *p = f->plot;
    plot_segment *list = memory_zero(p->count + f->front_count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; i + 1 < f->front_count; i++) {
        const plot_point *a = f->front[i], *b = f->front[i + 1];
        plot_segment s = {at(&f->x, a->x), at(&f->y, a->y), at(&f->x, b->x),
                          at(&f->y, b->y)};
        list[(*count)++] = s;
    }
    for (size_t i = 0; i < p->count; i++) {
        const plot_point *a = &p->points[i];
        plot_segment s = {at(&f->x, a->x), at(&f->y, a->low), at(&f->x, a->x),
                          at(&f->y, a->high)};
        if (!a->front || f->front_count < 2)
            list[(*count)++] = s;
    }
    return list;
}

static void draw_labels(FILE *out, const frame *f)
{
    const plot *p = f->plot;
    size_t count;
    plot_mark *marks = memory_zero(p->count, sizeof(*marks));
    plot_segment *segments = segments_of(f, &count);
    plot_box box = {LEFT, TOP - 8, PLOT_WIDTH, PLOT_HEIGHT - BOTTOM};

    for (size_t i = 0; i < p->count; i++) {
        marks[i].x = at(&f->x, p->points[i].x);
        marks[i].y = at(&f->y, p->points[i].y);
        marks[i].letters = strlen(p->points[i].label);
    }
    plot_labels_place(marks, p->count, segments, count, &box);
    for (size_t i = 0; i < p->count; i++) {
        const plot_box *b = &marks[i].box;
        if (!marks[i].placed)
            continue;
        fprintf(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"middle\">", (b->left + b->right) / 2,
                b->bottom - 3);
        markup_text(out, p->points[i].label);
        fputs("</text>\n", out);
    }
    free(marks);
    free(segments);
}

static void draw_points(FILE *out, const frame *f)
{
    for (size_t i = 0; i < f->plot->count; i++) {
        const plot_point *p = &f->plot->points[i];
        fprintf(out, "<g class=\"point p%zu%s\"><title>", i,
                p->front ? " best" : "");
        markup_text(out, p->text);
        fprintf(out, "</title><circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" "
                "r=\"%d\"/><circle class=\"near\" cx=\"%.1f\" cy=\"%.1f\" "
                "r=\"%d\"/></g>\n", at(&f->x, p->x), at(&f->y, p->y), RADIUS,
                at(&f->x, p->x), at(&f->y, p->y), NEAR);
    }
}

void plot_write(FILE *out, const plot *p, double left, double top)
{
    double x[2] = {HUGE_VAL, -HUGE_VAL}, y[2] = {HUGE_VAL, -HUGE_VAL};
    frame f = {.plot = p};

    for (size_t i = 0; i < p->count; i++) {
        x[0] = fmin(x[0], p->points[i].x);
        x[1] = fmax(x[1], p->points[i].x);
        y[0] = fmin(y[0], p->points[i].low);
        y[1] = fmax(y[1], p->points[i].high);
    }
    if (p->count == 0)
        x[0] = y[0] = 0, x[1] = y[1] = 1;
    f.x = axis_make(x[0], x[1], 0.08, LEFT, PLOT_WIDTH - LEFT - RIGHT);
    f.y = axis_make(y[0], y[1], 0.05, PLOT_HEIGHT - BOTTOM,
                    TOP + BOTTOM - PLOT_HEIGHT);
    f.front = front_of(p, &f.front_count);
    fprintf(out, "<g class=\"plot\" transform=\"translate(%.1f %.1f)\">\n",
            left, top);
    draw_names(out, p);
    draw_grid(out, &f);
    draw_intervals(out, &f);
    draw_labels(out, &f);
    draw_points(out, &f);
    fputs("</g>\n", out);
    free(f.front);
}
