/* SPDX-License-Identifier: MIT */
/* tomerge sweep: what merging costs and buys, in one table. */
#include "commands.h"

#include "dataset.h"
#include "message.h"

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
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
    {"tokens_left", "tokens left", NULL},
    {"gmacs", "GMACs", "%.2f"},
    {"top1", "top-1 %", "%.2f"},
    {"top5", "top-5 %", "%.2f"},
    {"drop", "drop", "%.2f"},
    {"agreement", "agree %", "%.2f"},
    {"images_per_second.forward", "images/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
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
    {"partial", NULL, NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What all runs share, taken from the first, and the runs. */
static json_t *sweep_json(const dataset *d, const session *s,
                          const evaluation *e)
{
    static const char *const shared[] = {
        "images", "refused", "method", "dtype", "cpu", "threads", "batch",
        "model", "preprocessing", "classes_by", "partial"
    };
    json_t *runs = json_array(), *object = json_object();

    for (size_t i = 0; i < s->run_count; i++)
        json_array_append_new(runs, dataset_run_json(d, s, e, i));
    const json_t *first = json_array_get(runs, 0);
    for (size_t i = 0; i < COUNT(shared); i++)
        json_object_set(object, shared[i],
                        json_object_get(first, shared[i]));
    json_object_set_new(object, "seconds", json_pack("{s:f,s:f,s:f}",
        "wall", e->wall, "decode", e->decode, "preprocess", e->preprocess));
    json_object_set_new(object, "runs", runs);
    return object;
}

static void evaluate_and_report(session *s, dataset *d)
{
    evaluation e;

    if (dataset_evaluate(d, s, &e, NULL, NULL) == 0) {
        json_t *object = sweep_json(d, s, &e);
        session_report report = {object, json_object_get(object, "runs"),
                                 list, columns, COUNT(list), COUNT(columns),
                                 1};
        session_write(s, &report);
        dataset_remark(d, &e);
        json_decref(object);
    }
    evaluate_free(&e);
}

void command_sweep(const options *o)
{
    session s;
    dataset d;

    if (session_open(&s, o) == 0 && dataset_open(&d, &s) == 0) {
        session_need_reference(&s);
        evaluate_and_report(&s, &d);
        dataset_close(&d);
    }
    session_close(&s);
}
