/* SPDX-License-Identifier: MIT */
/* The report of a sweep as a page: one file, no script, nothing outside. */
#include "sweep_html.h"

#include "../base/machine.h"
#include "../evaluation/confusions.h"
#include "../plots/markup.h"
#include "../plots/page.h"
#include "../plots/plot.h"
#include "sweep_plots.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL = 128, PAIRS = 12 };

static const char style[] =
    ":root{--mark:#fff2e3}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--mark:#3a2a1c}}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .5rem}\n"
    "small{color:var(--quiet);font-weight:400;font-size:.8125rem}\n"
    "th{font-weight:600}"
    "thead th{vertical-align:bottom;white-space:normal;line-height:1.2;"
    "overflow-wrap:normal}\n"
    "td.text{text-align:left}\n"
    ".group th{padding-top:.9rem}.group span{position:sticky;left:0}\n"
    ".group svg,h4 svg{width:14px;height:14px;vertical-align:-2px;"
    "margin-right:.4rem}\n"
    ".over{text-align:center}h4{font-size:.875rem;margin:.75rem 0 .35rem}\n"
    "tbody th,thead th:first-child{position:sticky;left:0;"
    "background:var(--paper)}\n"
    "th:first-child{padding-left:0}\n"
    "tr:hover>*{background:var(--mark)}\n"
    "figcaption{padding-top:.25rem}\n"
    ".pictures{display:grid;gap:.75rem;grid-template-columns:repeat(6,1fr)}\n"
    "@media(max-width:40rem){.pictures{grid-template-columns:repeat(3,1fr)}}\n"
    ".pictures img{display:block;width:100%;height:auto}\n"
    "dl{margin:.5rem 0}code{font-size:.8125rem}\n"
    ".counts svg{fill:var(--quiet);border-bottom:1px solid var(--line)}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}"
    ".wide{overflow:visible}table{font-size:7.5pt}th,td{padding:.15rem .3rem}"
    "figure,tr,.plots,.pictures{break-inside:avoid}h2,h3,h4,.group"
    "{break-after:avoid}"
    ".pictures{grid-template-columns:repeat(6,1fr)}}\n";

static const report_column columns[] = {
    {"tokens_left", "tokens left", "%.1f"},
    {"gmacs", "GMACs", "%.2f"},
    {"top1", "top\xE2\x80\x91" "1 %", "%.2f"},
    {"top1_interval", "95 %", "%.1f"},
    {"top5", "top\xE2\x80\x91" "5 %", "%.2f"},
    {"real", "ReaL %", "%.2f"},
    {"drop", "drop", "%.2f"},
    {"drop_interval", "95 %", "%.1f"},
    {"agreement", "agree %", "%.1f"},
    {"kl_mean", "KL", "%.4f"},
    {"gained", "gained", NULL},
    {"lost", "lost", NULL},
    {"mcnemar_p", "p", "%.2g"},
    {"ece", "ECE %", "%.1f"},
    {"images_per_second.forward", "images/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
    {"latency.p50", "p50 ms", "%.1f"},
    {"latency.p99", "p99 ms", "%.1f"}
};

/* Of each model, and of them all. */
static const report_column model_facts[] = {
    {"model.name", "model", NULL},
    {"model.family", "family", NULL},
    {"model.parameters", "parameters", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "from", NULL}
};
static const report_column facts[] = {
    {"method", "merging", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"classes_by", "classes by", NULL},
    {"valid_classes", "valid classes", NULL},
    {"real_images", "ReaL images", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "CPU tier", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"seconds.wall", "seconds", "%.1f"}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void tagged(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s>", tag);
    markup_text(out, text);
    fprintf(out, "</%s>", tag);
}

/* ---- the head ------------------------------------------------------------ */

static void write_head(FILE *out, const sweep_models *m, const json_t *sweep)
{
    size_t count = sweep_models_runs(m);

    page_begin(out);
    fputs("Token merging: ", out);
    sweep_title(out, sweep);
    page_style(out);
    fputs(style, out);
    /* A point and its row are marked together. */
    for (size_t i = 0; i < count; i++)
        fprintf(out, "body:has(.p%zu:hover) tr.p%zu>*{background:"
                "var(--mark)}\nbody:has(tr.p%zu:hover) .plot .p%zu .dot"
                "{stroke:#c2500a;stroke-width:4}\n", i, i, i, i);
    fputs("</style></head>\n<body>\n<h1>Token merging: ", out);
    sweep_title(out, sweep);
    fprintf(out, "</h1>\n<p class=\"quiet\">%zu %s on the same %lld images%s"
            "</p>\n", count, m->count > 1 ? "combinations of model and schedule"
                                          : "schedules",
            (long long)json_integer_value(json_object_get(sweep, "images")),
            json_is_true(json_object_get(sweep, "partial"))
            ? ": stopped early, a partial result" : "");
}

/* ---- plots and table ----------------------------------------------------- */

static void write_plots(FILE *out, const sweep_models *m, const json_t *runs)
{
    fputs("<div class=\"plots\">\n", out);
    for (int i = 0; i < SWEEP_PLOTS; i++)
        sweep_plot(out, runs, m->each[0].merging.kind, (enum sweep_plot)i);
    fprintf(out, "</div>\n<p class=\"quiet\">Full points are on the Pareto "
            "front%s: no other schedule%s has both more accuracy and more "
            "speed (or less arithmetic). Bands and bars are the 95 %% interval "
            "(Wilson) of each accuracy taken alone; as all schedules saw the "
            "same images, differences between them are surer than that, as the "
            "table's p says.</p>\n", m->count > 1 ? " of their model" : "",
            m->count > 1 ? " of it" : "");
}

/* What a series is called, with its sign in the plots. */
static void series_name(FILE *out, const char *name, size_t index)
{
    fprintf(out, "<svg class=\"plot\" viewBox=\"-7 -7 14 14\" "
            "aria-hidden=\"true\"><g class=\"many best s%zu\">",
            index % PLOT_COLOURS);
    plot_sign(out, index, 0, 0);
    fputs("</g></svg>", out);
    markup_text(out, name);
}

static int any_has(const json_t *runs, const report_column *column)
{
    char text[CELL] = "";
    const json_t *run;
    size_t i;

    json_array_foreach(runs, i, run) {
        report_text(run, column->path, "%g", text, sizeof(text));
        if (text[0] != '\0')
            return 1;
    }
    return 0;
}

static void table_row(FILE *out, const json_t *runs, size_t i, int kind,
                      const char used[])
{
    const json_t *run = json_array_get(runs, i);
    char text[CELL];

    fprintf(out, "<tr class=\"p%zu\">", i);
    sweep_label(run, kind, text, sizeof(text));
    tagged(out, "th", text);
    for (size_t c = 0; c < COUNT(columns); c++) {
        if (!used[c])
            continue;
        report_text(run, columns[c].path, columns[c].format ?
                    columns[c].format : "%g", text, sizeof(text));
        tagged(out, "td", text);
    }
    fputs("</tr>\n", out);
}

static void write_table(FILE *out, const sweep_models *m, const json_t *runs)
{
    char used[COUNT(columns)];
    int many = sweep_series_count(runs) > 1;
    size_t width = 1, series = 0;
    const char *before = "";

    fputs("<section><h2>Every schedule</h2>\n<div class=\"wide\"><table>"
          "<thead><tr><th>r</th>", out);
    for (size_t c = 0; c < COUNT(columns); c++) {
        used[c] = any_has(runs, &columns[c]) != 0;
        width += used[c] != 0;
        if (used[c])
            tagged(out, "th", columns[c].heading);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const char *name = sweep_series(json_array_get(runs, i));
        if (many && strcmp(name, before) != 0) {
            fprintf(out, "<tr class=\"group\"><th colspan=\"%zu\"><span>",
                    width);
            series_name(out, name, series++);
            fputs("</span></th></tr>\n", out);
        }
        before = name;
        table_row(out, runs, i, m->each[0].merging.kind, used);
    }
    fprintf(out, "</tbody></table></div>\n<p class=\"quiet\">Drop, agreement, "
            "gained, lost and speed-up are against r=0%s: gained images are "
            "right here and wrong there. The drop's 95 %% interval is for "
            "paired answers (Bonett and Price). p is McNemar's, exact: how "
            "likely such a difference is if merging changes nothing. ECE is "
            "the expected calibration error. p50 and p99 are milliseconds of "
            "a batch.</p></section>\n",
            m->count > 1 ? " of the same model" : "");
}

/* ---- confusions ---------------------------------------------------------- */

static void class_cell(FILE *out, const char *tag, const session *s,
                       int32_t index)
{
    const char *name = classes_name(&s->classes, (size_t)index);
    char number[32];

    snprintf(number, sizeof(number), "class %d", index);
    tagged(out, tag, name ? name : number);
}

/* The columns' headings: schedules, below their models if there are several. */
static void confusion_head(FILE *out, const sweep_models *m, const json_t *runs)
{
    const char *rows = m->count > 1 ? " rowspan=\"2\"" : "";
    char label[CELL];

    fprintf(out, "<thead><tr><th%s>class</th><th%s style=\"text-align:left\">"
            "taken for</th>", rows, rows);
    for (size_t i = 0; i < m->count && m->count > 1; i++) {
        fprintf(out, "<th colspan=\"%zu\" class=\"over\">",
                m->s[i].run_count);
        markup_text(out, m->label[i]);
        fputs("</th>", out);
    }
    fputs(m->count > 1 ? "</tr>\n<tr>" : "", out);
    for (size_t i = 0; i < json_array_size(runs); i++) {
        sweep_label(json_array_get(runs, i), m->each[0].merging.kind, label,
                    sizeof(label));
        tagged(out, "th", label);
    }
    fputs("</tr></thead>\n", out);
}

static void write_confusions(FILE *out, const sweep_models *m, const dataset *d,
                             const outcomes *o, const json_t *runs)
{
    const session *s = &m->s[0];
    size_t count;
    confusion *found = confusions_find(o, &d->files, PAIRS, &count);

    if (count == 0) {
        free(found);
        return;
    }
    fputs("<section><h2>Most confused classes</h2>\n<div class=\"wide\">"
          "<table>", out);
    confusion_head(out, m, runs);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < count; i++) {
        fputs("<tr>", out);
        class_cell(out, "th", s, found[i].label);
        fputs("<td class=\"text\">", out);
        class_cell(out, "span", s, found[i].answer);
        fputs("</td>", out);
        for (size_t run = 0; run < json_array_size(runs); run++)
            fprintf(out, "<td>%zu</td>", confusions_count(o,
                    &d->files, run, &found[i]));
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n</section>\n", out);
    free(found);
}

/* ---- how it was measured ------------------------------------------------- */

static void fact(FILE *out, const char *name, const char *text)
{
    tagged(out, "dt", name);
    tagged(out, "dd", text);
    fputc('\n', out);
}

static void write_list(FILE *out, const json_t *object,
                       const report_column *list, size_t count)
{
    char text[1024];

    for (size_t i = 0; i < count; i++) {
        report_text(object, list[i].path, list[i].format ? list[i].format
                    : "%g", text, sizeof(text));
        if (text[0] != '\0')
            fact(out, list[i].heading, text);
    }
}

static void write_facts(FILE *out, const sweep_models *m, const json_t *sweep)
{
    const char *line = m->each[0].command_line;
    const json_t *model, *models = json_object_get(sweep, "models");
    char text[1024];
    time_t now = time(NULL);
    size_t i;

    fputs("<section><h2>How it was measured</h2>\n<dl>\n<dt>command</dt><dd>"
          "<code>tomerge ", out);
    markup_text(out, line ? line : "");
    fputs("</code></dd>\n", out);
    json_array_foreach(models, i, model)
        write_list(out, model, model_facts, COUNT(model_facts));
    write_list(out, sweep, facts, COUNT(facts));
    machine_name(text, sizeof(text));
    fact(out, "machine", text);
    fact(out, "tomerge", tomerge_version_string());
    if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", localtime(&now)) > 0)
        fact(out, "date", text);
    fputs("</dl></section>\n", out);
}

void sweep_html(FILE *out, const sweep_models *m, const dataset *d,
                const outcomes *o, const json_t *sweep)
{
    const json_t *runs = json_object_get(sweep, "runs");

    write_head(out, m, sweep);
    write_plots(out, m, runs);
    write_table(out, m, runs);
    sweep_histograms(out, o, runs, m->each[0].merging.kind);
    sweep_pictures(out, m, d, o, runs);
    write_confusions(out, m, d, o, runs);
    write_facts(out, m, sweep);
    fputs("</body></html>\n", out);
}
