/* SPDX-License-Identifier: MIT */
/* The search for a schedule: ramps first, then layer by layer. */
#include "tune_search.h"

#include "memory.h"
#include "tomerge.h"

#include <stdlib.h>
#include <string.h>

static const double inflections[] = {0, -1, -0.5, 0.5, 1};
enum { RAMPS = sizeof(inflections) / sizeof(inflections[0]) };

/* ---- trials ------------------------------------------------------------------------ */

static tune_trial *trials_make(const tune_search *t, size_t count)
{
    tune_trial *trials = memory_zero(count, sizeof(*trials));

    for (size_t i = 0; i < count; i++)
        trials[i].r = memory_zero(t->depth, sizeof(size_t));
    return trials;
}

static void trials_free(tune_trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(trials[i].r);
    free(trials);
}

static void keep(const tune_search *t, tune_trial *best, const tune_trial *from)
{
    size_t *r = best->r;

    memcpy(r, from->r, t->depth * sizeof(*r));
    *best = *from;
    best->r = r;
}

static int allowed(const tune_search *t, const tune_trial *trial)
{
    switch (t->goal) {
    case TUNE_MAX_DROP:
        return trial->drop <= t->limit;
    case TUNE_MIN_SPEEDUP:
        return trial->speedup >= t->limit;
    default:
        return trial->gmacs <= t->limit;
    }
}

/* More images right; among equals more answers kept; then less arithmetic.
 * Where the drop is bounded arithmetic comes first. */
static int better(const tune_search *t, const tune_trial *a,
                  const tune_trial *b)
{
    if (t->goal == TUNE_MAX_DROP && a->gmacs != b->gmacs)
        return a->gmacs < b->gmacs;
    if (a->correct != b->correct)
        return a->correct > b->correct;
    if (a->agree != b->agree)
        return a->agree > b->agree;
    return a->gmacs < b->gmacs;
}

/* ---- ramps ------------------------------------------------------------------------- */

/* Where a bisection of one ramp's r stands: what is allowed is on one side. */
typedef struct bisection {
    size_t low, high;      /* the two sides */
} bisection;

static void set_ramp(const tune_search *t, size_t ramp, size_t r,
                     tune_trial *trial)
{
    tomerge_schedule(t->depth, r, inflections[ramp], trial->r);
    trial->gmacs = t->gmacs(t->data, trial->r);
}

/* Whether the answer lies above the r that was tried. */
static int go_up(const tune_search *t, const tune_trial *trial)
{
    int is_allowed = allowed(t, trial);
    return t->goal == TUNE_MAX_DROP ? is_allowed : !is_allowed;
}

/* Arithmetic is known without measuring: bisects all the way. */
static void bisect_gmacs(const tune_search *t, size_t ramp, bisection *b,
                         tune_trial *trial)
{
    while (b->high - b->low > 1) {
        size_t middle = b->low + (b->high - b->low) / 2;
        set_ramp(t, ramp, middle, trial);
        if (go_up(t, trial))
            b->low = middle;
        else
            b->high = middle;
    }
}

/* One step of all ramps, measured together; *open is how many go on. */
static int bisect_measured(const tune_search *t, bisection b[RAMPS],
                           tune_trial *trials, tune_trial *best, int *found,
                           size_t *open)
{
    size_t ramp_of[RAMPS], r_of[RAMPS], count = 0;

    for (size_t ramp = 0; ramp < RAMPS; ramp++) {
        if (b[ramp].high - b[ramp].low <= 1)
            continue;
        ramp_of[count] = ramp;
        r_of[count] = b[ramp].low + (b[ramp].high - b[ramp].low) / 2;
        set_ramp(t, ramp, r_of[count], &trials[count]);
        count++;
    }
    *open = count;
    if (count == 0)
        return 0;
    if (t->measure(t->data, trials, count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        bisection *one = &b[ramp_of[i]];
        if (go_up(t, &trials[i]))
            one->low = r_of[i];
        else
            one->high = r_of[i];
        if (allowed(t, &trials[i]) &&
            (!*found || better(t, &trials[i], best))) {
            keep(t, best, &trials[i]);
            *found = 1;
        }
    }
    return 0;
}

/* The least r of each ramp that keeps to the arithmetic, compared. */
static int ramps_by_gmacs(const tune_search *t, bisection b[RAMPS],
                          tune_trial *trials, tune_trial *best)
{
    size_t count = 0;
    int found = 0;

    for (size_t ramp = 0; ramp < RAMPS; ramp++) {
        bisect_gmacs(t, ramp, &b[ramp], &trials[count]);
        set_ramp(t, ramp, b[ramp].high, &trials[count]);
        count += (size_t)allowed(t, &trials[count]);
    }
    if (count > 0 && t->measure(t->data, trials, count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!found || better(t, &trials[i], best)) {
            keep(t, best, &trials[i]);
            found = 1;
        }
    return found;
}

/* The r from which on a ramp merges all there is. */
static size_t most_r(const tune_search *t, size_t ramp, tune_trial *trial)
{
    size_t r = 1;
    double before;

    set_ramp(t, ramp, r, trial);
    do {
        before = trial->gmacs;
        r *= 2;
        set_ramp(t, ramp, r, trial);
    } while (trial->gmacs < before && r < t->tokens);
    return r;
}

static int search_ramps(const tune_search *t, tune_trial *best)
{
    tune_trial *trials = trials_make(t, RAMPS);
    bisection b[RAMPS];
    size_t open = 1;
    int result = 0, found = 0;

    for (size_t ramp = 0; ramp < RAMPS; ramp++) {
        b[ramp].low = 0;
        b[ramp].high = most_r(t, ramp, &trials[0]);
    }
    if (t->goal == TUNE_TARGET_GMACS) {
        result = ramps_by_gmacs(t, b, trials, best);
    } else {
        /* Nothing is lost where nothing is merged. */
        found = t->goal == TUNE_MAX_DROP;
        best->gmacs = t->gmacs(t->data, best->r);
        best->speedup = 1;
        while (result == 0 && open > 0)
            result = bisect_measured(t, b, trials, best, &found, &open);
        result = result == 0 ? found : -1;
    }
    trials_free(trials, RAMPS);
    return result;
}

/* ---- layer by layer ---------------------------------------------------------------- */

/* Takes `step` from one layer and gives another as few as leave no more
 * arithmetic than `budget`. 0 if that cannot be. */
static int move_tokens(const tune_search *t, const tune_trial *best,
                       size_t from, size_t to, size_t step, tune_trial *trial)
{
    if (best->r[from] < step)
        return 0;
    memcpy(trial->r, best->r, t->depth * sizeof(*trial->r));
    trial->r[from] -= step;
    for (size_t more = 0; more <= 3 * step; more++) {
        trial->gmacs = t->gmacs(t->data, trial->r);
        if (trial->gmacs <= best->gmacs)
            return more > 0;
        size_t before = trial->r[to]++;
        t->gmacs(t->data, trial->r);
        if (trial->r[to] == before) /* there are no more to merge */
            return 0;
    }
    return 0;
}

/* What could be better than the best so far: tokens moved to layers near and
 * far; where arithmetic is what counts, also `step` more in one layer. */
static size_t propose(const tune_search *t, const tune_trial *best, size_t step,
                      tune_trial *trials)
{
    size_t count = 0, depth = t->depth;

    for (size_t i = 0; i < depth; i++) {
        if (t->goal == TUNE_MAX_DROP) {
            memcpy(trials[count].r, best->r, depth * sizeof(size_t));
            trials[count].r[i] += step;
            trials[count].gmacs = t->gmacs(t->data, trials[count].r);
            count += trials[count].gmacs < best->gmacs;
            continue;
        }
        if (depth > 1)
            count += (size_t)move_tokens(t, best, i, (i + 1) % depth, step,
                                         &trials[count]);
        if (depth > 2)
            count += (size_t)move_tokens(t, best, i, (i + depth / 2) % depth,
                                         step, &trials[count]);
    }
    return count;
}

static int refine(const tune_search *t, tune_trial *best)
{
    size_t most = 2 * t->depth, sum = 0;
    tune_trial *trials = trials_make(t, most + 1);
    int result = 0;

    for (size_t i = 0; i < t->depth; i++)
        sum += best->r[i];
    size_t step = sum / t->depth / 2 + 1;
    for (size_t round = 0; round < t->rounds && result == 0; round++) {
        size_t count = propose(t, best, step, trials), improved = 0;
        if (count > 0)
            result = t->measure(t->data, trials, count);
        for (size_t i = 0; i < count && result == 0; i++)
            if (allowed(t, &trials[i]) && better(t, &trials[i], best)) {
                keep(t, best, &trials[i]);
                improved = 1;
            }
        /* Where nothing large helps something smaller may. */
        if (!improved && step == 1)
            break;
        step = improved ? step : (step + 1) / 2;
    }
    trials_free(trials, most + 1);
    return result;
}

int tune_search_run(const tune_search *t, tune_trial *best)
{
    int found = search_ramps(t, best);

    if (found > 0 && refine(t, best) != 0)
        return -1;
    return found;
}
