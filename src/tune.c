/* SPDX-License-Identifier: MIT */
/* tomerge tune: a schedule for a model, found on one half of a folder and
 * reported on the other. */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/statistics.h"
#include "evaluation/dataset.h"
#include "session/schedule_file.h"
#include "tune_journal.h"
#include "tune_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALIBRATION, HELD_OUT, PARTS };
#define SPREAD 1.96        /* standard errors, for 95 % */

typedef struct tune {
    session *s;
    dataset parts[PARTS];  /* their files are those of `all` */
    tune_search search;
    tune_trial best;
    size_t trials;         /* measured so far */
    int stopped;           /* by a signal */
    size_t constant;       /* r of the constant schedule to compare with */
    output file;
    int written;           /* the schedule is in it */
    journal journal;       /* if --resume wants one */
} tune;

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"goal", "goal", NULL},
    {"schedule", "schedule", NULL},
    {"gmacs", "GMACs", "%.2f"},
    {"gmacs_computed", "  computed", "%.2f"},
    {"calibration.images", "found on images", NULL},
    {"calibration.trials", "  schedules tried", NULL},
    {"calibration.drop", "  drop, estimated", "%.2f"},
    {"calibration.drop_interval", "  95 %", "%.2f"},
    {"calibration.change", "  change of answers", "%.2f"},
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
    {"agreement", NULL, NULL},
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
    for (int p = 0; p < PARTS; p++) {
        dataset *part = &t->parts[p];
        *part = *all;
        part->files.files = memory_zero(all->files.count,
                                        sizeof(*part->files.files));
        part->files.count = 0;
        part->keeps = p == CALIBRATION;
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

/* ---- measuring ----------------------------------------------------------- */

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

static int evaluate_part(tune *t, int part, outcomes *o)
{
    static const char *const names[] = {"calibration", "held out"};
    dataset *d = &t->parts[part];

    memset(o, 0, sizeof(*o));
    if (d->journal &&
        tune_journal_section(d->journal, names[part], d, t->s) != 0)
        return -1;
    if (dataset_evaluate(d, t->s, 1, o, NULL, NULL) != 0)
        return -1;
    t->stopped = outcomes_are_partial(o);
    if (!outcomes_are_partial(o) && o->images == 0)
        message_failed("none of the %zu images could be used",
                       d->files.count);
    return outcomes_are_partial(o) || o->images == 0 ? -1 : 0;
}

/* Files that were refused are named once and left out from then on. */
static void leave_out_refused(dataset *part, const outcomes *o)
{

    for (size_t i = 0; i < o->images; i++)
        part->files.files[i] = part->files.files[o->file[i]];
    part->files.count = o->images;
}

/* What run `index` made of each image. */
static void set_trial(const tune *t, const outcomes *o, size_t index,
                     tune_trial *trial)
{
    const dataset *part = &t->parts[CALIBRATION];

    trial->images = o->images;
    for (size_t i = 0; i < o->images; i++) {
        int32_t label = part->files.files[o->file[i]].label;
        const outcome *base = outcomes_at(o, i, 0);
        const outcome *tried = outcomes_at(o, i, index);
        trial->lost[i] = outcome_score(base, label) -
                         outcome_score(tried, label);
        trial->moved[i] = outcome_distance(base, tried);
    }
    trial->speedup = dataset_tally(part, t->s, o, 0).forward /
                     dataset_tally(part, t->s, o, index).forward;
}

static int measure(void *data, tune_trial *trials, size_t count)
{
    tune *t = data;
    outcomes o;

    begin_runs(t->s, count);
    for (size_t i = 0; i < count; i++)
        add_run(t->s, "trial", trials[i].r);
    int result = evaluate_part(t, CALIBRATION, &o);
    for (size_t i = 0; i < count && result == 0; i++)
        set_trial(t, &o, i + 1, &trials[i]);
    if (result == 0)
        leave_out_refused(&t->parts[CALIBRATION], &o);
    t->trials += count;
    outcomes_free(&o);
    return result;
}

/* What is computed for a schedule; for --target-gmacs what is published for it,
 * as in the reports. Where nothing reads what the last layer merges, that would
 * be arithmetic saved on paper, so nothing merges there. */
static double gmacs_of(void *data, size_t *r)
{
    const tune *t = data;
    const tomevit_description *d = t->s->description;
    size_t last = d->depth - 1;
    merging_run run;

    if (tomevit_macs_unread(d, d->tokens, d->tokens) > 0)
        r[last] = 0;
    merging_resolve_layers(&t->s->options->merging, d, "", r, &run);
    double gmacs = t->search.goal == TUNE_TARGET_GMACS ? run.gmacs
                                                       : run.gmacs_computed;
    for (size_t i = 0; i < d->depth; i++)
        r[i] = (i > 0 ? run.tokens[i - 1] : d->tokens) - run.tokens[i];
    merging_run_free(&run);
    return gmacs;
}

static void said(void *data, const char *step, const tune_trial *best)
{
    const tune *t = data;

    message_note("%s: %.2f GMACs, drop %.2f (95 %%: %.2f to %.2f), change "
                 "%.2f; %zu tried", step, best->gmacs, best->drop,
                 best->drop - SPREAD * best->error,
                 best->drop + SPREAD * best->error, best->change, t->trials);
}

/* ---- searching ----------------------------------------------------------- */

static double computed_of(const tune *t, const size_t *r)
{
    merging_run run;

    merging_resolve_layers(&t->s->options->merging, t->s->description, "", r,
                           &run);
    double gmacs = run.gmacs_computed;
    merging_run_free(&run);
    return gmacs;
}

/* The constant r for which about as much is computed. */
static size_t nearest_constant(const tune *t)
{
    size_t depth = t->search.depth, nearest = 0;
    size_t *r = memory_zero(depth, sizeof(*r));
    double least = HUGE_VAL, wanted = computed_of(t, t->best.r);

    for (size_t value = 0; value < t->search.tokens; value++) {
        for (size_t i = 0; i < depth; i++)
            r[i] = value;
        double off = fabs(computed_of(t, r) - wanted);
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
    search->images = t->parts[CALIBRATION].files.count;
    search->margin = statistics_normal(o->confidence / 100);
    search->gmacs = gmacs_of;
    search->measure = measure;
    search->said = said;
    search->data = t;
}

static void goal_text(const tune *t, char *text, size_t size)
{
    static const char *const before[] = {"at most ", "at least ", "at most "};
    static const char *const after[] = {" points of top-1 lost",
                                        " times as fast", " GMACs"};
    size_t used = (size_t)snprintf(text, size, "%s%g%s",
                                   before[t->search.goal], t->search.limit,
                                   after[t->search.goal]);

    if (t->search.goal == TUNE_MAX_DROP && t->search.margin > 0 && used < size)
        snprintf(text + used, size - used, " with %g %% confidence",
                 t->s->options->confidence);
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

/* ---- reporting ----------------------------------------------------------- */

/* How the schedule fares beside the constant r, on the same images. */
static void set_verdict(const tune *t, const outcomes *o, json_t *object)
{
    const dataset *d = &t->parts[HELD_OUT];
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

    return json_pack("{s:I,s:I,s:o,s:{s:o,s:o},s:o,s:o}",
        "images", (json_int_t)b->images, "trials", (json_int_t)t->trials,
        "drop", report_real(b->drop), "drop_interval",
        "low", report_real(b->drop - SPREAD * b->error),
        "high", report_real(b->drop + SPREAD * b->error),
        "change", report_real(b->change),
        "speedup", report_real(b->speedup));
}

static json_t *tune_json(const tune *t, const outcomes *o)
{
    static const char *const shared[] = {
        "images", "refused", "method", "dtype", "cpu", "threads", "batch",
        "model", "preprocessing", "classes_by", "valid_classes"
    };
    json_t *object = json_object(), *runs = json_array(), *r = json_array();
    char goal[64];

    for (size_t i = 0; i < t->s->run_count; i++)
        json_array_append_new(runs, dataset_run_json(&t->parts[HELD_OUT], t->s,
                                                     o, i));
    for (size_t i = 0; i < COUNT(shared); i++) {
        json_t *value = json_object_get(json_array_get(runs, 0), shared[i]);
        if (value)
            json_object_set(object, shared[i], value);
    }
    for (size_t i = 0; i < t->search.depth; i++)
        json_array_append_new(r, json_integer((json_int_t)t->best.r[i]));
    goal_text(t, goal, sizeof(goal));
    json_object_set_new(object, "goal", json_string(goal));
    json_object_set_new(object, "schedule", r);
    json_object_set(object, "gmacs",
                    json_object_get(json_array_get(runs, 1), "gmacs"));
    json_object_set_new(object, "gmacs_computed",
                        report_real(computed_of(t, t->best.r)));
    json_object_set_new(object, "calibration", calibration_json(t));
    set_verdict(t, o, object);
    json_object_set_new(object, "runs", runs);
    return object;
}

static void write_schedule(tune *t)
{
    char comment[512], goal[64];

    if (!t->file.file)
        return;
    goal_text(t, goal, sizeof(goal));
    snprintf(comment, sizeof(comment), "r of each layer of %.200s: %s%s; "
             "for --schedule @FILE", t->s->options->model, goal,
             t->stopped ? ", as far as the search went" : "");
    schedule_file_write(t->file.file, comment, t->best.r, t->search.depth);
    t->written = 1;
}

/* What was found until a signal came is not lost. */
static void remark_stopped(tune *t)
{
    char *text = NULL;
    size_t size;

    if (t->best.images == 0) {
        message_failed("stopped: there is no schedule yet");
        return;
    }
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out && i < t->search.depth; i++)
        fprintf(out, "%s%zu", i ? "," : "", t->best.r[i]);
    if (out && fclose(out) == 0)
        message_refused("stopped, with nothing reported: the best of %zu "
                        "schedules is %s", t->trials, text);
    free(text);
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
    begin_runs(s, 2);
    add_run(s, "tuned", t->best.r);
    add_run(s, label, r);
    free(r);
    if (evaluate_part(t, HELD_OUT, &o) == 0) {
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
    for (int p = 0; p < PARTS; p++)
        t->parts[p].journal = &t->journal;
    return 0;
}

static void tune_parts(session *s, dataset *all)
{
    tune t;

    memset(&t, 0, sizeof(t));
    t.s = s;
    if (split(&t, all) == 0 &&
        output_open(&t.file, s->options->output) == 0) {
        set_goal(&t);
        if (open_journal(&t, all) == 0)
            search_and_report(&t);
        if (t.parts[0].journal)
            journal_close(&t.journal);
        output_end(&t.file, t.written ? OUTPUT_WHOLE : OUTPUT_FAILED);
    }
    for (size_t p = 0; p < PARTS; p++) {
        dataset_drop_crops(&t.parts[p]);
        free(t.parts[p].files.files);
    }
    tune_trial_end(&t.best);
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
