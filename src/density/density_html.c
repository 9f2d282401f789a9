/* SPDX-License-Identifier: MIT */
/* The report of density as a page: one file, no script, nothing outside. */
#include "config.h"

#include "density.h"

#include "../base/machine.h"
#include "../base/memory.h"
#include "../plots/markup.h"
#include "../plots/page.h"
#include "../plots/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    STRIP = 12,            /* pictures at either end of the ranks */
    BARS = 32,             /* of the histogram */
    CLASSES = 200          /* rows of the table */
};

static const char style[] =
    ":root{--bar:#0b63b0}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--bar:#6fb4f2}}\n"
    ".strip{display:grid;gap:.75rem;grid-template-columns:"
    "repeat(auto-fill,minmax(6rem,1fr))}\n"
    ".strip img{display:block;width:100%;height:auto;"
    "image-rendering:pixelated}\n"
    ".bars{display:block;width:100%;max-width:44rem;height:auto;"
    "font-size:11px}.bars rect{fill:var(--bar)}.bars text{fill:var(--quiet)}\n";

static const report_column way_columns[] = {
    {"window", "window", NULL},
    {"group", "group", NULL},
    {"gmacs", "GMACs", "%.3f"},
    {"bits_per_byte.mean", "bits/byte", "%.4f"},
    {"bits_per_byte.standard_error", "s.e.", "%.4f"},
    {"more.mean", "more", "%.4f"},
    {"more.standard_error", "s.e.", "%.4f"},
    {"images_per_second", "images/s", "%.1f"},
};

static const report_column class_columns[] = {
    {"class", "class", NULL},
    {"images", "images", NULL},
    {"bits_per_byte", "bits/byte", "%.3f"},
    {"png_bits_per_byte", "as PNG", "%.3f"},
};

static const report_column facts[] = {
    {"model.file", "model", NULL},
    {"model.parameters", "parameters", NULL},
    {"model.width", "pixels across", NULL},
    {"model.patch", "bytes a patch", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"part", "part", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "CPU tier", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
};

static void tagged(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s>", tag);
    markup_text(out, text);
    fprintf(out, "</%s>", tag);
}

/* ---- tables -------------------------------------------------------------- */

static void table(FILE *out, const report_column *columns, size_t count,
                  const json_t *rows, size_t most)
{
    char text[256];
    const json_t *row;
    size_t i;

    fputs("<div class=\"wide\"><table><thead><tr>", out);
    for (size_t c = 0; c < count; c++)
        tagged(out, "th", columns[c].heading);
    fputs("</tr></thead>\n<tbody>\n", out);
    json_array_foreach(rows, i, row) {
        if (i == most)
            break;
        fputs("<tr>", out);
        for (size_t c = 0; c < count; c++) {
            report_text(row, columns[c].path,
                        columns[c].format ? columns[c].format : "%g", text,
                        sizeof(text));
            tagged(out, c == 0 ? "th" : "td", text);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* Of the model and of PNG side by side. */
static void write_spread(FILE *out, const json_t *report)
{
    static const char *const keys[] = {"mean", "standard_error", "p1", "p5",
                                       "p25", "p50", "p75", "p95", "p99"};
    static const char *const rows[][2] = {
        {"bits_per_byte", "the model"}, {"png_bits_per_byte", "as PNG"}};

    fputs("<section><h2>Bits a byte</h2>\n<div class=\"wide\"><table><thead>"
          "<tr><th></th><th>mean</th><th>s.e.</th><th>1 %</th><th>5 %</th>"
          "<th>25 %</th><th>median</th><th>75 %</th><th>95 %</th><th>99 %</th>"
          "</tr></thead>\n<tbody>\n", out);
    for (size_t r = 0; r < COUNT(rows); r++) {
        const json_t *spread = json_object_get(report, rows[r][0]);
        char text[64];

        fprintf(out, "<tr><th>%s</th>", rows[r][1]);
        for (size_t i = 0; i < COUNT(keys); i++) {
            report_text(spread, keys[i], "%.3f", text, sizeof(text));
            tagged(out, "td", text);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* How many pictures are worth how much, from the least to the most. */
static void write_bars(FILE *out, const density_ranked *r, size_t count)
{
    enum { WIDE = 640, HIGH = 120, EACH = WIDE / BARS };
    double low = r[0].bits, span = r[count - 1].bits - low;
    size_t bars[BARS] = {0}, most = 1;

    for (size_t i = 0; i < count; i++) {
        double at = span > 0 ? (r[i].bits - low) / span * BARS : 0;
        size_t bar = at < BARS ? (size_t)at : BARS - 1;

        bars[bar]++;
        most = bars[bar] > most ? bars[bar] : most;
    }
    fprintf(out, "<svg class=\"bars\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "aria-label=\"how many pictures are worth how many bits\">\n",
            WIDE, HIGH + 18);
    for (size_t i = 0; i < BARS; i++) {
        double high = (double)bars[i] / (double)most * HIGH;

        fprintf(out, "<rect x=\"%zu\" y=\"%.1f\" width=\"%d\" "
                "height=\"%.1f\"><title>%.3f to %.3f: %zu</title></rect>\n",
                i * EACH, HIGH - high, EACH - 1, high,
                low + span * (double)i / BARS,
                low + span * (double)(i + 1) / BARS, bars[i]);
    }
    fprintf(out, "<text x=\"0\" y=\"%d\">%.3f bits/byte</text><text "
            "x=\"%d\" y=\"%d\" text-anchor=\"end\">%.3f</text></svg>\n"
            "</section>\n", HIGH + 14, low, WIDE, HIGH + 14, low + span);
}

/* ---- pictures ------------------------------------------------------------ */

/* As the model saw it; nothing where the file is gone by now. */
static void write_picture(FILE *out, density *p, const density_ranked *r)
{
    size_t width = p->m.d->width, height = p->m.d->height;
    image picture = {NULL, width, height};

    byte_pictures_read(&p->pictures, &p->m, p->files->files + r->file, 1);
    fputs("<figure>", out);
    if (p->pictures.why[0][0] == '\0') {
        picture.rgb = memory_zero(width * height, 3);
        tomevit_bytes_pixels(p->m.model, p->pictures.bytes, picture.rgb);
        markup_image(out, &picture, r->name);
        free(picture.rgb);
    }
    fprintf(out, "<figcaption><b>%.3f</b> (PNG %.3f)<br/>", r->bits, r->png);
    markup_text(out, r->name);
    fputs("</figcaption></figure>\n", out);
}

static void write_strip(FILE *out, density *p, const char *title,
                        const density_ranked *r, size_t count)
{
    fprintf(out, "<section><h2>%s</h2>\n<div class=\"strip\">\n", title);
    for (size_t i = 0; i < count; i++)
        write_picture(out, p, &r[i]);
    fputs("</div></section>\n", out);
}

static void write_pictures(FILE *out, density *p, const density_ranked *r,
                           size_t count)
{
    size_t ends = count < STRIP ? count : STRIP, i;
    density_ranked *last = memory_zero(ends + 1, sizeof(*last));

    for (i = 0; i < ends; i++)
        last[i] = r[count - 1 - i];
    write_strip(out, p, "The most likely: the fewest bits", r, ends);
    write_strip(out, p, "The least likely: the most bits", last, ends);
    free(last);
}

/* ---- ways of merging ----------------------------------------------------- */

static double number(const json_t *way, const char *key, const char *member)
{
    const json_t *value = json_object_get(way, key);

    return json_number_value(member ? json_object_get(value, member) : value);
}

static void way_point(const json_t *way, plot_point *point)
{
    size_t window = (size_t)number(way, "window", NULL);
    size_t group = (size_t)number(way, "group", NULL);
    double error = 1.96 * number(way, "bits_per_byte", "standard_error");

    point->y = number(way, "bits_per_byte", "mean");
    point->low = point->y - error;
    point->high = point->y + error;
    if (group)
        snprintf(point->label, sizeof(point->label), "%zu:%zu", window, group);
    else
        snprintf(point->label, sizeof(point->label), "0");
    snprintf(point->text, sizeof(point->text), "%s: %.4f bits/byte, %.3f GMACs"
             ", %.1f images/s", point->label, point->y,
             number(way, "gmacs", NULL),
             number(way, "images_per_second", NULL));
}

static void write_plot(FILE *out, const json_t *ways, const char *title,
                       const char *x_name, const char *key, int less)
{
    plot p = {.title = title, .x_name = x_name, .y_name = "bits a byte",
              .less = less, .lower = 1};
    const json_t *way;
    size_t i;

    p.points = memory_zero(json_array_size(ways), sizeof(*p.points));
    json_array_foreach(ways, i, way) {
        if (!json_is_number(json_object_get(way, key)))
            continue;
        way_point(way, &p.points[p.count]);
        p.points[p.count++].x = number(way, key, NULL);
    }
    plot_front(&p);
    if (p.count > 0) {
        fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "
                "%d %d\" role=\"img\" aria-label=\"%s\">\n", PLOT_WIDTH,
                plot_height(0), title);
        plot_write(out, &p, 0, 0);
        fputs("</svg>\n", out);
    }
    free(p.points);
}

static void write_ways(FILE *out, const json_t *ways)
{
    if (json_array_size(ways) < 2)
        return;
    fputs("<section><h2>Merging in the past</h2>\n<div class=\"plots\">\n",
          out);
    write_plot(out, ways, "Bits against arithmetic",
               "fewer \xE2\x86\x90 GMACs an image", "gmacs", 1);
    write_plot(out, ways, "Bits against speed",
               "images/s, forward pass \xE2\x86\x92 faster",
               "images_per_second", 0);
    fputs("</div>\n", out);
    table(out, way_columns, COUNT(way_columns), ways, OPTIONS_WAYS);
    fputs("<p class=\"quiet\">Points are WINDOW:GROUP, 0 being no merging; "
          "full ones are on the Pareto front. Bars are 95 % of each mean taken "
          "alone. More is against the first row, picture by picture, with the "
          "standard error of the differences.</p></section>\n", out);
}

/* ---- the page ------------------------------------------------------------ */

static void write_head(FILE *out, const density *p, const json_t *report)
{
    page_begin(out);
    fputs("Density: ", out);
    markup_text(out, p->m.s.options->model);
    page_style(out);
    fprintf(out, "%s</style></head>\n<body>\n<h1>Density: ", style);
    markup_text(out, p->m.s.options->model);
    fprintf(out, "</h1>\n<p class=\"quiet\">What %lld images are worth to a "
            "model of bytes%s. Few bits: like what it was trained on, and "
            "plain. It tells no anomalies from noise.</p>\n",
            (long long)json_integer_value(json_object_get(report, "images")),
            json_is_true(json_object_get(report, "partial"))
            ? "; stopped early, a partial result" : "");
}

static void fact(FILE *out, const char *name, const char *text)
{
    tagged(out, "dt", name);
    tagged(out, "dd", text);
    fputc('\n', out);
}

static void write_facts(FILE *out, const density *p, const json_t *report)
{
    const char *line = p->m.s.options->command_line;
    char text[1024];
    time_t now = time(NULL);

    fputs("<section><h2>How it was measured</h2>\n<dl>\n<dt>command</dt><dd>"
          "<code>tomerge ", out);
    markup_text(out, line ? line : "");
    fputs("</code></dd>\n", out);
    for (size_t i = 0; i < COUNT(facts); i++) {
        report_text(report, facts[i].path, "%g", text, sizeof(text));
        if (text[0] != '\0')
            fact(out, facts[i].heading, text);
    }
    machine_name(text, sizeof(text));
    fact(out, "machine", text);
    fact(out, "tomerge", tomerge_version_string());
    if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", localtime(&now)) > 0)
        fact(out, "date", text);
    fputs("</dl></section>\n", out);
}

static void write_classes(FILE *out, const json_t *folders)
{
    size_t count = json_array_size(folders);

    if (count < 2)
        return;
    fputs("<section><h2>By folder</h2>\n", out);
    table(out, class_columns, COUNT(class_columns), folders, CLASSES);
    if (count > CLASSES)
        fprintf(out, "<p class=\"quiet\">The first %d of %zu: all are in the "
                "JSON report.</p>\n", CLASSES, count);
    fputs("</section>\n", out);
}

void density_html(FILE *out, density *p, const json_t *report,
                  const density_ranked *ranked, size_t count)
{
    write_head(out, p, report);
    write_spread(out, report);
    write_bars(out, ranked, count);
    write_pictures(out, p, ranked, count);
    write_ways(out, json_object_get(report, "merging"));
    write_classes(out, json_object_get(report, "classes"));
    write_facts(out, p, report);
    fputs("</body></html>\n", out);
}
