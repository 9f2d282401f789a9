/* SPDX-License-Identifier: MIT */
/* What tune reports. */
#include "tune.h"

#include "base/memory.h"
#include "base/statistics.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

double tune_computed_of(const tune *t, const size_t *r)
{
    merging_run run;

    merging_resolve_layers(&t->merging, t->s->description, "", r, &run);
    double gmacs = run.gmacs_computed;
    merging_run_free(&run);
    return gmacs;
}

void tune_goal_text(const tune *t, char *text, size_t size)
{
    static const char *const before[] = {"at most ", "at least ", "at most "};
    static const char *const after[] = {" points of top-1 lost",
                                        " times as fast", " GMACs"};
    int drift = t->s->options->max_drift >= 0;
    size_t used = (size_t)snprintf(text, size, "%s%g%s",
        before[t->search.goal], drift ? t->s->options->max_drift
                                      : t->search.limit,
        drift ? " of drift" : after[t->search.goal]);

    if (t->search.goal == TUNE_MAX_DROP && t->search.margin > 0 && used < size)
        snprintf(text + used, size - used, " with %g %% confidence",
                 t->s->options->confidence);
}

/* How the schedule fares beside the constant r, on the same images: by how near
 * it leaves their embeddings. */
static void set_drift_verdict(const tune *t, const outcomes *o, json_t *object)
{
    double *nearer = memory_zero(o->images, sizeof(*nearer)), error;
    char text[128];

    for (size_t i = 0; i < o->images; i++)
        nearer[i] = (double)outcomes_at(o, i, 1)->cosine -
                    (double)outcomes_at(o, i, 2)->cosine;
    double mean = statistics_mean(nearer, o->images, &error);
    free(nearer);
    snprintf(text, sizeof(text), "%zu: %s, the cosine differs by %.4f (95 %%: "
             "%.4f to %.4f)", t->constant, mean > 0 ? "better" : "not better",
             mean, mean - TUNE_SPREAD * error, mean + TUNE_SPREAD * error);
    json_object_set_new(object, "beats_constant", json_boolean(mean > 0));
    json_object_set_new(object, "constant_r",
                        json_integer((json_int_t)t->constant));
    json_object_set_new(object, "constant_difference", report_real(mean));
    json_object_set_new(object, "verdict", json_string(text));
}

/* The same by right answers. */
static void set_verdict(const tune *t, const outcomes *o, json_t *object)
{
    const dataset *d = &t->parts[TUNE_HELD_OUT];
    tally beside = outcomes_tally(o, &d->files, &d->real, 1, 2);
    size_t gained = beside.gained, lost = beside.lost;
    double p = statistics_mcnemar(gained, lost);
    char text[128];

    snprintf(text, sizeof(text), "%zu: %s, %zu images gained and %zu lost "
             "(p = %.2g)", t->constant, gained > lost ? "better" : "not better",
             gained, lost, p);
    json_object_set_new(object, "beats_constant",
                        json_boolean(gained > lost));
    json_object_set_new(object, "constant_r",
                        json_integer((json_int_t)t->constant));
    json_object_set_new(object, "constant_p", report_real(p));
    json_object_set_new(object, "verdict", json_string(text));
}

static json_t *calibration_json(const tune *t)
{
    const tune_trial *b = &t->best;

    if (t->by_drift)
        return json_pack("{s:I,s:I,s:o,s:{s:o,s:o},s:o}",
            "images", (json_int_t)b->images, "trials", (json_int_t)t->trials,
            "drift", report_real(b->drop / 100), "drift_interval",
            "low", report_real((b->drop - TUNE_SPREAD * b->error) / 100),
            "high", report_real((b->drop + TUNE_SPREAD * b->error) / 100),
            "speedup", report_real(b->speedup));
    return json_pack("{s:I,s:I,s:o,s:{s:o,s:o},s:o,s:o}",
        "images", (json_int_t)b->images, "trials", (json_int_t)t->trials,
        "drop", report_real(b->drop), "drop_interval",
        "low", report_real(b->drop - TUNE_SPREAD * b->error),
        "high", report_real(b->drop + TUNE_SPREAD * b->error),
        "change", report_real(b->change),
        "speedup", report_real(b->speedup));
}

json_t *tune_json(const tune *t, const outcomes *o)
{
    static const char *const shared[] = {
        "images", "refused", "method", "dtype", "cpu", "threads", "batch",
        "model", "preprocessing", "classes_by", "valid_classes"
    };
    json_t *object = json_object(), *runs = json_array(), *r = json_array();
    char goal[64];

    for (size_t i = 0; i < t->s->run_count; i++) {
        json_t *run = dataset_run_json(&t->parts[TUNE_HELD_OUT], t->s, o, i);
        if (!t->by_drift)
            json_object_del(run, "drift");
        json_array_append_new(runs, run);
    }
    for (size_t i = 0; i < COUNT(shared); i++) {
        json_t *value = json_object_get(json_array_get(runs, 0), shared[i]);
        if (value)
            json_object_set(object, shared[i], value);
    }
    for (size_t i = 0; i < t->search.depth; i++)
        json_array_append_new(r, json_integer((json_int_t)t->best.r[i]));
    tune_goal_text(t, goal, sizeof(goal));
    json_object_set_new(object, "goal", json_string(goal));
    json_object_set_new(object, "schedule", r);
    if (t->bounds || t->merging.options)
        json_object_set_new(object, "method_options", json_string(
            t->bounds ? t->bounds : t->merging.options));
    if (t->methods)
        json_object_set(object, "methods", t->methods);
    json_object_set(object, "gmacs",
                    json_object_get(json_array_get(runs, 1), "gmacs"));
    json_object_set_new(object, "gmacs_computed",
                        report_real(tune_computed_of(t, t->best.r)));
    json_object_set_new(object, "calibration", calibration_json(t));
    if (t->by_drift)
        set_drift_verdict(t, o, object);
    else
        set_verdict(t, o, object);
    json_object_set_new(object, "runs", runs);
    return object;
}
