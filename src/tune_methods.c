/* SPDX-License-Identifier: MIT */
/*
 * tune of several methods. Each is searched for without rounds: the even
 * schedule and ramps, or thresholds of a ramp. The best three by then are
 * refined with whatever rounds there are, and so are thresholds, which begin as
 * no more than a guess. At equal arithmetic, or speed, the best moves the
 * answers least, by their Kullback-Leibler divergence from those of r=0; where
 * the drop is bounded it takes the least arithmetic.
 */
#include "config.h"

#include "tune_methods.h"

#include "base/args.h"
#include "base/memory.h"
#include "base/message.h"
#include "session/schedule_file.h"
#include "tomevit_methods.h"

#include <stdlib.h>
#include <string.h>

enum { REFINED = 3 };

/* What a method has come to. */
typedef struct candidate {
    int tried, found;
    char why[ARGS_WHY];    /* it was not tried, but left out */
    size_t rounds;         /* that it has had */
    tune_trial trial;
    char *bounds;
} candidate;

int tune_has_methods(const tune *t)
{
    const merging_args *args = &t->s->options->merging;

    return args->method_count > 1 || args->any_method;
}

static const char *name_at(const tune *t, size_t place)
{
    return t->s->options->merging.methods[place].text;
}

static void begin(tune *t, size_t place)
{
    t->merging = merging_of_method(&t->s->options->merging, place);
    tune_trial_end(&t->best);
    tune_trial_begin(&t->best, t->search.depth, t->search.images);
    free(t->bounds);
    t->bounds = NULL;
}

/* Whether the model can have the method. Of "all" those that it cannot are left
 * out, of a list none. 1, 0, or -1. */
static int fits(tune *t, size_t place, char *why)
{
    merging_run run;

    if (merging_resolve(&t->merging, t->s->description, 0, &run, why) == 0) {
        merging_run_free(&run);
        return 1;
    }
    if (!t->s->options->merging.any_method) {
        message_failed("%s", why);
        return -1;
    }
    message_note("%s is left out: %s", name_at(t, place), why);
    return 0;
}

static double cost(const tune *t, const tune_trial *trial)
{
    if (t->search.goal == TUNE_MAX_DROP)
        return trial->gmacs;
    return t->by_drift ? trial->change : trial->divergence;
}

/* What was found becomes the candidate's, whose memory it takes in turn. */
static void swap(tune *t, candidate *c)
{
    tune_trial trial = c->trial;
    char *bounds = c->bounds;

    c->trial = t->best;
    c->bounds = t->bounds;
    t->best = trial;
    t->bounds = bounds;
}

static void say(const tune *t, size_t place, const candidate *c)
{
    const tune_trial *b = &c->trial;

    if (c->found)
        message_note("method %s, %zu rounds: %.3f GMACs, %s %.4f",
                     name_at(t, place), c->rounds, b->gmacs,
                     t->by_drift ? "drift" : "KL divergence",
                     t->by_drift ? b->change / 100 : b->divergence);
    else
        message_note("method %s: none that keeps to the goal",
                     name_at(t, place));
}

/* The best of a method with so many rounds; what it had by less of them stays
 * if that was better, as speed is not measured twice alike. 0, or -1. */
static int find(tune *t, int (*search)(tune *t), size_t place, size_t rounds,
                candidate *c)
{
    int found;

    begin(t, place);
    t->search.rounds = rounds;
    found = search(t);
    if (found < 0)
        return -1;
    if (found > 0 && (!c->found || cost(t, &t->best) <= cost(t, &c->trial))) {
        swap(t, c);
        c->found = 1;
        c->rounds = rounds;
    }
    say(t, place, c);
    return 0;
}

/* How many of the others are better. */
static size_t rank_of(const tune *t, const candidate *each, size_t count,
                      size_t place)
{
    double own = cost(t, &each[place].trial);
    size_t better = 0;

    for (size_t i = 0; i < count; i++) {
        double other = cost(t, &each[i].trial);
        if (each[i].found && (other < own || (other == own && i < place)))
            better++;
    }
    return better;
}

static int refine(tune *t, int (*search)(tune *t), size_t rounds,
                  candidate *each, size_t count)
{
    int chosen[MERGING_METHODS] = {0}, result = 0;

    for (size_t i = 0; i < count; i++)
        chosen[i] = each[i].found && (rank_of(t, each, count, i) < REFINED ||
                                      each[i].bounds);
    for (size_t i = 0; i < count && result == 0 && rounds > 0; i++)
        if (chosen[i])
            result = find(t, search, i, rounds, &each[i]);
    return result;
}

static void set_report(tune *t, const candidate *each, size_t count)
{
    t->methods = json_array();
    for (size_t i = 0; i < count; i++) {
        const tune_trial *b = &each[i].trial;
        json_t *one = json_pack("{s:s,s:b}", "method", name_at(t, i), "found",
                                each[i].found);

        json_array_append_new(t->methods, one);
        if (!each[i].tried)
            json_object_set_new(one, "left_out", report_string(each[i].why));
        if (!each[i].found)
            continue;
        json_object_set_new(one, "rounds",
                            json_integer((json_int_t)each[i].rounds));
        json_object_set_new(one, "gmacs", report_real(b->gmacs));
        if (t->by_drift) {
            json_object_set_new(one, "drift", report_real(b->change / 100));
            continue;
        }
        json_object_set_new(one, "kl_mean", report_real(b->divergence));
        json_object_set_new(one, "drop", report_real(b->drop));
    }
}

/* The best of all becomes what was found. 1, or 0 if there is none. */
static int choose(tune *t, candidate *each, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (each[i].found && rank_of(t, each, count, i) == 0) {
            begin(t, i);
            swap(t, &each[i]);
            return 1;
        }
    return 0;
}

int tune_over_methods(tune *t, int (*search)(tune *t))
{
    size_t rounds = t->search.rounds;
    size_t count = t->s->options->merging.method_count;
    candidate each[MERGING_METHODS];
    int result = 0;

    memset(each, 0, sizeof(each));
    for (size_t i = 0; i < count && result >= 0; i++) {
        begin(t, i);
        result = fits(t, i, each[i].why);
        each[i].tried = result > 0;
        if (result > 0)
            result = find(t, search, i, 0, &each[i]);
    }
    if (result >= 0)
        result = refine(t, search, rounds, each, count);
    t->search.rounds = rounds;
    if (result == 0) {
        set_report(t, each, count);
        result = choose(t, each, count);
    }
    for (size_t i = 0; i < count; i++) {
        tune_trial_end(&each[i].trial);
        free(each[i].bounds);
    }
    return result;
}

/* ---- the file ------------------------------------------------------------ */

/* "key=value,key=value" on lines. */
static void write_lines(FILE *out, const char *text)
{
    for (; text && *text != '\0'; text++)
        fputc(*text == ',' ? '\n' : *text, out);
    fputc('\n', out);
}

/* What the command line has in place of the method's own, or of what is so by
 * default. */
static void write_others(const tune *t, FILE *out)
{
    const merging_args *args = &t->merging;
    merging_args none;

    merging_args_init(&none);
    if (args->combine >= 0)
        fprintf(out, "combine=%s\n", tomerge_combine_name(args->combine));
    if (args->metric >= 0)
        fprintf(out, "metric=%s\n", tomevit_metric_name(args->metric));
    if (args->prop_attn >= 0)
        fprintf(out, "prop=%d\n", args->prop_attn);
    if (args->similarity != none.similarity)
        fprintf(out, "similarity=%s\n",
                tomerge_similarity_name(args->similarity));
    if (args->rope_merge != none.rope_merge)
        fprintf(out, "rope-merge=%s\n",
                tomevit_rope_merge_name(args->rope_merge));
    if (args->ema_merge != none.ema_merge)
        fprintf(out, "ema-merge=%s\n", tomevit_ema_merge_name(args->ema_merge));
    if (args->seed != none.seed)
        fprintf(out, "seed=%llu\n", (unsigned long long)args->seed);
}

void tune_methods_write(const tune *t, FILE *out, const char *comment)
{
    schedule_file_comment(out, comment);
    fprintf(out, "method=%s\n", tomevit_method_at(t->merging.row)->name);
    if (t->bounds) {
        write_lines(out, t->bounds);
    } else {
        if (t->merging.options)
            write_lines(out, t->merging.options);
        for (size_t i = 0; i < t->search.depth; i++)
            fprintf(out, "%s%zu", i ? ":" : "r=", t->best.r[i]);
        fputc('\n', out);
    }
    write_others(t, out);
}
