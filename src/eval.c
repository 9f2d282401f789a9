/* SPDX-License-Identifier: MIT */
/* tomerge eval: accuracy and speed on a folder, one way to merge. */
#include "commands.h"

#include "base/message.h"
#include "evaluation/class_tables.h"
#include "evaluation/dataset.h"
#include "evaluation/predictions.h"

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"schedule", "  r", NULL},
    {"tokens", "  tokens left", "%.1f"},
    {"merge_ratio", "  merge ratio", "%.3f"},
    {"gmacs", "GMACs", "%.2f"},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"ranks", "ranks", NULL},
    {"batch", "batch", NULL},
    {"classes_by", "classes by", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"valid_classes", "valid classes", NULL},
    {"top1", "top-1 %", "%.2f"},
    {"top1_interval", "  95 %", "%.2f"},
    {"top5", "top-5 %", "%.2f"},
    {"top5_interval", "  95 %", "%.2f"},
    {"real", "ReaL %", "%.2f"},
    {"real_interval", "  95 %", "%.2f"},
    {"real_images", "  images", NULL},
    {"ece", "ECE %", "%.2f"},
    {"latency.p50", "ms a batch", "%.1f (p50)"},
    {"latency.p90", "", "%.1f (p90)"},
    {"latency.p99", "", "%.1f (p99)"},
    {"images_per_second.forward", "images/s", "%.1f (forward)"},
    {"images_per_second.total", "", "%.1f (with decoding)"},
    {"seconds.wall", "seconds", "%.2f"},
    {"seconds.forward", "  forward", "%.2f"},
    {"seconds.decode", "  decode", "%.2f (sum over threads)"},
    {"seconds.preprocess", "  preprocess", "%.2f (sum over threads)"}
};

static const report_column columns[] = {
    {"model.file", NULL, NULL},
    {"schedule", NULL, NULL},
    {"method", NULL, NULL},
    {"images", NULL, NULL},
    {"refused", NULL, NULL},
    {"top1", NULL, NULL},
    {"top5", NULL, NULL},
    {"r", NULL, NULL},
    {"merge_ratio", NULL, NULL},
    {"tokens", NULL, NULL},
    {"gmacs", NULL, NULL},
    {"dtype", NULL, NULL},
    {"cpu", NULL, NULL},
    {"threads", NULL, NULL},
    {"batch", NULL, NULL},
    {"images_per_second.forward", NULL, NULL},
    {"images_per_second.total", NULL, NULL},
    {"seconds.wall", NULL, NULL},
    {"seconds.decode", NULL, NULL},
    {"seconds.preprocess", NULL, NULL},
    {"seconds.forward", NULL, NULL},
    {"preprocessing.chain", NULL, NULL},
    {"preprocessing.source", NULL, NULL},
    {"partial", NULL, NULL},
    {"top1_interval.low", NULL, NULL},
    {"top1_interval.high", NULL, NULL},
    {"top5_interval.low", NULL, NULL},
    {"top5_interval.high", NULL, NULL},
    {"real", NULL, NULL},
    {"real_interval.low", NULL, NULL},
    {"real_interval.high", NULL, NULL},
    {"real_images", NULL, NULL},
    {"ece", NULL, NULL},
    {"latency.p50", NULL, NULL},
    {"latency.p90", NULL, NULL},
    {"latency.p99", NULL, NULL},
    {"valid_classes", NULL, NULL},
    {"gmacs_least", NULL, NULL},
    {"gmacs_most", NULL, NULL},
    {"tokens_least", NULL, NULL},
    {"tokens_most", NULL, NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void seen(void *data, size_t run, const folder_file *file,
                 const top_class *top)
{
    output *predictions = data;

    (void)run;
    if (predictions->file)
        predictions_line(predictions->file, file->name, file->label, top);
}

static void report(session *s, const dataset *d, const outcomes *o)
{
    json_t *object = dataset_run_json(d, s, o, 0);
    json_t *rows = json_pack("[O]", object);
    session_report report = {object, rows, list, columns, COUNT(list),
                             COUNT(columns), 0, NULL, 0, NULL};

    session_write(s, &report);
    dataset_remark(d, o);
    json_decref(rows);
    json_decref(object);
}

static void evaluate_and_report(session *s, dataset *d)
{
    outcomes o;
    output predictions;
    class_tables tables;

    if (class_tables_open(&tables, s->options) != 0)
        return;
    if (output_open(&predictions, s->options->predictions) != 0) {
        class_tables_close(&tables, d, s, 1, NULL);
        return;
    }
    if (predictions.file)
        predictions_header(predictions.file);
    int done = dataset_evaluate(d, s, 1, &o, seen, &predictions) == 0;
    s->worth = done ? dataset_worth(&o) : OUTPUT_FAILED;
    output_end(&predictions, s->worth);
    class_tables_close(&tables, d, s, 1, done ? &o : NULL);
    if (done)
        report(s, d, &o);
    outcomes_free(&o);
}

void command_eval(const options *o)
{
    session s;
    dataset d;

    if (session_open(&s, o) == 0 && dataset_open(&d, &s) == 0) {
        evaluate_and_report(&s, &d);
        dataset_close(&d);
    }
    session_close(&s);
}
