/* SPDX-License-Identifier: MIT */
/*
 * From counts to thresholds. A schedule has every image lose as many tokens in
 * a layer; a threshold on what each would lose has images that are easily told
 * lose more and others less. Their mean is made that of the schedule: in every
 * layer at once, as the share of tokens that go grows with the threshold about
 * as a logistic function of its logarithm does, whatever the layer. Then all
 * thresholds are scaled until the arithmetic is that of the schedule.
 */
#include "config.h"

#include "tune_bounds.h"

#include "base/args.h"
#include "base/memory.h"
#include "base/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tomerge.h"

enum { STEPS = 10, SCALINGS = 6 };

/* The thresholds of the layers, and what they come to in the mean. */
typedef struct bounds {
    size_t depth;
    double *bound;         /* [depth]; 0: nothing goes; BOUNDLESS: all do */
    double *rows;          /* [depth] that leave the layers */
    double gmacs;
} bounds;

#define BOUNDLESS 1e30

int tune_goes_by_bounds(const tune *t)
{
    return t->s->options->merging.method == TOMERGE_UPWARD;
}

/* "threshold=0:0.0002:...", to be freed. */
static char *bounds_text(const bounds *b)
{
    size_t size = 32 + 16 * b->depth, used = 0;
    char *text = memory_zero(size, 1);

    for (size_t i = 0; i < b->depth; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.6g",
                                 i ? ":" : "threshold=", b->bound[i]);
    return text;
}

void tune_add_bounds(tune *t)
{
    session *s = t->s;
    merging_args args = s->options->merging;
    merging_run *run = &s->runs[s->run_count];
    char why[ARGS_WHY];

    args.kind = MERGING_UNSET;
    args.options = t->bounds;
    if (merging_resolve(&args, s->description, 0, run, why) != 0)
        message_failed("%s", why); /* not of numbers that fit the model */
    snprintf(run->label, sizeof(run->label), "tuned");
    s->run_count++;
}

/* 0, or -1. */
static int measure(tune *t, bounds *b)
{
    outcomes o;
    int result;

    free(t->bounds);
    t->bounds = bounds_text(b);
    tune_begin_runs(t, 1);
    tune_add_bounds(t);
    result = tune_evaluate(t, TUNE_CALIBRATION, &o);
    if (result == 0) {
        const outcome_work *work = &o.work[1];

        for (size_t i = 0; i < b->depth; i++)
            b->rows[i] = (double)o.tokens[o.depth + i] / (double)o.images;
        b->gmacs = 1e-9 * (double)work->macs / (double)work->images;
    }
    outcomes_free(&o);
    t->trials++;
    return result;
}

static double logit(double share)
{
    double least = 1e-5;

    share = share < least ? least : share > 1 - least ? 1 - least : share;
    return log(share / (1 - share));
}

/* Of the tokens that may go in a layer, those that do. */
static double share_of(double before, double after, double stay)
{
    return before > stay ? (before - after) / (before - stay) : 0;
}

/* The share of each layer nearer to what is wanted. A logistic function as wide
 * as the losses of a layer are would be met by a factor of about 1/2; too small
 * a factor is slow, one of twice as much would swing. */
static void approach(const tune *t, const double *wanted, bounds *b)
{
    double before = (double)t->search.tokens;
    double stay = (double)t->s->description->prefix + 1;

    for (size_t i = 0; i < b->depth; before = b->rows[i++]) {
        double off = logit(wanted[i]) -
                     logit(share_of(before, b->rows[i], stay));

        off = off > 3 ? 3 : off < -3 ? -3 : off;
        if (b->bound[i] > 0 && b->bound[i] < BOUNDLESS)
            b->bound[i] *= exp(0.6 * off);
    }
}

static void scale(bounds *b, double by)
{
    for (size_t i = 0; i < b->depth; i++)
        if (b->bound[i] < BOUNDLESS)
            b->bound[i] *= by;
}

/* The wanted shares of the best schedule, and thresholds to begin with. */
static void begin(const tune *t, double *wanted, bounds *b)
{
    const tomevit_description *d = t->s->description;
    double before = (double)d->tokens, stay = (double)d->prefix + 1;
    double guess = 0.1 / before; /* attention is shared among so many */

    for (size_t i = 0; i < b->depth; i++) {
        double after = before - (double)t->best.r[i];

        wanted[i] = share_of(before, after, stay);
        b->bound[i] = wanted[i] <= 0 ? 0
            : wanted[i] < 1 ? guess : BOUNDLESS;
        before = after;
    }
}

/* All thresholds by a factor until no more is computed than for the counts, or
 * hardly less. The last that was not too much is what is left. */
static int meet(tune *t, double target, bounds *b)
{
    double factor = 1, high = 0, low = 0; /* too much, and not, by factors */
    double power = -0.2; /* of the arithmetic by the factor, till it is known */

    for (int step = 0; step < SCALINGS; step++) {
        double off = log(b->gmacs / target), by;

        if (off <= 0)
            low = factor;
        else
            high = factor;
        if (off <= 0 && off > -0.003)
            return 0;
        by = exp(-(off + 0.001) / power);
        /* Between what was too much and what was not, once both are known. */
        if (high > 0 && low > 0 &&
            (factor * by <= high || factor * by >= low))
            by = sqrt(high * low) / factor;
        scale(b, by);
        factor *= by;
        double before = log(b->gmacs);
        if (measure(t, b) != 0)
            return -1;
        double slope = (log(b->gmacs) - before) / log(by);
        if (slope < -0.02 && slope > -2)
            power = slope;
    }
    if (b->gmacs <= target || low == 0)
        return 0;
    scale(b, low / factor);
    return measure(t, b);
}

int tune_find_bounds(tune *t)
{
    size_t depth = t->search.depth;
    double *wanted = memory_zero(depth, sizeof(*wanted));
    bounds b = {depth, memory_zero(depth, sizeof(double)),
                memory_zero(depth, sizeof(double)), 0};
    int result = 0;

    begin(t, wanted, &b);
    for (int step = 0; step < STEPS && result == 0; step++) {
        if (step > 0)
            approach(t, wanted, &b);
        result = measure(t, &b);
    }
    if (result == 0)
        result = meet(t, t->best.gmacs, &b);
    free(wanted);
    free(b.bound);
    free(b.rows);
    return result;
}
