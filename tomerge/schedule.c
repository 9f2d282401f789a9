/* SPDX-License-Identifier: MIT */
/* r for every layer: ramps, lists, and the schedule of a merge ratio. */
#include "build.h"

#include "tomerge.h"

#include <math.h>

int tomerge_schedule(size_t layers, size_t r, double inflection, size_t *out)
{
    double first, last, step;

    if (layers == 0 || !out || !(inflection >= -1 && inflection <= 1))
        return TOMERGE_EINVAL;
    if (r > INT32_MAX || layers > INT32_MAX)
        return TOMERGE_ERANGE;
    if (layers == 1) {
        out[0] = r;
        return 0;
    }
    first = trunc((double)r * (1 - inflection));
    last = 2 * (double)r - first;
    step = (last - first) / (double)(layers - 1);
    for (size_t l = 0; l < layers; l++) {
        double value = first + step * (double)l;

        /* Rounding of the step may leave a falling ramp just below 0. */
        out[l] = value > 0 ? (size_t)value : 0;
    }
    return 0;
}

int tomerge_schedule_list(size_t layers, size_t count, const size_t *list,
                          size_t *out)
{
    if (layers == 0 || count > layers || (count && !list) || !out)
        return TOMERGE_EINVAL;
    if (layers > INT32_MAX)
        return TOMERGE_ERANGE;
    for (size_t l = 0; l < layers; l++)
        out[l] = l < count ? list[l] : 0;
    return 0;
}

/* What is merged: `count` layers, entered by `tokens`. */
typedef struct stack {
    int method;
    size_t count, tokens, protect;
} stack;

static int check_stack(const stack *layers)
{
    if (layers->count == 0 || layers->tokens == 0)
        return TOMERGE_EINVAL;
    if (!tomerge_method_name(layers->method))
        return TOMERGE_EOPTION;
    return layers->count > INT32_MAX || layers->tokens > INT32_MAX
               ? TOMERGE_ERANGE : 0;
}

/* Tokens after a layer that merges r of them away. */
static size_t after(const stack *layers, size_t tokens, size_t r)
{
    size_t most = tomerge_max_r(layers->method, tokens, layers->protect);

    return tokens - (r < most ? r : most);
}

int tomerge_schedule_tokens(int method, size_t layers, size_t tokens,
                            size_t protect, const size_t *r, size_t *out,
                            double *ratio)
{
    stack all = {method, layers, tokens, protect};
    size_t left = tokens;
    double merged = 0;
    int error = r ? check_stack(&all) : TOMERGE_EINVAL;

    if (error)
        return error;
    for (size_t l = 0; l < layers; l++) {
        left = after(&all, left, r[l]);
        merged += (double)(tokens - left);
        if (out)
            out[l] = left;
    }
    if (ratio)
        *ratio = merged / ((double)tokens * (double)layers);
    return 0;
}

/* ---- the schedule of a merge ratio --------------------------------------- */

/* Tokens missing after each layer, summed over the layers: the merge ratio
 * times tokens * layers. r may ask for more than a layer can merge. */
static uint64_t missing(const stack *layers, const size_t *r)
{
    size_t left = layers->tokens;
    uint64_t sum = 0;

    for (size_t l = 0; l < layers->count; l++) {
        left = after(layers, left, r[l]);
        sum += layers->tokens - left;
    }
    return sum;
}

static uint64_t missing_constant(const stack *layers, size_t q, size_t *r)
{
    for (size_t l = 0; l < layers->count; l++)
        r[l] = q;
    return missing(layers, r);
}

/* Leaves in r the largest constant that does not go beyond `target`. */
static size_t largest_constant(const stack *layers, uint64_t target, size_t *r)
{
    size_t low = 0, high = tomerge_max_r(layers->method, layers->tokens,
                                          layers->protect);

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (missing_constant(layers, middle, r) <= target)
            low = middle;
        else
            high = middle - 1;
    }
    missing_constant(layers, low, r);
    return low;
}

/* Raises by one, the earliest first, every layer that can be without going
 * beyond `target`. Returns what is missing then. */
static uint64_t raise_below(const stack *layers, uint64_t target, size_t *r)
{
    uint64_t sum = missing(layers, r);

    for (size_t l = 0; l < layers->count; l++) {
        uint64_t raised;

        r[l]++;
        raised = missing(layers, r);
        if (raised <= target)
            sum = raised;
        else
            r[l]--;
    }
    return sum;
}

/* Raises one more layer, that which comes nearest to `target`, if any comes
 * nearer than `sum`. */
static void raise_beyond(const stack *layers, double target, uint64_t sum,
                         size_t q, size_t *r)
{
    double nearest = fabs(target - (double)sum);
    size_t best = layers->count;

    for (size_t l = 0; l < layers->count; l++) {
        double miss;

        if (r[l] != q)
            continue;
        r[l]++;
        miss = fabs((double)missing(layers, r) - target);
        r[l]--;
        if (miss < nearest) {
            nearest = miss;
            best = l;
        }
    }
    if (best < layers->count)
        r[best]++;
}

/*
 * From the constant schedule just below the target, layers are raised by one.
 * A token merged in layer l is missing in layers - l layers, and every whole
 * number up to 1 + 2 + ... + layers is a sum of some of these, so the nearest
 * whole number is met unless layers run out of tokens to merge; even then no
 * single step is longer than `layers`.
 */
int tomerge_schedule_ratio(int method, size_t layers, size_t tokens,
                           size_t protect, double ratio, size_t *out)
{
    stack all = {method, layers, tokens, protect};
    double target = ratio * (double)tokens * (double)layers;
    uint64_t most = 0, whole, sum;
    size_t left = tokens, q;
    int error = out && ratio >= 0 && ratio < 1 ? check_stack(&all)
                                               : TOMERGE_EINVAL;

    if (error)
        return error;
    for (size_t l = 0; l < layers; l++) {
        left = after(&all, left, tokens);
        most += tokens - left;
    }
    if (target > (double)most + 0.5 * (double)layers)
        return TOMERGE_ERANGE;

    whole = (uint64_t)llround(target);
    q = largest_constant(&all, whole, out);
    sum = raise_below(&all, whole, out);
    raise_beyond(&all, target, sum, q, out);
    left = tokens;
    for (size_t l = 0; l < layers; l++) {
        size_t next = after(&all, left, out[l]);

        out[l] = left - next;
        left = next;
    }
    return 0;
}
