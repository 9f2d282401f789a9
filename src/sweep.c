/* SPDX-License-Identifier: MIT */
/* tomerge sweep: what merging costs and buys, in one table. */
#include "commands.h"

#include "base/message.h"
#include "evaluation/class_tables.h"
#include "evaluation/dataset.h"
#include "session/options_files.h"
#include "sweep/sweep_budget.h"
#include "sweep/sweep_html.h"
#include "sweep/sweep_models.h"
#include "sweep/sweep_plots.h"

#include <string.h>

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"ranks", "ranks", NULL},
    {"batch", "batch", NULL},
    {"classes_by", "classes by", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"seconds.wall", "seconds", "%.2f"},
    {"seconds.decode", "  decode", "%.2f (sum over threads)"},
    {"seconds.preprocess", "  preprocess", "%.2f (sum over threads)"}
};

static const report_column columns[] = {
    {"schedule", "r", NULL},
    {"tokens_left", "tokens", "%.1f"},
    {"gmacs", "GMACs", "%.2f"},
    {"top1", "top-1 %", "%.2f"},
    {"top1_interval", "95 %", "%.1f"},
    {"top5", "top-5 %", "%.2f"},
    {"drop", "drop", "%.2f"},
    {"images_per_second.forward", "images/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
    {"agreement", NULL, NULL},
    {"method", NULL, NULL},
    {"images", NULL, NULL},
    {"refused", NULL, NULL},
    {"r", NULL, NULL},
    {"merge_ratio", NULL, NULL},
    {"tokens", NULL, NULL},
    {"dtype", NULL, NULL},
    {"cpu", NULL, NULL},
    {"threads", NULL, NULL},
    {"batch", NULL, NULL},
    {"images_per_second.total", NULL, NULL},
    {"seconds.wall", NULL, NULL},
    {"seconds.decode", NULL, NULL},
    {"seconds.preprocess", NULL, NULL},
    {"seconds.forward", NULL, NULL},
    {"partial", NULL, NULL},
    {"top1_interval.low", NULL, NULL},
    {"top1_interval.high", NULL, NULL},
    {"top5_interval.low", NULL, NULL},
    {"top5_interval.high", NULL, NULL},
    {"gained", NULL, NULL},
    {"lost", NULL, NULL},
    {"mcnemar_p", NULL, NULL},
    {"drop_interval.low", NULL, NULL},
    {"drop_interval.high", NULL, NULL},
    {"real", NULL, NULL},
    {"real_interval.low", NULL, NULL},
    {"real_interval.high", NULL, NULL},
    {"real_images", NULL, NULL},
    {"ece", NULL, NULL},
    {"latency.p50", NULL, NULL},
    {"latency.p90", NULL, NULL},
    {"latency.p99", NULL, NULL},
    {"valid_classes", NULL, NULL},
    {"model.label", NULL, NULL},
    {"model.file", NULL, NULL},
    {"gmacs_least", NULL, NULL},
    {"gmacs_most", NULL, NULL},
    {"tokens_least", NULL, NULL},
    {"tokens_most", NULL, NULL},
    {"series", NULL, NULL},
    {"method_options", NULL, NULL},
    {"budget", NULL, NULL},
    {"kl_mean", NULL, NULL},
    {"kl_median", NULL, NULL},
    {"drift.cosine", NULL, NULL},
    {"drift.cosine_p1", NULL, NULL},
    {"drift.neighbours", NULL, NULL},
    {"drift.neighbours_images", NULL, NULL}
};

/* A second table of the same rows: each against r=0, image by image, and
 * what else is known of it. */
static const report_column comparison[] = {
    {"schedule", "r", NULL},
    {"drop_interval", "drop, 95 %", "%.1f"},
    {"agreement", "agree %", "%.2f"},
    {"kl_mean", "KL", "%.4f"},
    {"gained", "gained", NULL},
    {"lost", "lost", NULL},
    {"mcnemar_p", "p", "%.2g"},
    {"real", "ReaL %", "%.2f"},
    {"ece", "ECE %", "%.2f"},
    {"latency.p50", "p50 ms", "%.1f"},
    {"latency.p99", "p99 ms", "%.1f"}
};

/* A third: how far embeddings are from those of r=0. */
static const report_column drifts[] = {
    {"schedule", "r", NULL},
    {"drift.cosine", "cosine", "%.4f"},
    {"drift.cosine_p1", "1st percentile", "%.4f"},
    {"drift.neighbours", "10 nearest kept %", "%.1f"},
    {"drift.neighbours_images", "of images", NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is said of each of several models. */
static const report_column model_list_columns[] = {
    {"model.label", "model", NULL},
    {"model.file", "  file", NULL},
    {"preprocessing.chain", "  preprocessing", NULL},
    {"preprocessing.source", "    from", NULL}
};

/* What all runs share, taken from the first. */
static void set_shared(json_t *object, const json_t *first, int one_model)
{
    static const char *const shared[] = {
        "images", "refused", "dtype", "cpu", "threads", "ranks",
        "batch", "classes_by", "valid_classes", "real_images", "partial",
        "model", "preprocessing"
    };
    size_t count = COUNT(shared) - (one_model ? 0 : 2);

    for (size_t i = 0; i < count; i++)
        if (json_object_get(first, shared[i]))
            json_object_set(object, shared[i],
                            json_object_get(first, shared[i]));
    if (!json_object_get(first, "series")) /* else each has its own */
        json_object_set(object, "method", json_object_get(first, "method"));
}

/* Methods of several models are series of their own. */
static void name_series(json_t *run, const sweep_models *m, size_t model)
{
    const char *series = json_string_value(json_object_get(run, "series"));
    char text[160];

    if (!series || m->count == 1)
        return;
    snprintf(text, sizeof(text), "%s, %s", m->label[model], series);
    json_object_set_new(run, "series", report_string(text));
}

/* The runs of all models, and the models. */
static json_t *sweep_json(const dataset *d, const sweep_models *m,
                          const outcomes *o)
{
    json_t *runs = json_array(), *models = json_array(), *object;

    for (size_t k = 0; k < m->count; k++) {
        const session *s = &m->s[k];
        json_t *run = NULL;
        for (size_t i = 0; i < s->run_count; i++) {
            run = dataset_run_json(d, s, o, i);
            json_object_set_new(json_object_get(run, "model"), "label",
                                report_string(m->label[k]));
            name_series(run, m, k);
            json_array_append_new(runs, run);
        }
        json_array_append_new(models, json_pack("{s:O,s:O}",
            "model", json_object_get(run, "model"),
            "preprocessing", json_object_get(run, "preprocessing")));
    }
    object = json_object();
    set_shared(object, json_array_get(runs, 0), m->count == 1);
    json_object_set_new(object, "seconds", json_pack("{s:o,s:o,s:o}",
        "wall", report_real(o->wall), "decode", report_real(o->decode),
        "preprocess", report_real(o->preprocess)));
    json_object_set_new(object, "models", models);
    json_object_set_new(object, "runs", runs);
    return object;
}

/* The files besides JSON and CSV. */
typedef struct sweep_files {
    class_tables tables;
    output svg, html;
} sweep_files;

static int open_files(sweep_files *f, const options *o)
{
    memset(f, 0, sizeof(*f));
    if (output_open(&f->svg, o->svg) != 0 ||
        output_open(&f->html, o->html) != 0)
        return -1;
    return class_tables_open(&f->tables, o);
}

/* `sweep` is NULL if there is nothing to report. */
static void close_files(sweep_files *f, const sweep_models *m, const dataset *d,
                        const outcomes *o, const json_t *sweep)
{
    if (sweep && f->svg.file)
        sweep_svg(f->svg.file, sweep, m->each[0].merging.kind);
    if (sweep && f->html.file)
        sweep_html(f->html.file, m, d, o, sweep);
    int worth = sweep ? dataset_worth(o) : OUTPUT_FAILED;
    output_end(&f->svg, worth);
    output_end(&f->html, worth);
    class_tables_close(&f->tables, d, m->s, m->count, sweep ? o : NULL);
}

static void report(sweep_models *m, const json_t *object)
{
    const json_t *model, *models = json_object_get(object, "models");
    session_report written = {
        object, json_object_get(object, "runs"), list, columns, COUNT(list),
        COUNT(columns), 1, comparison, COUNT(comparison),
        m->each[0].merging.method_count > 1 ? "series"
            : m->count > 1 ? "model.label" : NULL
    };
    size_t i;

    if (m->count > 1 && !options_use_stdout(&m->each[0]))
        json_array_foreach(models, i, model)
            report_list(stdout, model_list_columns, COUNT(model_list_columns),
                        model);
    session_write(&m->s[0], &written);
    if (options_use_stdout(&m->each[0]))
        return;
    putchar('\n');
    report_table(stdout, drifts, COUNT(drifts), written.rows, written.group);
    output_flush_people();
}

static void evaluate_and_report(sweep_models *m, dataset *d)
{
    json_t *object = NULL;
    sweep_files files;
    outcomes o;

    memset(&o, 0, sizeof(o));
    if (open_files(&files, &m->each[0]) == 0 && sweep_budget_meet(m, d) == 0 &&
        dataset_evaluate(d, m->s, m->count, &o, NULL, NULL) == 0)
        object = sweep_json(d, m, &o);
    m->s[0].worth = dataset_worth(&o);
    close_files(&files, m, d, &o, object);
    if (object) {
        report(m, object);
        dataset_remark(d, &o);
        json_decref(object);
    }
    outcomes_free(&o);
}

void command_sweep(const options *o)
{
    sweep_models m;
    dataset d;

    if (sweep_models_open(&m, o) == 0 && dataset_open(&d, &m.s[0]) == 0) {
        evaluate_and_report(&m, &d);
        dataset_close(&d);
    }
    sweep_models_close(&m);
}
