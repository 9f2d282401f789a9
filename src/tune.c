/* SPDX-License-Identifier: MIT */
/* tomerge tune: a schedule for a model, found on one half of a folder and
 * reported on the other. */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/statistics.h"
#include "session/schedule_file.h"
#include "tune.h"
#include "tune_bounds.h"
#include "tune_journal.h"
#include "tune_methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"goal", "goal", NULL},
    {"schedule", "schedule", NULL},
    {"method_options", "  of the mean by", NULL},
    {"gmacs", "GMACs", "%.2f"},
    {"gmacs_computed", "  computed", "%.2f"},
    {"calibration.images", "found on images", NULL},
    {"calibration.trials", "  schedules tried", NULL},
    {"calibration.drop", "  drop, estimated", "%.2f"},
    {"calibration.drop_interval", "  95 %", "%.2f"},
    {"calibration.change", "  change of answers", "%.2f"},
    {"calibration.drift", "  drift, estimated", "%.4f"},
    {"calibration.drift_interval", "  95 %", "%.4f"},
    {"calibration.speedup", "  speed-up", "%.2f"},
    {"images", "reported on", NULL},
    {"refused", "refused", NULL},
    {"verdict", "beside r", NULL}
};

static const report_column columns[] = {
    {"schedule", "schedule", NULL},
    {"tokens_left", "tokens", "%.1f"},
    {"gmacs", "GMACs", "%.2f"},
    {"top1", "top-1 %", "%.2f"},
    {"top1_interval", "95 %", "%.1f"},
    {"drop", "drop", "%.2f"},
    {"drop_interval", "95 %", "%.1f"},
    {"images_per_second.forward", "images/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
    {"drift.cosine", "cosine", "%.4f"},
    {"drift.cosine_p1", NULL, NULL},
    {"agreement", NULL, NULL},
    {"kl_mean", NULL, NULL},
    {"kl_median", NULL, NULL},
    {"r", NULL, NULL},
    {"images", NULL, NULL},
    {"gained", NULL, NULL},
    {"lost", NULL, NULL},
    {"mcnemar_p", NULL, NULL},
    {"drop_interval.low", NULL, NULL},
    {"drop_interval.high", NULL, NULL},
    {"top1_interval.low", NULL, NULL},
    {"top1_interval.high", NULL, NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the images ---------------------------------------------------------- */

/* Every other file is for calibration, so that both parts have all classes. */
static int split(tune *t, const dataset *all)
{
    for (int p = 0; p < TUNE_PARTS; p++) {
        dataset *part = &t->parts[p];
        *part = *all;
        part->files.files = memory_zero(all->files.count,
                                        sizeof(*part->files.files));
        part->files.count = 0;
        part->keeps = p == TUNE_CALIBRATION;
        part->unread = p == TUNE_HELD_OUT ? all->unread : 0;
        for (size_t i = (size_t)p; i < all->files.count; i += TUNE_PARTS)
            part->files.files[part->files.count++] = all->files.files[i];
    }
    if (all->files.count >= TUNE_PARTS)
        return 0;
    message_failed("%zu image: one part to search on and one to report on "
                   "need two or more", all->files.count);
    return -1;
}

/* ---- arithmetic ---------------------------------------------------------- */

/* A run of a schedule, which becomes one that leaves the head something to
 * read. */
static void resolve(const tune *t, size_t *r, merging_run *run)
{
    const tomevit_description *d = t->s->description;
    size_t most = d->tokens - d->prefix - 1;

    if (merging_resolve_layers(&t->merging, d, "", r, run) == 0)
        return;
    merging_run_free(run);
    for (size_t i = 0; i < d->depth; most -= r[i++])
        r[i] = r[i] < most ? r[i] : most;
    merging_resolve_layers(&t->merging, d, "", r, run);
}

/* What is computed for a schedule; for --target-gmacs what is published for it,
 * as in the reports. Where nothing reads what the last layer merges, that would
 * be arithmetic saved on paper, so nothing merges there. */
static double gmacs_of(void *data, size_t *r)
{
    const tune *t = data;
    const tomevit_description *d = t->s->description;
    size_t last = d->depth - 1;
    size_t *gone = memory_zero(d->depth, sizeof(*gone));
    merging_run run, same;

    if (tomevit_macs_unread(d, d->tokens, d->tokens) > 0)
        r[last] = 0;
    resolve(t, r, &run);
    double gmacs = t->search.goal == TUNE_TARGET_GMACS ? run.gmacs
                                                       : run.gmacs_computed;
    for (size_t i = 0; i < d->depth; i++)
        gone[i] = (i > 0 ? run.tokens[i - 1] : d->tokens) - run.tokens[i];
    /* Where r of these would be fewer, as of atc, r stays what it was. */
    merging_resolve_layers(&t->merging, d, "", gone, &same);
    if (memcmp(run.tokens, same.tokens, d->depth * sizeof(*gone)) == 0)
        memcpy(r, gone, d->depth * sizeof(*gone));
    merging_run_free(&run);
    merging_run_free(&same);
    free(gone);
    return gmacs;
}

static void said(void *data, const char *step, const tune_trial *best)
{
    const tune *t = data;

    if (t->by_drift)
        message_note("%s: %.2f GMACs, drift %.4f (95 %%: %.4f to %.4f); %zu "
                     "tried", step, best->gmacs, best->drop / 100,
                     (best->drop - TUNE_SPREAD * best->error) / 100,
                     (best->drop + TUNE_SPREAD * best->error) / 100, t->trials);
    else
        message_note("%s: %.2f GMACs, drop %.2f (95 %%: %.2f to %.2f), change "
                 "%.2f; %zu tried", step, best->gmacs, best->drop,
                 best->drop - TUNE_SPREAD * best->error,
                 best->drop + TUNE_SPREAD * best->error, best->change,
                 t->trials);
}

/* ---- searching ----------------------------------------------------------- */

/* The constant r for which about as much is computed. */
static size_t nearest_constant(const tune *t)
{
    size_t depth = t->search.depth, nearest = 0;
    size_t *r = memory_zero(depth, sizeof(*r));
    double least = HUGE_VAL, wanted = tune_computed_of(t, t->best.r);

    for (size_t value = 0; value < t->search.tokens; value++) {
        for (size_t i = 0; i < depth; i++)
            r[i] = value;
        double off = fabs(tune_computed_of(t, r) - wanted);
        if (off < least) {
            least = off;
            nearest = value;
        }
    }
    free(r);
    return nearest;
}

static void set_goal(tune *t)
{
    const options *o = t->s->options;
    tune_search *search = &t->search;

    /* A bound on drift is one on what is lost, in other units. */
    t->by_drift = o->max_drift >= 0 || t->s->classes.count == 0;
    search->goal = o->max_drop >= 0 || o->max_drift >= 0 ? TUNE_MAX_DROP
        : o->min_speedup >= 0 ? TUNE_MIN_SPEEDUP : TUNE_TARGET_GMACS;
    search->limit = o->max_drop >= 0 ? o->max_drop
        : o->max_drift >= 0 ? 100 * o->max_drift
        : o->min_speedup >= 0 ? o->min_speedup : o->target_gmacs;
    search->depth = t->s->description->depth;
    search->tokens = t->s->description->tokens;
    search->rounds = o->rounds;
    search->images = t->parts[TUNE_CALIBRATION].files.count;
    search->margin = statistics_normal(o->confidence / 100);
    search->gmacs = gmacs_of;
    search->measure = tune_measure;
    search->said = said;
    search->data = t;
}

/* Of one method. */
static int search_one(tune *t)
{
    int found;

    if (tune_goes_by_bounds(t) && t->search.goal == TUNE_TARGET_GMACS)
        found = tune_search_bounds(t);
    else
        found = tune_search_run(&t->search, &t->best);
    if (found > 0 && tune_goes_by_bounds(t) && !t->bounds)
        found = tune_find_bounds(t) == 0 ? 1 : -1;
    return found;
}

static int search(tune *t)
{
    char goal[64];
    int found = tune_has_methods(t) ? tune_over_methods(t, search_one)
                                    : search_one(t);

    if (found > 0)
        return 0;
    tune_goal_text(t, goal, sizeof(goal));
    if (found == 0)
        message_failed("no schedule is %s", goal);
    return -1;
}

/* ---- reporting ----------------------------------------------------------- */

static void write_schedule(tune *t)
{
    char comment[512], goal[64];

    if (!t->file.file)
        return;
    tune_goal_text(t, goal, sizeof(goal));
    snprintf(comment, sizeof(comment), "%s of each layer of %.200s: %s%s; "
             "for --%s @FILE", t->bounds ? "threshold" : "r",
             t->s->options->model, goal,
             t->stopped ? ", as far as the search went" : "",
             tune_has_methods(t) ? "method"
             : t->bounds ? "method upward --method-options" : "schedule");
    if (tune_has_methods(t))
        tune_methods_write(t, t->file.file, comment);
    else if (t->bounds)
        schedule_file_text(t->file.file, comment, t->bounds);
    else
        schedule_file_write(t->file.file, comment, t->best.r,
                            t->search.depth);
    t->written = 1;
}

/* What was found until a signal came is not lost. */
static void remark_stopped(tune *t)
{
    char *text = NULL;
    size_t size;

    if (t->best.images == 0 || tune_has_methods(t)) {
        message_failed("stopped: there is no schedule yet%s",
                       tune_has_methods(t) ? " that is the best of all methods"
                                           : "");
        return;
    }
    FILE *out = open_memstream(&text, &size);
    if (out && t->bounds)
        fputs(t->bounds, out);
    for (size_t i = 0; out && !t->bounds && i < t->search.depth; i++)
        fprintf(out, "%s%zu", i ? "," : "", t->best.r[i]);
    if (out && fclose(out) == 0)
        message_refused("stopped, with nothing reported: the best of %zu "
                        "schedules is %s", t->trials, text);
    free(text);
    if (t->bounds) /* a file would not say that they meet no target yet */
        message_note("nothing is written: thresholds meet their target only "
                     "when the search ends");
    else
        write_schedule(t);
}

static void report(tune *t)
{
    session *s = t->s;
    size_t *r = memory_zero(t->search.depth, sizeof(*r));
    char label[32];
    outcomes o;

    t->constant = nearest_constant(t);
    for (size_t i = 0; i < t->search.depth; i++)
        r[i] = t->constant;
    snprintf(label, sizeof(label), "r=%zu", t->constant);
    tune_begin_runs(t, 2);
    if (t->bounds)
        tune_add_bounds(t);
    else
        tune_add_run(t, "tuned", t->best.r);
    tune_add_run(t, label, r);
    free(r);
    if (tune_evaluate(t, TUNE_HELD_OUT, &o) == 0) {
        json_t *object = tune_json(t, &o);
        session_report written = {
            object, json_object_get(object, "runs"), list, columns,
            COUNT(list), COUNT(columns), 1, NULL, 0, NULL
        };
        write_schedule(t);
        session_write(s, &written);
        json_decref(object);
    }
    outcomes_free(&o);
}

static void search_and_report(tune *t)
{
    tune_trial_begin(&t->best, t->search.depth, t->search.images);
    if (search(t) == 0)
        report(t);
    if (t->stopped)
        remark_stopped(t);
}

/* 0 with nothing open if no journal is wanted. */
static int open_journal(tune *t, const dataset *all)
{
    if (!t->s->options->resume)
        return 0;
    if (tune_journal_open(&t->journal, all, t->s) != 0)
        return -1;
    for (int p = 0; p < TUNE_PARTS; p++)
        t->parts[p].journal = &t->journal;
    return 0;
}

static void tune_parts(session *s, dataset *all)
{
    tune t;

    memset(&t, 0, sizeof(t));
    t.s = s;
    t.merging = merging_of_method(&s->options->merging, 0);
    if (split(&t, all) == 0 &&
        output_open(&t.file, s->options->output) == 0) {
        set_goal(&t);
        if (open_journal(&t, all) == 0)
            search_and_report(&t);
        if (t.parts[0].journal)
            journal_close(&t.journal);
        output_end(&t.file, t.written ? OUTPUT_WHOLE : OUTPUT_FAILED);
    }
    for (size_t p = 0; p < TUNE_PARTS; p++) {
        dataset_drop_crops(&t.parts[p]);
        free(t.parts[p].files.files);
    }
    tune_trial_end(&t.best);
    free(t.bounds);
    json_decref(t.methods);
}

void command_tune(const options *o)
{
    session s;
    dataset d;

    if (session_open(&s, o) == 0 && dataset_open(&d, &s) == 0) {
        tune_parts(&s, &d);
        dataset_close(&d);
    }
    session_close(&s);
}
