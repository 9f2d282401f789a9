/* SPDX-License-Identifier: MIT */
/* tomerge tune: a schedule for a model, found on one half of a folder and
 * reported on the other. */
#include "commands.h"

#include "dataset.h"
#include "memory.h"
#include "message.h"
#include "schedule_file.h"
#include "tune_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALIBRATION, HELD_OUT, PARTS };

typedef struct tune {
    session *s;
    dataset parts[PARTS];  /* their files are those of `all` */
    tune_search search;
    tune_trial best;
    size_t constant;       /* r of the constant schedule to compare with */
    output file;
} tune;

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"goal", "goal", NULL},
    {"schedule", "schedule", NULL},
    {"calibration.images", "found on", "%g"},
    {"calibration.drop", "  drop", "%.2f"},
    {"calibration.speedup", "  speed-up", "%.2f"},
    {"images", "reported on", NULL},
    {"refused", "refused", NULL},
    {"verdict", "beside r", NULL}
};

static const report_column columns[] = {
    {"schedule", "schedule", NULL},
    {"tokens_left", "tokens", NULL},
    {"gmacs", "GMACs", "%.2f"},
    {"top1", "top-1 %", "%.2f"},
    {"top1_interval", "95 %", "%.1f"},
    {"drop", "drop", "%.2f"},
    {"agreement", "agree %", "%.2f"},
    {"images_per_second.forward", "images/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
    {"r", NULL, NULL},
    {"images", NULL, NULL},
    {"gained", NULL, NULL},
    {"lost", NULL, NULL},
    {"mcnemar_p", NULL, NULL},
    {"top1_interval.low", NULL, NULL},
    {"top1_interval.high", NULL, NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the images -------------------------------------------------------------------- */

/* Every other file is for calibration, so that both parts have all classes. */
static int split(tune *t, const dataset *all)
{
    for (int p = 0; p < PARTS; p++) {
        dataset *part = &t->parts[p];
        *part = *all;
        part->files.files = memory_zero(all->files.count,
                                        sizeof(*part->files.files));
        part->files.count = 0;
        part->unread = p == HELD_OUT ? all->unread : 0;
        for (size_t i = (size_t)p; i < all->files.count; i += PARTS)
            part->files.files[part->files.count++] = all->files.files[i];
    }
    if (all->files.count >= PARTS)
        return 0;
    message_failed("%zu image: one part to search on and one to report on "
                   "need two or more", all->files.count);
    return -1;
}

/* ---- measuring --------------------------------------------------------------------- */

static void clear_runs(session *s)
{
    for (size_t i = 0; i < s->run_count; i++)
        merging_run_free(&s->runs[i]);
    free(s->runs);
    s->runs = NULL;
    s->run_count = s->reference = 0;
}

static void add_run(session *s, const char *label, const size_t *r)
{
    merging_run *run = &s->runs[s->run_count++];

    merging_resolve_layers(&s->options->merging, s->description, label, r, run);
}

/* The session's runs become r=0 and room for `count`. */
static void begin_runs(session *s, size_t count)
{
    clear_runs(s);
    s->runs = memory_zero(count + 1, sizeof(*s->runs));
    add_run(s, "0", NULL);
}

static int evaluate_part(tune *t, int part, evaluation *e)
{
    if (dataset_evaluate(&t->parts[part], t->s, e, NULL, NULL) != 0)
        return -1;
    if (e->partial)
        message_failed("stopped: there is no schedule");
    else if (e->outcomes.images == 0)
        message_failed("none of the %zu images could be used",
                       t->parts[part].files.count);
    return e->partial || e->outcomes.images == 0 ? -1 : 0;
}

/* Files that were refused are named once and left out from then on. */
static void leave_out_refused(dataset *part, const evaluation *e)
{
    const outcomes *o = &e->outcomes;

    for (size_t i = 0; i < o->images; i++)
        part->files.files[i] = part->files.files[o->file[i]];
    part->files.count = o->images;
}

static int measure(void *data, tune_trial *trials, size_t count)
{
    tune *t = data;
    session *s = t->s;
    evaluation e;

    begin_runs(s, count);
    for (size_t i = 0; i < count; i++)
        add_run(s, "trial", trials[i].r);
    int result = evaluate_part(t, CALIBRATION, &e);
    const dataset *part = &t->parts[CALIBRATION];
    tally base = dataset_tally(part, s, &e, 0);
    for (size_t i = 0; i < count && result == 0; i++) {
        tally tried = dataset_tally(part, s, &e, i + 1);
        trials[i].correct = tried.correct1;
        trials[i].agree = tried.agree;
        trials[i].drop = 100 * ((double)base.correct1 -
                                (double)tried.correct1) / (double)base.images;
        trials[i].speedup = base.forward / tried.forward;
    }
    if (result == 0)
        leave_out_refused(&t->parts[CALIBRATION], &e);
    evaluate_free(&e);
    return result;
}

static double gmacs_of(void *data, size_t *r)
{
    const tune *t = data;
    const tomevit_description *d = t->s->description;
    merging_run run;

    merging_resolve_layers(&t->s->options->merging, d, "", r, &run);
    double gmacs = run.gmacs;
    for (size_t i = 0; i < d->depth; i++)
        r[i] = (i > 0 ? run.tokens[i - 1] : d->tokens) - run.tokens[i];
    merging_run_free(&run);
    return gmacs;
}

/* ---- searching --------------------------------------------------------------------- */

/* The constant r with the arithmetic that is nearest. */
static size_t nearest_constant(tune *t)
{
    size_t depth = t->search.depth, nearest = 0;
    size_t *r = memory_zero(depth, sizeof(*r));
    double least = INFINITY;

    for (size_t value = 0; value < t->search.tokens; value++) {
        for (size_t i = 0; i < depth; i++)
            r[i] = value;
        double off = fabs(gmacs_of(t, r) - t->best.gmacs);
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

    search->goal = o->max_drop >= 0 ? TUNE_MAX_DROP
        : o->min_speedup >= 0 ? TUNE_MIN_SPEEDUP : TUNE_TARGET_GMACS;
    search->limit = o->max_drop >= 0 ? o->max_drop
        : o->min_speedup >= 0 ? o->min_speedup : o->target_gmacs;
    search->depth = t->s->description->depth;
    search->tokens = t->s->description->tokens;
    search->rounds = o->rounds;
    search->gmacs = gmacs_of;
    search->measure = measure;
    search->data = t;
}

static void goal_text(const tune *t, char *text, size_t size)
{
    static const char *const before[] = {"at most ", "at least ", "at most "};
    static const char *const after[] = {" points of top-1 lost",
                                        " times as fast", " GMACs"};

    snprintf(text, size, "%s%g%s", before[t->search.goal], t->search.limit,
             after[t->search.goal]);
}

static int search(tune *t)
{
    char goal[64];
    int found = tune_search_run(&t->search, &t->best);

    if (found > 0)
        return 0;
    goal_text(t, goal, sizeof(goal));
    if (found == 0)
        message_failed("no schedule is %s", goal);
    return -1;
}

/* ---- reporting --------------------------------------------------------------------- */

static void set_verdict(const tune *t, const evaluation *e, json_t *object)
{
    const dataset *d = &t->parts[HELD_OUT];
    size_t tuned = dataset_tally(d, t->s, e, 1).correct1;
    size_t constant = dataset_tally(d, t->s, e, 2).correct1;
    size_t apart = tuned > constant ? tuned - constant : constant - tuned;
    char text[128];

    snprintf(text, sizeof(text), "%zu: %s (%zu images %s right)", t->constant,
             tuned > constant ? "better" : "not better", apart,
             tuned >= constant ? "more" : "fewer");
    json_object_set_new(object, "beats_constant",
                        json_boolean(tuned > constant));
    json_object_set_new(object, "constant_r",
                        json_integer((json_int_t)t->constant));
    json_object_set_new(object, "verdict", json_string(text));
}

static json_t *tune_json(const tune *t, const evaluation *e)
{
    static const char *const shared[] = {
        "images", "refused", "method", "dtype", "cpu", "threads", "batch",
        "model", "preprocessing", "classes_by", "valid_classes"
    };
    json_t *object = json_object(), *runs = json_array(), *r = json_array();
    char goal[64];

    for (size_t i = 0; i < t->s->run_count; i++)
        json_array_append_new(runs, dataset_run_json(&t->parts[HELD_OUT], t->s,
                                                     e, i));
    for (size_t i = 0; i < COUNT(shared); i++) {
        json_t *value = json_object_get(json_array_get(runs, 0), shared[i]);
        if (value != NULL)
            json_object_set(object, shared[i], value);
    }
    for (size_t i = 0; i < t->search.depth; i++)
        json_array_append_new(r, json_integer((json_int_t)t->best.r[i]));
    goal_text(t, goal, sizeof(goal));
    json_object_set_new(object, "goal", json_string(goal));
    json_object_set_new(object, "schedule", r);
    json_object_set_new(object, "gmacs", json_real(t->best.gmacs));
    json_object_set_new(object, "calibration", json_pack("{s:I,s:f,s:f}",
        "images", (json_int_t)t->parts[CALIBRATION].files.count,
        "drop", t->best.drop, "speedup", t->best.speedup));
    set_verdict(t, e, object);
    json_object_set_new(object, "runs", runs);
    return object;
}

static void write_schedule(tune *t)
{
    char comment[512], goal[64];

    if (t->file.file == NULL)
        return;
    goal_text(t, goal, sizeof(goal));
    snprintf(comment, sizeof(comment), "r of each layer of %.200s: %s, "
             "%.2f GMACs; for --schedule @FILE", t->s->options->model, goal,
             t->best.gmacs);
    schedule_file_write(t->file.file, comment, t->best.r, t->search.depth);
}

static void report(tune *t)
{
    session *s = t->s;
    size_t *r = memory_zero(t->search.depth, sizeof(*r));
    char label[32];
    evaluation e;

    t->constant = nearest_constant(t);
    for (size_t i = 0; i < t->search.depth; i++)
        r[i] = t->constant;
    snprintf(label, sizeof(label), "r=%zu", t->constant);
    begin_runs(s, 2);
    add_run(s, "tuned", t->best.r);
    add_run(s, label, r);
    free(r);
    if (evaluate_part(t, HELD_OUT, &e) == 0) {
        json_t *object = tune_json(t, &e);
        session_report written = {
            object, json_object_get(object, "runs"), list, columns,
            COUNT(list), COUNT(columns), 1, NULL, 0
        };
        write_schedule(t);
        session_write(s, &written);
        json_decref(object);
    }
    evaluate_free(&e);
}

static void tune_parts(session *s, dataset *all)
{
    tune t;

    memset(&t, 0, sizeof(t));
    t.s = s;
    set_goal(&t);
    t.best.r = memory_zero(t.search.depth, sizeof(*t.best.r));
    if (split(&t, all) == 0 &&
        output_open(&t.file, s->options->output) == 0) {
        if (search(&t) == 0)
            report(&t);
        output_close(&t.file);
    }
    for (size_t p = 0; p < PARTS; p++)
        free(t.parts[p].files.files);
    free(t.best.r);
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
