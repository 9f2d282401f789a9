/* SPDX-License-Identifier: MIT */
/*
 * Thresholds for a budget. Each pass over the sample tries several at once, as
 * far apart as what is left of the range lets them be, and the next looks
 * between the two that enclose the budget. A pass gives the same bits on any
 * machine and for any threads, so the thresholds are the same for all who share
 * an evaluation, and for one that goes on with a journal.
 */
#include "sweep_budget.h"

#include "../base/memory.h"
#include "../base/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 7, PASSES = 5 };

/* What one run's budget is looked for with. */
typedef struct budget_search {
    merging_args method;
    merging_run *run;      /* of the session */
    double low, high;      /* knobs: the arithmetic grows from low to high */
    double best, off;      /* the nearest so far, and how far off that is */
} budget_search;

/* A session of trials alone, that keeps nothing. */
static void begin_session(session *trial, options *o, const session *s)
{
    *o = *s->options;
    o->resume = NULL;
    o->joined_count = 0;
    memset(&o->part, 0, sizeof(o->part));
    *trial = *s;
    trial->options = o;
    trial->runs = memory_zero(TRIALS, sizeof(*trial->runs));
    trial->run_count = trial->reference = trial->first = 0;
}

static void clear_runs(session *trial)
{
    for (size_t i = 0; i < trial->run_count; i++)
        merging_run_free(&trial->runs[i]);
    trial->run_count = 0;
}

static double knob_of(const budget_search *b, size_t i)
{
    return b->low + (b->high - b->low) * (double)(i + 1) / (TRIALS + 1);
}

/* What the trials have cost narrows the range. */
static void narrow(budget_search *b, const outcomes *o)
{
    double low = b->low, high = b->high;

    for (size_t i = 0; i < TRIALS; i++) {
        const outcome_work *w = &o->work[i];
        double knob = knob_of(b, i);
        double gmacs = 1e-9 * (double)w->macs / (double)w->images;
        double off = fabs(gmacs - b->run->budget);
        if (off < b->off) {
            b->off = off;
            b->best = knob;
        }
        if (gmacs < b->run->budget)
            low = knob > low ? knob : low;
        else
            high = knob < high ? knob : high;
    }
    b->low = low;
    b->high = high;
}

static int one_pass(session *trial, dataset *sample, budget_search *b)
{
    char why[ARGS_WHY];
    outcomes o;
    int result = 0;

    memset(&o, 0, sizeof(o));
    for (size_t i = 0; i < TRIALS && result == 0; i++) {
        result = merging_resolve_knob(&b->method, trial->description,
                                      b->run->budget, knob_of(b, i),
                                      &trial->runs[i], why);
        trial->run_count += result == 0;
    }
    if (result != 0)
        message_failed("%s", why);
    else
        result = dataset_evaluate(sample, trial, 1, &o, NULL, NULL);
    if (result == 0 && (outcomes_are_partial(&o) || o.images == 0)) {
        message_failed("--budget: no thresholds were found: %s",
                       o.images ? "stopped" : "no image could be used");
        result = -1;
    }
    if (result == 0)
        narrow(b, &o);
    clear_runs(trial);
    outcomes_free(&o);
    return result;
}

/* Finds what a run of the session is to run with. */
static int meet(session *s, session *trial, dataset *sample, size_t index)
{
    const merging_args *args = &s->options->merging;
    budget_search b = {
        merging_of_method(args, s->runs[index].place), &s->runs[index], 0, 0, 0,
        HUGE_VAL
    };
    char why[ARGS_WHY];
    merging_run found;

    merging_knob_range(&b.method, &b.low, &b.high);
    for (int pass = 0; pass < PASSES; pass++)
        if (one_pass(trial, sample, &b) != 0)
            return -1;
    if (merging_resolve_knob(&b.method, s->description, b.run->budget, b.best,
                             &found, why) != 0) {
        message_failed("%s", why);
        return -1;
    }
    memcpy(found.series, b.run->series, sizeof(found.series));
    found.place = b.run->place;
    if (b.off > 0.01 * b.run->budget)
        message_note("--budget %g: %s comes no nearer than %.4g GMACs",
                     b.run->budget, found.method, b.run->budget + b.off);
    merging_run_free(b.run);
    *b.run = found;
    return 0;
}

static int meet_all(session *s, dataset *sample)
{
    session trial;
    options with;
    int result = session_context(s);

    begin_session(&trial, &with, s);
    trial.context = s->context;
    for (size_t i = 0; i < s->run_count && result == 0; i++)
        if (s->runs[i].measured)
            result = meet(s, &trial, sample, i);
    free(trial.runs);
    return result;
}

static int any_measured(const session *s)
{
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].measured)
            return 1;
    return 0;
}

/* Images spread over the folder. */
static dataset sample_of(const dataset *d, size_t wanted)
{
    dataset sample = *d;
    size_t all = d->files.count, count = wanted < all ? wanted : all;

    sample.files.files = memory_zero(count, sizeof(*sample.files.files));
    sample.files.count = count;
    for (size_t i = 0; i < count; i++)
        sample.files.files[i] = d->files.files[(2 * i + 1) * all / (2 * count)];
    sample.keeps = sample.alone = 1;
    sample.loaders = NULL;
    sample.loader_count = 0;
    return sample;
}

int sweep_budget_meet(sweep_models *m, const dataset *d)
{
    int result = 0;

    for (size_t i = 0; i < m->count && result == 0; i++) {
        if (!any_measured(&m->s[i]))
            continue;
        dataset sample = sample_of(d, m->each[i].calibrate);
        result = meet_all(&m->s[i], &sample);
        dataset_drop_crops(&sample);
        free(sample.files.files);
    }
    return result;
}
