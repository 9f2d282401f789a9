/* SPDX-License-Identifier: MIT */
/*
 * The search for a schedule.
 *
 * A schedule is a shape, how merging is spread over the layers, and a size. The
 * even shape gets the size that the goal allows; at that arithmetic ramps are
 * tried, and from the best one tokens move between layers. Where the drop is
 * what is bounded, a better shape then has room to grow.
 *
 * Shapes are compared by how far the answers move from those of r = 0, image by
 * image: that needs no labels, and a few hundred images tell two shapes apart
 * by it that they cannot by their accuracy. What is not better by more than the
 * standard error of the difference is taken for chance. Sizes go by the drop,
 * which is the goal.
 */
#include "tune_search.h"

#include "base/memory.h"
#include "base/statistics.h"
#include "tomerge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double inflections[] = {-1, -0.5, 0.5, 1};
enum { RAMPS = sizeof(inflections) / sizeof(inflections[0]) };
enum { SIZES = 3, MOVES = 4 }; /* trials of a call */

/* ---- trials -------------------------------------------------------------- */

void tune_trial_begin(tune_trial *trial, size_t depth, size_t images)
{
    memset(trial, 0, sizeof(*trial));
    trial->r = memory_zero(depth, sizeof(*trial->r));
    trial->lost = memory_zero(images, sizeof(*trial->lost));
    trial->moved = memory_zero(images, sizeof(*trial->moved));
}

void tune_trial_end(tune_trial *trial)
{
    free(trial->r);
    free(trial->lost);
    free(trial->moved);
}

static tune_trial *trials_make(const tune_search *t, size_t count)
{
    tune_trial *trials = memory_zero(count, sizeof(*trials));

    for (size_t i = 0; i < count; i++)
        tune_trial_begin(&trials[i], t->depth, t->images);
    return trials;
}

static void trials_free(tune_trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tune_trial_end(&trials[i]);
    free(trials);
}

static void keep(const tune_search *t, tune_trial *best, const tune_trial *from)
{
    tune_trial memory = *best;

    *best = *from;
    best->r = memory.r;
    best->lost = memory.lost;
    best->moved = memory.moved;
    memcpy(best->r, from->r, t->depth * sizeof(*best->r));
    memcpy(best->lost, from->lost, t->images * sizeof(*best->lost));
    memcpy(best->moved, from->moved, t->images * sizeof(*best->moved));
}

void tune_trial_mean(tune_trial *one)
{
    double error;

    one->drop = 100 * statistics_mean(one->lost, one->images, &one->error);
    one->error *= 100;
    one->change = 100 * statistics_mean(one->moved, one->images, &error);
}

static int measure(const tune_search *t, tune_trial *trials, size_t count)
{
    if (count > 0 && t->measure(t->data, trials, count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        tune_trial_mean(&trials[i]);
    return 0;
}

static int allowed(const tune_search *t, const tune_trial *trial)
{
    switch (t->goal) {
    case TUNE_MAX_DROP:
        return trial->drop + t->margin * trial->error <= t->limit;
    case TUNE_MIN_SPEEDUP:
        return trial->speedup >= t->limit;
    default:
        return trial->gmacs <= t->limit;
    }
}

/* Whether `a` changes less than `b` by more than chance. */
static int surely_better(const tune_trial *a, const tune_trial *b)
{
    double *gain = memory_zero(a->images, sizeof(*gain)), error;

    for (size_t i = 0; i < a->images; i++)
        gain[i] = b->moved[i] - a->moved[i];
    double mean = statistics_mean(gain, a->images, &error);
    free(gain);
    return mean > error;
}

/* Of equal arithmetic or less, as long as the goal allows it. */
static int improve(const tune_search *t, tune_trial *best,
                   const tune_trial *trials, size_t count)
{
    int improved = 0;

    for (size_t i = 0; i < count; i++) {
        if (t->goal != TUNE_MAX_DROP && !allowed(t, &trials[i]))
            continue;
        if (!surely_better(&trials[i], best))
            continue;
        keep(t, best, &trials[i]);
        improved = 1;
    }
    return improved;
}

/* ---- shapes and sizes ---------------------------------------------------- */

/* `size` times the shape. Each layer rounds at a place of its own, so that the
 * sum grows token by token. */
static void set_size(const tune_search *t, const double *shape, double size,
                     tune_trial *trial)
{
    for (size_t i = 0; i < t->depth; i++) {
        double place = ((double)(i * 7 % t->depth) + 0.5) / (double)t->depth;
        trial->r[i] = (size_t)(shape[i] * size + place);
    }
    trial->gmacs = t->gmacs(t->data, trial->r);
}

/* The least that takes at most `gmacs`, or as few as the shape can. */
static void set_gmacs(const tune_search *t, const double *shape, double gmacs,
                      tune_trial *trial)
{
    double low = 0, high = (double)t->tokens;

    set_size(t, shape, low, trial);
    if (trial->gmacs <= gmacs)
        return;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        set_size(t, shape, middle, trial);
        if (trial->gmacs <= gmacs)
            high = middle;
        else
            low = middle;
    }
    set_size(t, shape, high, trial);
}

static void even_shape(const tune_search *t, double *shape)
{
    for (size_t i = 0; i < t->depth; i++)
        shape[i] = 1;
}

/* A ramp from 0 to 2 or part of the way, as of --r N:INFLECTION. */
static void ramp_shape(const tune_search *t, double inflection, double *shape)
{
    enum { FINE = 10000 };
    size_t *r = memory_zero(t->depth, sizeof(*r));

    tomerge_schedule(t->depth, FINE, inflection, r);
    for (size_t i = 0; i < t->depth; i++)
        shape[i] = (double)r[i] / FINE;
    free(r);
}

static void shape_of(const tune_search *t, const tune_trial *trial,
                     double *shape)
{
    size_t sum = 0;

    for (size_t i = 0; i < t->depth; i++)
        sum += trial->r[i];
    for (size_t i = 0; i < t->depth; i++)
        shape[i] = (double)(trial->r[i] * t->depth) / (double)(sum ? sum : 1);
}

/* Arithmetic from `good`, which the goal allows, towards `bad`, which it does
 * not, in `calls` steps that each leave a quarter of the way. 1 if the best is
 * a new one, 0, -1. */
static int narrow(const tune_search *t, const double *shape, double good,
                  double bad, int calls, tune_trial *best)
{
    tune_trial *trials = trials_make(t, SIZES);
    int result = 0;

    for (int call = 0; call < calls && result >= 0; call++) {
        double step = (bad - good) / (SIZES + 1), from = good;
        for (size_t k = 0; k < SIZES; k++)
            set_gmacs(t, shape, from + (double)(k + 1) * step, &trials[k]);
        if (measure(t, trials, SIZES) != 0) {
            result = -1;
            break;
        }
        bad = from + (SIZES + 1) * step;
        for (size_t k = 0; k < SIZES; k++) {
            if (!allowed(t, &trials[k])) {
                bad = from + (double)(k + 1) * step;
                break;
            }
            good = from + (double)(k + 1) * step;
            keep(t, best, &trials[k]);
            result = 1;
        }
    }
    trials_free(trials, SIZES);
    return result;
}

static int one_trial(const tune_search *t, const double *shape, double gmacs,
                     tune_trial *best)
{
    tune_trial *trial = trials_make(t, 1);
    int result = 0;

    set_gmacs(t, shape, gmacs, trial);
    if (t->goal == TUNE_TARGET_GMACS && !allowed(t, trial))
        result = 0;
    else if (measure(t, trial, 1) != 0)
        result = -1;
    else if (allowed(t, trial))
        result = 1;
    if (result > 0)
        keep(t, best, trial);
    trials_free(trial, 1);
    return result;
}

/* The even shape in the size that the goal allows, from `all` the arithmetic
 * down. 1, 0 if there is none, -1. */
static int size_even(const tune_search *t, double *shape, double all,
                     tune_trial *best)
{
    enum { CALLS = 3 };

    set_size(t, shape, (double)t->tokens, best);
    double least = best->gmacs;
    if (t->goal == TUNE_TARGET_GMACS)
        return one_trial(t, shape, t->limit, best);
    int found = t->goal == TUNE_MAX_DROP
        ? narrow(t, shape, all, least, CALLS, best)
        : narrow(t, shape, least, all, CALLS, best);
    /* At the end: nothing merged loses nothing, all is the fastest. */
    return found != 0 ? found
        : one_trial(t, shape, t->goal == TUNE_MAX_DROP ? all : least, best);
}

/* A shape of the size of the best has room for more, where the drop is what is
 * bounded. */
static int grow(const tune_search *t, const double *shape, double all,
                tune_trial *best)
{
    double from = best->gmacs;

    if (t->goal != TUNE_MAX_DROP)
        return 0;
    return narrow(t, shape, from, from - 0.06 * all, 1, best) < 0 ? -1 : 0;
}

/* The best of the even shape and ramps, at the arithmetic of the best so far;
 * if that is next to all there is, a little below, or all would be alike. */
static int try_ramps(const tune_search *t, double *shape, double all,
                     tune_trial *best)
{
    tune_trial *trials = trials_make(t, RAMPS + 1);
    double gmacs = t->goal == TUNE_MAX_DROP && best->gmacs > 0.94 * all
        ? 0.94 * all : best->gmacs;
    size_t count = 1;

    set_gmacs(t, shape, gmacs, &trials[0]);
    for (size_t i = 0; i < RAMPS; i++) {
        ramp_shape(t, inflections[i], shape);
        set_gmacs(t, shape, gmacs, &trials[count]);
        count += trials[count].gmacs <= gmacs;
    }
    int result = measure(t, trials, count);
    if (result == 0) {
        improve(t, &trials[0], trials + 1, count - 1);
        shape_of(t, &trials[0], shape);
        improve(t, best, trials, gmacs < best->gmacs ? 0 : 1);
        result = grow(t, shape, all, best);
    }
    trials_free(trials, RAMPS + 1);
    return result;
}

/* ---- layer by layer ------------------------------------------------------ */

/* What a GMAC costs that merging `step` more in a layer saves, or what it
 * brings back to merge as many less there. */
typedef struct layer_price {
    size_t layer;
    double price;
} layer_price;

/* The layers to give to, from the cheapest on, and to take from, from the
 * dearest on. */
typedef struct layer_prices {
    layer_price *give, *take; /* [depth] */
    size_t give_count, take_count;
} layer_prices;

static int by_price(const void *a, const void *b)
{
    const layer_price *x = a, *y = b;

    if (x->price != y->price)
        return x->price < y->price ? -1 : 1;
    return (x->layer > y->layer) - (x->layer < y->layer);
}

/* Trials with `step` more or less in each layer where that is possible and
 * changes the arithmetic: their number, the layers in prices. */
static size_t vary(const tune_search *t, const tune_trial *best, size_t step,
                   int more, tune_trial *trials, layer_price *prices)
{
    size_t count = 0;

    for (size_t i = 0; i < t->depth; i++) {
        tune_trial *trial = &trials[count];
        if (!more && best->r[i] < step)
            continue;
        memcpy(trial->r, best->r, t->depth * sizeof(*trial->r));
        trial->r[i] = more ? best->r[i] + step : best->r[i] - step;
        trial->gmacs = t->gmacs(t->data, trial->r);
        prices[count].layer = i;
        count += fabs(trial->gmacs - best->gmacs) > 1e-9 * best->gmacs;
    }
    return count;
}

static void set_prices(const tune_trial *best, const tune_trial *trials,
                       size_t count, layer_price *prices)
{
    for (size_t i = 0; i < count; i++)
        prices[i].price = (trials[i].change - best->change) /
                          (best->gmacs - trials[i].gmacs);
    qsort(prices, count, sizeof(*prices), by_price);
}

static int price_layers(const tune_search *t, const tune_trial *best,
                        size_t step, layer_prices *p)
{
    tune_trial *trials = trials_make(t, 2 * t->depth);

    p->give_count = vary(t, best, step, 1, trials, p->give);
    p->take_count = vary(t, best, step, 0, trials + p->give_count, p->take);
    int result = measure(t, trials, p->give_count + p->take_count);
    set_prices(best, trials, p->give_count, p->give);
    set_prices(best, trials + p->give_count, p->take_count, p->take);
    for (size_t i = 0; i < p->take_count / 2; i++) {
        layer_price one = p->take[i];
        p->take[i] = p->take[p->take_count - 1 - i];
        p->take[p->take_count - 1 - i] = one;
    }
    trials_free(trials, 2 * t->depth);
    return result;
}

/* `step` from each of the `pairs` dearest layers and to as many of the
 * cheapest what saves as much. 0 if that cannot be. */
static int move_tokens(const tune_search *t, const tune_trial *best,
                       const layer_prices *p, size_t pairs, size_t step,
                       tune_trial *trial)
{
    if (pairs > p->give_count || pairs > p->take_count)
        return 0;
    memcpy(trial->r, best->r, t->depth * sizeof(*trial->r));
    for (size_t i = 0; i < pairs; i++)
        trial->r[p->take[i].layer] -= step;
    for (size_t more = 0; more < 8 * step * pairs; more++) {
        trial->gmacs = t->gmacs(t->data, trial->r);
        if (trial->gmacs <= best->gmacs)
            return memcmp(trial->r, best->r,
                          t->depth * sizeof(*trial->r)) != 0;
        trial->r[p->give[more % pairs].layer]++;
    }
    return 0;
}

/* One round. 1 if something was better, 0, -1. */
static int exchange(const tune_search *t, size_t step, tune_trial *best)
{
    layer_prices prices = {
        memory_zero(t->depth, sizeof(layer_price)),
        memory_zero(t->depth, sizeof(layer_price)), 0, 0
    };
    tune_trial *trials = trials_make(t, MOVES);
    size_t moves = 0;
    int result = price_layers(t, best, step, &prices);

    for (size_t pairs = 1; pairs <= MOVES && result == 0; pairs++)
        moves += (size_t)move_tokens(t, best, &prices, pairs, step,
                                     &trials[moves]);
    if (result == 0)
        result = measure(t, trials, moves);
    if (result == 0)
        result = improve(t, best, trials, moves);
    free(prices.give);
    free(prices.take);
    trials_free(trials, MOVES);
    return result;
}

static int refine(const tune_search *t, double *shape, double all,
                  tune_trial *best)
{
    size_t sum = 0;

    for (size_t i = 0; i < t->depth; i++)
        sum += best->r[i];
    size_t step = sum / t->depth / 4 + 1;
    for (size_t round = 1; round <= t->rounds; round++) {
        char name[32];
        int better = exchange(t, step, best);
        if (better > 0) {
            shape_of(t, best, shape);
            better = grow(t, shape, all, best) != 0 ? -1 : 1;
        }
        if (better < 0)
            return -1;
        snprintf(name, sizeof(name), "round %zu of %zu", round, t->rounds);
        t->said(t->data, name, best);
        /* Where nothing large helps something smaller may. */
        if (!better && step == 1)
            break;
        step = better ? step : (step + 1) / 2;
    }
    return 0;
}

int tune_search_run(const tune_search *t, tune_trial *best)
{
    double *shape = memory_zero(t->depth, sizeof(*shape));

    even_shape(t, shape);
    set_size(t, shape, 0, best);
    double all = best->gmacs;
    int found = size_even(t, shape, all, best);
    if (found > 0) {
        t->said(t->data, "even", best);
        found = try_ramps(t, shape, all, best) != 0 ? -1 : 1;
    }
    if (found > 0) {
        t->said(t->data, "ramps", best);
        found = refine(t, shape, all, best) != 0 ? -1 : 1;
    }
    free(shape);
    return found;
}
