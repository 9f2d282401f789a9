/* SPDX-License-Identifier: MIT */
/* The plots of a sweep: accuracy against speed and against arithmetic. */
#include "sweep_plots.h"

#include "../base/memory.h"
#include "../base/report.h"
#include "../plots/markup.h"
#include "../plots/plot.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *title, *x_name, *path[2];
    int less;
} kinds[SWEEP_PLOTS] = {
    {"Accuracy against speed", "images/s, forward pass \xE2\x86\x92 faster",
     {"images_per_second", "forward"}, 0},
    {"Accuracy against arithmetic", "fewer \xE2\x86\x90 GMACs an image",
     {"gmacs", NULL}, 1}
};

void sweep_label(const json_t *run, int kind, char *out, size_t size)
{
    const char *label = json_string_value(json_object_get(run, "schedule"));
    const char *before = kind == MERGING_RATIO ? "ratio "
                       : strpbrk(label, "=*") ? ""
                       : kind == MERGING_SCHEDULE && strcmp(label, "0") != 0
                         ? "" : "r=";
    int dots = strlen(label) > 14;

    snprintf(out, size, "%s%.*s%s", before, dots ? 12 : 14, label,
             dots ? "..." : "");
}

static double number(const json_t *run, const char *key, const char *member)
{
    const json_t *value = json_object_get(run, key);
    if (member)
        value = json_object_get(value, member);
    return json_number_value(value);
}

/* The row of the table, in words; `model` where there are several. */
static void describe(const json_t *run, const char *model, plot_point *p)
{
    static const struct {
        const char *path, *format, *before, *after;
    } parts[] = {
        {"top1", "%.2f", ": top-1 ", " %"},
        {"top1_interval", "%.1f", " (95 %: ", ")"},
        {"top5", "%.2f", ", top-5 ", " %"},
        {"tokens_left", "%.1f", "\n", " tokens left"},
        {"gmacs", "%.2f", ", ", " GMACs"},
        {"images_per_second.forward", "%.1f", ", ", " images/s"},
        {"speedup", "%.2f", ", ", " times r=0"},
        {"agreement", "%.1f", "\nagrees with r=0 on ", " %"},
        {"kl_mean", "%.4f", ", KL ", ""},
        {"gained", NULL, ", gained ", ""},
        {"lost", NULL, ", lost ", ""},
        {"mcnemar_p", "%.2g", ", p = ", ""}
    };
    char text[64];
    size_t used = (size_t)snprintf(p->text, PLOT_TEXT, "%s%s%s",
                                   model ? model : "",
                                   model ? "\n" : "", p->label);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        report_text(run, parts[i].path, parts[i].format, text, sizeof(text));
        if (text[0] != '\0' && used < PLOT_TEXT)
            used += (size_t)snprintf(p->text + used, PLOT_TEXT - used,
                                     "%s%s%s", parts[i].before, text,
                                     parts[i].after);
    }
}

static const char *label_of(const json_t *run)
{
    return json_string_value(json_object_get(json_object_get(run, "model"),
                                             "label"));
}

/* What a run belongs to: its method, where there are several, or its model. */
const char *sweep_series(const json_t *run)
{
    const json_t *series = json_object_get(run, "series");

    return series ? json_string_value(series) : label_of(run);
}

size_t sweep_series_count(const json_t *runs)
{
    const char *before = "";
    size_t count = 0, i;
    const json_t *run;

    json_array_foreach(runs, i, run) {
        count += strcmp(before, sweep_series(run)) != 0;
        before = sweep_series(run);
    }
    return count;
}

/* The series' names for the legend, and which of them a run is of. */
typedef struct plot_models {
    const char *names[PLOT_SERIES];
    size_t count;
} plot_models;

static size_t series_of(plot_models *m, const json_t *run)
{
    const char *label = sweep_series(run);

    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->names[i], label) == 0)
            return i;
    m->names[m->count] = label;
    return m->count++;
}

static void plot_begin(plot *p, plot_models *m, const json_t *runs, int kind,
                       enum sweep_plot which)
{
    const json_t *last = json_array_get(runs, json_array_size(runs) - 1);
    int many = strcmp(sweep_series(json_array_get(runs, 0)),
                      sweep_series(last)) != 0;
    size_t i;
    const json_t *run;

    memset(p, 0, sizeof(*p));
    memset(m, 0, sizeof(*m));
    p->title = kinds[which].title;
    p->x_name = kinds[which].x_name;
    p->y_name = "top-1 accuracy, %";
    p->less = kinds[which].less;
    p->points = memory_zero(json_array_size(runs), sizeof(*p->points));
    json_array_foreach(runs, i, run) {
        plot_point *point = &p->points[p->count];
        size_t series = series_of(m, run);
        if (!json_is_real(json_object_get(run, "top1")))
            continue;
        point->series = series;
        point->x = number(run, kinds[which].path[0], kinds[which].path[1]);
        point->y = number(run, "top1", NULL);
        point->low = number(run, "top1_interval", "low");
        point->high = number(run, "top1_interval", "high");
        sweep_label(run, kind, point->label, sizeof(point->label));
        describe(run, many ? sweep_series(run) : NULL, point);
        p->count++;
    }
    p->series = m->names;
    p->series_count = m->count;
    plot_front(p);
}

void sweep_plot(FILE *out, const json_t *runs, int kind, enum sweep_plot which)
{
    plot_models m;
    plot p;

    plot_begin(&p, &m, runs, kind, which);
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d "
            "%d\" role=\"img\" aria-label=\"%s\">\n", PLOT_WIDTH,
            plot_height(p.series_count), p.title);
    plot_write(out, &p, 0, 0);
    fputs("</svg>\n", out);
    free(p.points);
}

void sweep_title(FILE *out, const json_t *sweep)
{
    const json_t *models = json_object_get(sweep, "models");
    size_t i;
    const json_t *model;

    json_array_foreach(models, i, model) {
        fputs(i > 0 ? ", " : "", out);
        markup_text(out, label_of(model));
    }
}

void sweep_svg(FILE *out, const json_t *sweep, int kind)
{
    enum { MARGIN = 24, GAP = 40 };
    int width = 2 * MARGIN + SWEEP_PLOTS * PLOT_WIDTH + GAP;
    int height = 2 * MARGIN + plot_height(sweep_series_count(
        json_object_get(sweep, "runs")));

    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>", width, height,
            width, height);
    sweep_title(out, sweep);
    fprintf(out, "</title>\n<style>\n%s.paper{fill:#fff}"
            "@media screen and (prefers-color-scheme:dark)"
            "{.paper{fill:#16181b}}\n</style>\n"
            "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", plot_style,
            width, height);
    for (int i = 0; i < SWEEP_PLOTS; i++) {
        plot_models m;
        plot p;
        plot_begin(&p, &m, json_object_get(sweep, "runs"), kind,
                   (enum sweep_plot)i);
        plot_write(out, &p, MARGIN + i * (PLOT_WIDTH + GAP), MARGIN);
        free(p.points);
    }
    fputs("</svg>\n", out);
}
