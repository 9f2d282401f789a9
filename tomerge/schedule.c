/* SPDX-License-Identifier: MIT */
/* r for every layer: ramps, lists, and the schedule of a merge ratio. */
#include "config.h"

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

/* Tokens after a layer that merges r of them away. */
static size_t after(size_t tokens, size_t protect, size_t r)
{
    size_t most = tomerge_max_r(tokens, protect);

    return tokens - (r < most ? r : most);
}

int tomerge_schedule_tokens(size_t layers, size_t tokens, size_t protect,
                            const size_t *r, size_t *out, double *ratio)
{
    size_t left = tokens;
    double merged = 0;

    if (layers == 0 || tokens == 0 || !r)
        return TOMERGE_EINVAL;
    if (layers > INT32_MAX || tokens > INT32_MAX)
        return TOMERGE_ERANGE;
    for (size_t l = 0; l < layers; l++) {
        left = after(left, protect, r[l]);
        merged += (double)(tokens - left);
        if (out)
            out[l] = left;
    }
    if (ratio)
        *ratio = merged / ((double)tokens * (double)layers);
    return 0;
}

/* ---- the schedule of a merge ratio -------------------------------------------- */

/* Tokens missing after each layer, summed over the layers, at a constant q. */
static uint64_t missing(size_t layers, size_t tokens, size_t protect, size_t q)
{
    size_t left = tokens;
    uint64_t sum = 0;

    for (size_t l = 0; l < layers; l++) {
        left = after(left, protect, q);
        sum += tokens - left;
    }
    return sum;
}

/* The largest q whose constant schedule does not go beyond `target`. */
static size_t largest_constant(size_t layers, size_t tokens, size_t protect,
                               uint64_t target)
{
    size_t low = 0, high = tomerge_max_r(tokens, protect);

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (missing(layers, tokens, protect, middle) <= target)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/*
 * From the constant schedule just below the target, layers are raised by one,
 * the earliest first, wherever that does not go beyond it. A token merged in
 * layer l is missing in layers - l layers, and every whole number is a sum of
 * some of 1 .. layers, so the target itself is met unless layers run out of
 * tokens to merge.
 */
int tomerge_schedule_ratio(size_t layers, size_t tokens, size_t protect,
                           double ratio, size_t *out)
{
    uint64_t target, most, sum = 0;
    size_t q, left = tokens;

    if (layers == 0 || tokens == 0 || !out || !(ratio >= 0 && ratio < 1))
        return TOMERGE_EINVAL;
    if (layers > INT32_MAX || tokens > INT32_MAX)
        return TOMERGE_ERANGE;
    most = missing(layers, tokens, protect, tokens);
    if (ratio * (double)tokens * (double)layers >
        (double)most + 0.5 * (double)layers)
        return TOMERGE_ERANGE;
    target = (uint64_t)llround(ratio * (double)tokens * (double)layers);
    q = largest_constant(layers, tokens, protect, target);
    for (size_t l = 0; l < layers; l++) {
        size_t raised = after(left, protect, q + 1);
        uint64_t rest = missing(layers - l - 1, raised, protect, q) +
                        (uint64_t)(tokens - raised) * (layers - l - 1);
        size_t next = sum + (tokens - raised) + rest <= target
                          ? raised : after(left, protect, q);

        out[l] = left - next;
        left = next;
        sum += tokens - left;
    }
    return 0;
}
