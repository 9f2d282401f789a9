/* SPDX-License-Identifier: MIT */
/* Points with their intervals and Pareto front, as SVG. */
#include "plot.h"

#include "../base/memory.h"
#include "markup.h"
#include "plot_labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One model: one hue besides grey, told from it in every kind of colour vision.
 * Several: the hues of Okabe and Ito, chosen for the same, but for yellow,
 * which is lost on white. No CSS variables: programs that only draw SVG do not
 * know them. */
#define SERIES(a, b, c, d, e, f, g, h)                                       \
    ".plot .s0{color:" a "}.plot .s1{color:" b "}.plot .s2{color:" c "}\n"   \
    ".plot .s3{color:" d "}.plot .s4{color:" e "}.plot .s5{color:" f "}\n"   \
    ".plot .s6{color:" g "}.plot .s7{color:" h "}\n"
const char plot_style[] =
    ".plot{font:12px system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Noto Sans',Arial,sans-serif;font-variant-numeric:tabular-nums}\n"
    ".plot text{fill:#1c1d20}.plot .quiet{fill:#5d6167}\n"
    ".plot .title{font-size:14px;font-weight:600}\n"
    ".plot .grid{stroke:#e4e6e9;stroke-width:1}\n"
    SERIES("#0b63b0", "#d55e00", "#008a65", "#b8579a", "#b98200", "#3d9bd8",
           "#44484e", "#7d4b22")
    ".plot .band{fill:currentColor;fill-opacity:.12}\n"
    ".plot .front{fill:none;stroke:currentColor;stroke-width:1.5}\n"
    ".plot .overall{fill:none;stroke:#1c1d20;stroke-width:1.25;"
    "stroke-dasharray:2 4}\n"
    ".plot .span{stroke:#c3c7cd;stroke-width:1}\n"
    ".plot .name{paint-order:stroke;stroke:#fff;stroke-width:3;"
    "stroke-linejoin:round}\n"
    ".plot .dot{fill:#fff;stroke:#6b7078;stroke-width:1.5}\n"
    ".plot .many .dot{stroke:currentColor}\n"
    ".plot .best .dot{fill:currentColor;stroke:currentColor}\n"
    ".plot .near{fill:#000;fill-opacity:0}\n"
    ".plot .point:hover .dot{stroke:#c2500a;stroke-width:4}\n"
    "@media screen and (prefers-color-scheme:dark){\n"
    ".plot text{fill:#e6e7ea}.plot .quiet{fill:#a0a5ad}\n"
    ".plot .grid{stroke:#2e3238}\n"
    SERIES("#6fb4f2", "#f2894a", "#3fc79f", "#e59fcb", "#e8b640", "#a9d8f7",
           "#c6cad0", "#cf9f74")
    ".plot .band{fill-opacity:.16}\n"
    ".plot .overall{stroke:#e6e7ea}\n"
    ".plot .span{stroke:#4a4f57}.plot .name{stroke:#16181b}\n"
    ".plot .dot{fill:#16181b;stroke:#9aa0a8}\n"
    ".plot .point:hover .dot{stroke:#f0975a}\n"
    "}\n";

enum { LEFT = 40, RIGHT = 14, TOP = 48, BOTTOM = 44, RADIUS = 4, NEAR = 12,
       LEGEND = 18, ALL = -1 };

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

/* ---- the front ----------------------------------------------------------- */

static int better(const plot *p, const plot_point *a, const plot_point *b)
{
    double gain = p->less ? b->x - a->x : a->x - b->x;
    double rise = p->lower ? b->y - a->y : a->y - b->y;

    return gain >= 0 && rise >= 0 && (gain > 0 || rise > 0);
}

void plot_front(plot *p)
{
    for (size_t i = 0; i < p->count; i++) {
        plot_point *one = &p->points[i];
        one->front = one->overall = 1;
        for (size_t j = 0; j < p->count; j++) {
            if (!better(p, &p->points[j], one))
                continue;
            one->overall = 0;
            if (p->points[j].series == one->series)
                one->front = 0;
        }
    }
}

static int by_x(const void *a, const void *b)
{
    const plot_point *p = *(const plot_point *const *)a;
    const plot_point *q = *(const plot_point *const *)b;
    return (p->x > q->x) - (p->x < q->x);
}

/* The points on the front of a series, or of all, from left to right. */
static const plot_point **front_of(const plot *p, int series, size_t *count)
{
    const plot_point **list = memory_zero(p->count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const plot_point *one = &p->points[i];
        if (series == ALL ? one->overall
                          : one->front && one->series == (size_t)series)
            list[(*count)++] = one;
    }
    if (*count > 1)
        qsort(list, *count, sizeof(*list), by_x);
    return list;
}

/* ---- drawing ------------------------------------------------------------- */

typedef struct frame {
    const plot *plot;
    axis x, y;
    int top;               /* of what is below the legend */
    int series_count;      /* 1 or more */
    size_t on_front[PLOT_SERIES]; /* points */
} frame;

int plot_height(size_t series_count)
{
    return PLOT_HEIGHT +
           (series_count > 1 ? (int)(series_count + 1) * LEGEND + 6 : 0);
}

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

void plot_sign(FILE *out, size_t series, double x, double y)
{
    /* Corners around the middle, in tenths of a pixel; none: a circle. */
    static const int corners[][8] = {
        {0}, {-38, -38, 38, -38, 38, 38, -38, 38},
        {0, -55, 50, 35, -50, 35, 0, -55}, {0, -55, 55, 0, 0, 55, -55, 0},
        {0, 55, 50, -35, -50, -35, 0, 55}
    };
    const int *at = corners[series % (sizeof(corners) / sizeof(corners[0]))];

    if (at[1] == 0) {
        fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" "
                "r=\"%d\"/>", x, y, RADIUS);
        return;
    }
    fputs("<path class=\"dot\" d=\"", out);
    for (size_t i = 0; i < 8; i += 2)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x + at[i] / 10.0,
                y + at[i + 1] / 10.0);
    fputs("Z\"/>", out);
}

static void draw_legend(FILE *out, const plot *p)
{
    int line = 34;

    for (size_t i = 0; i < p->series_count; i++, line += LEGEND) {
        fprintf(out, "<g class=\"many best s%zu\"><path class=\"front\" "
                "d=\"M0 %dH24\"/>", i % PLOT_COLOURS, line - 4);
        plot_sign(out, i, 12, line - 4);
        fprintf(out, "</g><text x=\"32\" y=\"%d\">", line);
        markup_text(out, p->series[i]);
        fputs("</text>\n", out);
    }
    fprintf(out, "<path class=\"overall\" d=\"M0 %dH24\"/><text class=\"quiet\""
            " x=\"32\" y=\"%d\">front of all</text>\n", line - 4, line);
}

static void draw_names(FILE *out, const frame *f)
{
    const plot *p = f->plot;

    fputs("<text class=\"title\" x=\"0\" y=\"14\">", out);
    markup_text(out, p->title);
    fprintf(out, "</text>\n<text class=\"quiet\" x=\"0\" y=\"%d\">",
            f->top + 34);
    markup_text(out, p->y_name);
    fprintf(out, "</text>\n<text class=\"quiet\" x=\"%d\" y=\"%d\" "
            "text-anchor=\"end\">", PLOT_WIDTH - RIGHT,
            f->top + PLOT_HEIGHT - 8);
    markup_text(out, p->x_name);
    fputs("</text>\n", out);
    if (f->series_count > 1)
        draw_legend(out, p);
}

static void draw_line(FILE *out, const frame *f, const char *class,
                      const plot_point **points, size_t count)
{
    fprintf(out, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', at(&f->x, points[i]->x),
                at(&f->y, points[i]->y));
    fputs("\"/>\n", out);
}

/* A series' front and, as a band, the intervals along it. */
static void draw_front(FILE *out, const frame *f, int series)
{
    size_t count;
    const plot_point **front = front_of(f->plot, series, &count);

    if (count > 1) {
        fprintf(out, "<g class=\"s%d\"><path class=\"band\" d=\"",
                series % PLOT_COLOURS);
        for (size_t i = 0; i < count; i++)
            fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', at(&f->x, front[i]->x),
                    at(&f->y, front[i]->high));
        for (size_t i = count; i > 0; i--)
            fprintf(out, "L%.1f %.1f", at(&f->x, front[i - 1]->x),
                    at(&f->y, front[i - 1]->low));
        fputs("Z\"/>\n", out);
        draw_line(out, f, "front", front, count);
        fputs("</g>\n", out);
    }
    free(front);
}

/* Whether a point's interval is a line of its own, not part of a band. */
static int stands_alone(const frame *f, const plot_point *p)
{
    return !p->front || f->on_front[p->series] < 2;
}

static void draw_intervals(FILE *out, const frame *f)
{
    const plot *p = f->plot;
    size_t count;

    for (int i = 0; i < f->series_count; i++)
        draw_front(out, f, i);
    const plot_point **all = front_of(p, ALL, &count);
    if (f->series_count > 1 && count > 1)
        draw_line(out, f, "overall", all, count);
    free(all);
    for (size_t i = 0; i < p->count; i++)
        if (stands_alone(f, &p->points[i]))
            fprintf(out, "<path class=\"span\" d=\"M%.1f %.1fV%.1f\"/>\n",
                    at(&f->x, p->points[i].x), at(&f->y, p->points[i].low),
                    at(&f->y, p->points[i].high));
}

/* What labels had better not cross: the fronts and the lines of the others. */
static plot_segment *segments_of(const frame *f, size_t *count)
{
    const plot *p = f->plot;
    plot_segment *list = memory_zero(2 * p->count, sizeof(*list));

    *count = 0;
    for (int series = 0; series < f->series_count; series++) {
        size_t points;
        const plot_point **front = front_of(p, series, &points);
        for (size_t i = 0; i + 1 < points; i++) {
            const plot_point *a = front[i], *b = front[i + 1];
            plot_segment s = {at(&f->x, a->x), at(&f->y, a->y),
                              at(&f->x, b->x), at(&f->y, b->y)};
            list[(*count)++] = s;
        }
        free(front);
    }
    for (size_t i = 0; i < p->count; i++) {
        const plot_point *a = &p->points[i];
        plot_segment s = {at(&f->x, a->x), at(&f->y, a->low), at(&f->x, a->x),
                          at(&f->y, a->high)};
        if (stands_alone(f, a))
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
    plot_box box = {LEFT, f->top + TOP - 8, PLOT_WIDTH,
                    f->top + PLOT_HEIGHT - BOTTOM};

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
        double x = at(&f->x, p->x), y = at(&f->y, p->y);
        fprintf(out, "<g class=\"point p%zu%s s%zu\"><title>", i,
                p->front ? " best" : "", p->series % PLOT_COLOURS);
        markup_text(out, p->text);
        fprintf(out, "</title>%s", f->series_count > 1 ? "<g class=\"many\">"
                                                       : "");
        plot_sign(out, p->series, x, y);
        fprintf(out, "%s<circle class=\"near\" cx=\"%.1f\" cy=\"%.1f\" "
                "r=\"%d\"/></g>\n", f->series_count > 1 ? "</g>" : "", x, y,
                NEAR);
    }
}

static void make_axes(frame *f)
{
    const plot *p = f->plot;
    double x[2] = {HUGE_VAL, -HUGE_VAL}, y[2] = {HUGE_VAL, -HUGE_VAL};

    for (size_t i = 0; i < p->count; i++) {
        x[0] = fmin(x[0], p->points[i].x);
        x[1] = fmax(x[1], p->points[i].x);
        y[0] = fmin(y[0], p->points[i].low);
        y[1] = fmax(y[1], p->points[i].high);
    }
    if (p->count == 0)
        x[0] = y[0] = 0, x[1] = y[1] = 1;
    f->x = axis_make(x[0], x[1], 0.08, LEFT, PLOT_WIDTH - LEFT - RIGHT);
    f->y = axis_make(y[0], y[1], 0.05, f->top + PLOT_HEIGHT - BOTTOM,
                     TOP + BOTTOM - PLOT_HEIGHT);
}

void plot_write(FILE *out, const plot *p, double left, double top)
{
    frame f = {.plot = p};

    f.series_count = p->series_count > 1 ? (int)p->series_count : 1;
    f.top = plot_height(p->series_count) - PLOT_HEIGHT;
    for (size_t i = 0; i < p->count; i++)
        f.on_front[p->points[i].series] += (size_t)p->points[i].front;
    make_axes(&f);
    fprintf(out, "<g class=\"plot\" transform=\"translate(%.1f %.1f)\">\n",
            left, top);
    draw_names(out, &f);
    draw_grid(out, &f);
    draw_intervals(out, &f);
    draw_labels(out, &f);
    draw_points(out, &f);
    fputs("</g>\n", out);
}
