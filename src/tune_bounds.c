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
    double gmacs, moved;   /* how far the answers move from those of r=0 */
} bounds;

#define BOUNDLESS 1e30

int tune_goes_by_bounds(const tune *t)
{
    return t->merging.method == TOMERGE_UPWARD;
}

/* "threshold=0:0.0002:..." behind what else was given, to be freed. */
static char *bounds_text(const tune *t, const bounds *b)
{
    const char *given = t->merging.options;
    size_t size = 32 + 16 * b->depth + (given ? strlen(given) : 0), used = 0;
    char *text = memory_zero(size, 1);

    if (given)
        used = (size_t)snprintf(text, size, "%s,", given);
    for (size_t i = 0; i < b->depth; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.6g",
                                 i ? ":" : "threshold=", b->bound[i]);
    return text;
}

static void add_run(tune *t, const char *text)
{
    session *s = t->s;
    merging_args args = t->merging;
    merging_run *run = &s->runs[s->run_count];
    char why[ARGS_WHY];

    args.kind = MERGING_UNSET;
    args.options = text;
    /* They are made of the model's own layers. */
    if (merging_resolve(&args, s->description, 0, run, why) != 0)
        message_failed("%s", why);
    snprintf(run->label, sizeof(run->label), "tuned");
    s->run_count++;
}

void tune_add_bounds(tune *t)
{
    add_run(t, t->bounds);
}

static void set_measured(const tune *t, const outcomes *o, size_t run,
                         bounds *b)
{
    const outcome_work *work = &o->work[run];

    b->gmacs = 1e-9 * (double)work->macs / (double)work->images;
    b->moved = 0;
    for (size_t i = 0; i < b->depth; i++)
        b->rows[i] = (double)o->tokens[run * o->depth + i] /
                     (double)o->images;
    for (size_t i = 0; i < o->images; i++)
        b->moved += tune_moved(t, o, i, run) / (double)o->images;
}

/* 0, or -1. */
static int measure_each(tune *t, bounds *each, size_t count)
{
    char **text = memory_zero(count, sizeof(*text));
    outcomes o;
    int result;

    tune_begin_runs(t, count);
    for (size_t i = 0; i < count; i++) {
        text[i] = bounds_text(t, &each[i]);
        add_run(t, text[i]);
    }
    result = tune_evaluate(t, TUNE_CALIBRATION, &o);
    for (size_t i = 0; i < count && result == 0; i++)
        set_measured(t, &o, i + 1, &each[i]);
    if (result == 0) {
        tune_set_best(t, &o, count);
        tune_leave_out_refused(t, &o);
    }
    outcomes_free(&o);
    t->trials += count;
    tune_begin_runs(t, 0); /* the texts are the runs' */
    for (size_t i = 0; i < count; i++)
        free(text[i]);
    free(text);
    return result;
}

static int measure(tune *t, bounds *b)
{
    return measure_each(t, b, 1);
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
        by = by > 20 ? 20 : by < 0.05 ? 0.05 : by;
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

static bounds make(const tune *t)
{
    size_t depth = t->search.depth;
    bounds b = {depth, memory_zero(depth, sizeof(double)),
                memory_zero(depth, sizeof(double)), 0, 0};

    return b;
}

static void copy(bounds *b, const bounds *from)
{
    memcpy(b->bound, from->bound, b->depth * sizeof(double));
    memcpy(b->rows, from->rows, b->depth * sizeof(double));
    b->gmacs = from->gmacs;
    b->moved = from->moved;
}

static void release(bounds *b)
{
    free(b->bound);
    free(b->rows);
}

static void keep(tune *t, const bounds *b)
{
    free(t->bounds);
    t->bounds = bounds_text(t, b);
}

int tune_find_bounds(tune *t)
{
    double *wanted = memory_zero(t->search.depth, sizeof(*wanted));
    bounds b = make(t);
    int result = 0;

    begin(t, wanted, &b);
    for (int step = 0; step < STEPS && result == 0; step++) {
        if (step > 0)
            approach(t, wanted, &b);
        result = measure(t, &b);
    }
    if (result == 0)
        result = meet(t, t->best.gmacs, &b);
    keep(t, &b);
    free(wanted);
    release(&b);
    return result;
}

/* ---- without counts ------------------------------------------------------ */

/*
 * For a given arithmetic thresholds are searched for as they are: from a ramp
 * over the first half of the layers, where attention does not know yet what
 * matters, each is tried higher and lower. What a multiply-accumulate that is
 * saved costs should be the same in all layers; where it is less the threshold
 * rises, at the others' expense.
 */
enum { LENGTHS = 3 };
static const double lengths[LENGTHS] = {0.2, 0.45, 0.9};
static const double factor = 1.5; /* of a trial: its square root, up and down */

/* What a threshold's logarithm changes. */
typedef struct slope {
    double moved, saved;
    double step;           /* of the logarithm */
} slope;

static int is_bounded(const bounds *b, size_t layer)
{
    return b->bound[layer] > 0 && b->bound[layer] < BOUNDLESS;
}

static void begin_ramp(const tune *t, bounds *b)
{
    const tomevit_description *d = t->s->description;
    double tokens = (double)d->tokens;

    for (size_t i = 0; i < b->depth; i++) {
        double height = 2 * (double)i / (double)b->depth;

        b->bound[i] = 0.1 / tokens * (height < 1 ? height : 1);
    }
    if (tomevit_macs_unread(d, d->tokens, d->tokens) > 0)
        b->bound[b->depth - 1] = BOUNDLESS;
}

static int find_slopes(tune *t, const bounds *best, slope *slopes)
{
    size_t depth = best->depth, count = 0;
    bounds *trials = memory_zero(2 * depth, sizeof(*trials));
    int result;

    for (size_t i = 0; i < depth; i++)
        for (int up = 0; up < 2 && is_bounded(best, i); up++) {
            trials[count] = make(t);
            copy(&trials[count], best);
            trials[count++].bound[i] *= up ? sqrt(factor) : 1 / sqrt(factor);
        }
    result = measure_each(t, trials, count);
    memset(slopes, 0, depth * sizeof(*slopes));
    for (size_t i = 0, k = 0; i < depth; i++) {
        if (!is_bounded(best, i))
            continue;
        slopes[i].moved = (trials[k + 1].moved - trials[k].moved) / log(factor);
        slopes[i].saved = (trials[k].gmacs - trials[k + 1].gmacs) / log(factor);
        k += 2;
    }
    for (size_t k = 0; k < count; k++)
        release(&trials[k]);
    free(trials);
    return result;
}

/* The directions, for no change of the arithmetic; returns what is moved for
 * each that is saved, over all layers. */
static double set_steps(slope *slopes, size_t depth)
{
    double moved = 0, saved = 0, off = 0, price;

    for (size_t i = 0; i < depth; i++) {
        moved += slopes[i].moved;
        saved += slopes[i].saved;
    }
    price = moved > 0 && saved > 0 ? moved / saved : 0;
    for (size_t i = 0; i < depth; i++) {
        slope *s = &slopes[i];

        if (s->saved <= 1e-4 * saved)
            continue;
        s->step = s->moved > 0 && price > 0
            ? log(price * s->saved / s->moved) : 1;
        s->step = s->step > 1 ? 1 : s->step < -1 ? -1 : s->step;
        off += s->step * s->saved;
    }
    for (size_t i = 0; i < depth; i++)
        slopes[i].step -= saved > 0 ? off / saved : 0;
    return price;
}

/* 1 if something was better, 0, -1. */
static int improve(tune *t, bounds *best)
{
    slope *slopes = memory_zero(best->depth, sizeof(*slopes));
    bounds trials[LENGTHS];
    int result = find_slopes(t, best, slopes), better = 0;
    double price = set_steps(slopes, best->depth), from = best->gmacs;

    for (int k = 0; k < LENGTHS; k++) {
        trials[k] = make(t);
        copy(&trials[k], best);
        for (size_t i = 0; i < best->depth; i++)
            if (is_bounded(best, i))
                trials[k].bound[i] *= exp(lengths[k] * slopes[i].step);
    }
    if (result == 0)
        result = measure_each(t, trials, LENGTHS);
    for (int k = 0; k < LENGTHS && result == 0; k++)
        if (trials[k].moved + price * (trials[k].gmacs - from) <
            best->moved + price * (best->gmacs - from)) {
            copy(best, &trials[k]);
            better = 1;
        }
    for (int k = 0; k < LENGTHS; k++)
        release(&trials[k]);
    free(slopes);
    return result == 0 ? better : -1;
}

static void say(const tune *t, const char *step, const bounds *b)
{
    message_note("%s: %.3f GMACs, the answers moved by %.4f; %zu tried", step,
                 b->gmacs, b->moved, t->trials);
}

/* What is reported as the schedule: the mean of what goes. */
static void set_best(tune *t, const bounds *b)
{
    double before = (double)t->search.tokens;

    for (size_t i = 0; i < b->depth; before = b->rows[i++])
        t->best.r[i] = (size_t)(floor(before + 0.5) - floor(b->rows[i] + 0.5));
}

int tune_search_bounds(tune *t)
{
    double limit = t->search.limit;
    bounds b = make(t);
    int result;

    begin_ramp(t, &b);
    result = measure(t, &b) || meet(t, limit, &b) ? -1 : 1;
    if (result > 0)
        say(t, "ramp", &b);
    for (size_t round = 1; round <= t->search.rounds && result > 0; round++) {
        char name[32];
        int better = improve(t, &b);

        result = better < 0 || (better && meet(t, limit, &b)) ? -1 : 1;
        snprintf(name, sizeof(name), "round %zu of %zu", round,
                 t->search.rounds);
        if (result > 0)
            say(t, name, &b);
        if (!better)
            break;
    }
    if (result > 0 && measure(t, &b) != 0)
        result = -1;
    keep(t, &b);
    if (result > 0 && b.gmacs > limit)
        result = 0;
    if (result > 0)
        set_best(t, &b);
    t->best.gmacs = b.gmacs;
    release(&b);
    return result;
}
