/* SPDX-License-Identifier: MIT */
/*
 * What tomerge.h promises about matching, on every tier: against a plain
 * matcher written from the header alone, and the rules about ties, rows that
 * never merge, protected tokens, strides and types.
 */
#include "config.h"

#include "guarded.h"
#include "planning.h"
#include "tiers.h"

#include "../tomerge/numeric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a plain matcher ----------------------------------------------------- */

typedef struct pairing {
    size_t source, destination;
    float score;
    int merged;
} pairing;

static int usable(const tomerge_options *o, const float *row, size_t channels)
{
    float largest = 0;

    for (size_t c = 0; c < channels; c++) {
        if (!isfinite(row[c]))
            return 0;
        largest = fmaxf(largest, fabsf(row[c]));
    }
    return o->similarity != TOMERGE_COSINE || largest > 0;
}

/* Sums of whole numbers are exact, so this is any tier's result. */
static float similarity(const tomerge_options *o, const float *a,
                        const float *b, size_t channels)
{
    float dot = 0, distance = 0, bb = 0;

    for (size_t c = 0; c < channels; c++) {
        dot += a[c] * b[c];
        bb += b[c] * b[c];
        distance += (a[c] - b[c]) * (a[c] - b[c]);
    }
    if (o->similarity == TOMERGE_COSINE)
        return dot * (1 / sqrtf(bb));
    return o->similarity == TOMERGE_EUCLIDEAN ? -distance : dot;
}

/* What sources are ranked by, given the similarity to their best. */
static float rank(const tomerge_options *o, const float *metric, size_t source,
                  float best, const int *is_destination, size_t skip,
                  size_t tokens, size_t channels)
{
    const float *a = metric + source * channels;
    float aa = 0;
    double rest = 0;

    for (size_t c = 0; c < channels; c++)
        aa += a[c] * a[c];
    if (o->similarity == TOMERGE_COSINE)
        return best * (1 / sqrtf(aa));
    if (o->similarity != TOMERGE_SOFTMAX)
        return best;
    for (size_t j = 0; j < tokens; j++)
        if (is_destination[j] && j != skip &&
            usable(o, metric + j * channels, channels))
            rest += exp((double)(similarity(o, a, metric + j * channels,
                                            channels) - best) /
                        sqrt((double)channels));
    return (float)-rest;
}

static void split(const tomerge_options *o, size_t tokens, int *is_source,
                  int *is_destination)
{
    size_t protect = o->protect < tokens ? o->protect : tokens;

    for (size_t i = protect; i < tokens; i++) {
        int source;

        if (o->method == TOMERGE_ALTERNATING)
            source = i % 2 == 0;
        else if (o->method == TOMERGE_SEQUENTIAL)
            source = i - protect < (tokens - protect + 1) / 2;
        else
            source = (i + 1) % o->stride != 0;
        if (o->method == TOMERGE_STRIDED && i >= tokens / o->stride * o->stride)
            continue;
        is_source[i] = source;
        is_destination[i] = !source;
    }
}

/* Stable: among equals the source that came first stays first. */
static void sort_by_score(pairing *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        pairing moving = pairs[i];
        size_t at = i;

        for (; at > 0 && pairs[at - 1].score < moving.score; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = moving;
    }
}

static tomerge_plan plain_match(const tomerge_options *o, size_t tokens,
                                size_t channels, const float *metric, size_t r)
{
    tomerge_plan plan = new_plan(tokens);
    pairing *pairs = test_alloc(tokens * sizeof(*pairs));
    int *is_source = test_alloc(tokens * sizeof(int));
    int *is_destination = test_alloc(tokens * sizeof(int));
    size_t n = 0, most = tomerge_max_r(o->method, tokens, o->protect);

    split(o, tokens, is_source, is_destination);
    for (size_t i = 0; i < tokens; i++) {
        pairing p = {i, 0, -INFINITY, 1};

        for (size_t j = 0; j < tokens && is_source[i]; j++) {
            float s;

            if (!is_destination[j] ||
                !usable(o, metric + i * channels, channels) ||
                !usable(o, metric + j * channels, channels))
                continue;
            s = similarity(o, metric + i * channels, metric + j * channels,
                           channels);
            if (s > p.score)
                p.score = s, p.destination = j;
        }
        if (p.score == -INFINITY)
            continue;
        p.score = rank(o, metric, i, p.score, is_destination, p.destination,
                       tokens, channels);
        pairs[n++] = p;
    }
    sort_by_score(pairs, n);
    if (o->method != TOMERGE_STRIDED)
        n = n < r ? n : r;
    n = o->method != TOMERGE_STRIDED && n > most ? most : n;

    for (size_t i = 0; i < tokens; i++)
        plan.map[i] = -1;
    for (size_t i = 0; i < tokens && i < o->protect; i++)
        plan.map[i] = (int32_t)plan.rows++;
    for (size_t i = 0; i < tokens; i++) {
        int merged = !is_source[i];

        for (size_t k = 0; k < n; k++)
            merged |= pairs[k].source == i;
        if (!merged)
            plan.map[i] = (int32_t)plan.rows++;
    }
    for (size_t i = 0; i < tokens; i++)
        if (is_destination[i])
            plan.map[i] = (int32_t)plan.rows++;
    for (size_t k = 0; k < n; k++)
        plan.map[pairs[k].source] = plan.map[pairs[k].destination];
    free(pairs);
    free(is_source);
    free(is_destination);
    return plan;
}

static void expect_equal_maps(const tomerge_plan *expected,
                              const tomerge_plan *found, const char *what)
{
    cr_assert_eq(found->rows, expected->rows, "%s: %zu rows, not %zu", what,
                 found->rows, expected->rows);
    for (size_t i = 0; i < expected->tokens; i++)
        cr_assert_eq(found->map[i], expected->map[i],
                     "%s: token %zu goes to %d, not %d", what, i,
                     found->map[i], expected->map[i]);
}

/* Every row has a token, its origin is one of them, no entry is outside. */
static void expect_valid(const tomerge_plan *plan)
{
    for (size_t i = 0; i < plan->tokens; i++)
        cr_assert(plan->map[i] >= -1 && plan->map[i] < (int32_t)plan->rows);
    for (size_t j = 0; j < plan->rows; j++) {
        cr_assert(plan->origin[j] >= 0 &&
                  (size_t)plan->origin[j] < plan->tokens);
        cr_assert_eq(plan->map[plan->origin[j]], (int32_t)j);
    }
}

static float *new_metric(size_t tokens, size_t channels, int limit,
                         uint64_t *state)
{
    float *metric = test_alloc(tokens * channels * sizeof(*metric));

    for (size_t i = 0; i < tokens * channels; i++)
        metric[i] = limit ? random_whole(state, limit) : random_float(state);
    return metric;
}

static void check_plain(const tomerge_options *o, size_t tokens,
                        size_t channels, size_t r, uint64_t *state)
{
    float *metric = new_metric(tokens, channels, 2, state);
    tomerge_plan expected, found;
    char what[120];

    if (tokens > 6 && random_bits(state) % 2)
        metric[(random_bits(state) % tokens) * channels] = NAN;
    snprintf(what, sizeof(what), "%s %s, %zu tokens, %zu channels, r %zu, "
             "protect %zu", tomerge_method_name(o->method),
             tomerge_similarity_name(o->similarity), tokens, channels, r,
             o->protect);
    found = match_f32(o, tokens, channels, metric, r);
    expect_valid(&found);
    if (o->method != TOMERGE_STRIDED &&
        (r == 0 || tomerge_max_r(o->method, tokens, o->protect) == 0)) {
        cr_assert_eq(found.rows, tokens);
        for (size_t i = 0; i < tokens; i++)
            cr_assert_eq(found.map[i], (int32_t)i);
    } else {
        expected = plain_match(o, tokens, channels, metric, r);
        expect_equal_maps(&expected, &found, what);
        free_plan(&expected);
    }
    free_plan(&found);
    free(metric);
}

/* Small whole numbers tie all the time, and are exact on every tier. */
TIER_TEST(match, equals_the_plain_matcher)
{
    static const int methods[] = {TOMERGE_ALTERNATING, TOMERGE_SEQUENTIAL,
                                  TOMERGE_STRIDED};
    static const size_t tokens[] = {1, 2, 3, 5, 8, 33, 64};
    uint64_t state = 11;
    tomerge_options o;

    tomerge_options_init(&o);
    for (int m = 0; m < 3; m++) {
        for (int s = TOMERGE_COSINE; s <= TOMERGE_EUCLIDEAN; s++) {
            for (size_t t = 0; t < 7; t++) {
                o.method = methods[m];
                o.similarity = s;
                o.stride = 2 + t % 3;
                for (o.protect = 0; o.protect <= 6; o.protect++)
                    for (size_t r = 0; r <= tokens[t]; r += 1 + r / 3)
                        check_plain(&o, tokens[t], 1 + (r + t) % 19, r, &state);
            }
        }
    }
}

/* In softmax a rank is a sum of exponentials, so near ties may fall either
 * way: random floats, where there are none. */
TIER_TEST(match, softmax_equals_the_plain_matcher)
{
    uint64_t state = 12;
    tomerge_options o;

    tomerge_options_init(&o);
    o.similarity = TOMERGE_SOFTMAX;
    for (size_t r = 1; r < 16; r++) {
        float *metric = new_metric(33, 24, 0, &state);
        tomerge_plan expected = plain_match(&o, 33, 24, metric, r);
        tomerge_plan found = match_f32(&o, 33, 24, metric, r);

        expect_equal_maps(&expected, &found, "softmax");
        free_plan(&expected);
        free_plan(&found);
        free(metric);
    }
}

TIER_TEST(match, equals_scalar_on_any_floats)
{
    uint32_t mask = tomerge_cpu_flags();
    uint64_t state = 13;
    tomerge_options o;

    tomerge_options_init(&o);
    for (int round = 0; round < 200; round++) {
        size_t tokens = 2 + random_bits(&state) % 120;
        size_t channels = 1 + random_bits(&state) % 80;
        size_t r = random_bits(&state) % tokens;
        float *metric = new_metric(tokens, channels, 0, &state);
        tomerge_plan expected, found;

        o.method = round % 4;
        o.similarity = round / 4 % 4;
        o.protect = random_bits(&state) % 4;
        o.seed = (uint64_t)round;
        found = match_f32(&o, tokens, channels, metric, r);
        tomerge_set_cpu_mask(0);
        expected = match_f32(&o, tokens, channels, metric, r);
        tomerge_set_cpu_mask(mask);
        expect_valid(&found);
        expect_equal_maps(&expected, &found, "floats");
        free_plan(&expected);
        free_plan(&found);
        free(metric);
    }
}

/* ---- rules --------------------------------------------------------------- */

Test(match, r_is_lowered_as_published)
{
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 197, 1), 98);
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 198, 2), 98);
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 5, 0), 2);
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 5, 4), 0);
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 5, 5), 0);
    cr_assert_eq(tomerge_max_r(TOMERGE_ALTERNATING, 5, SIZE_MAX), 0);
    cr_assert_eq(tomerge_max_r(TOMERGE_SEQUENTIAL, 198, 2), 98);
    cr_assert_eq(tomerge_max_r(TOMERGE_RANDOM, 198, 2), 98);
    cr_assert_eq(tomerge_max_r(TOMERGE_STRIDED, 198, 2), 196);
    cr_assert_eq(tomerge_max_r(TOMERGE_TOPK, 197, 1), 196);
    cr_assert_eq(tomerge_max_r(TOMERGE_EVIT, 197, 1), 195);
}

/* All alike: the lowest sources go, all to the lowest destination. */
TIER_TEST(match, ties_go_to_the_lowest)
{
    float metric[40 * 3];
    tomerge_options o;
    tomerge_plan plan;

    for (size_t i = 0; i < 120; i++)
        metric[i] = 0.3f * (float)(1 + i % 3);
    tomerge_options_init(&o);
    for (o.similarity = 0; o.similarity < 4; o.similarity++) {
        plan = match_f32(&o, 40, 3, metric, 5);
        cr_assert_eq(plan.rows, 35);
        for (size_t i = 0; i < 40; i += 2)
            cr_assert_eq(plan.map[i], i < 10 ? 15 : (int32_t)(i - 10) / 2);
        for (size_t i = 1; i < 40; i += 2)
            cr_assert_eq(plan.map[i], (int32_t)(15 + i / 2));
        free_plan(&plan);
    }
}

/* One bad row at each place in turn: it stays alone in its row. */
TIER_TEST(match, bad_rows_never_merge)
{
    const float bad[] = {NAN, INFINITY, -INFINITY, 0};
    uint64_t state = 14;
    tomerge_options o;

    tomerge_options_init(&o);
    for (int method = 0; method < 16; method++) {
        /* A zero row is bad only where it has no direction. */
        for (int k = 0; k < (method < 4 ? 4 : 3) * 21; k++) {
            size_t token = (size_t)k % 21, alone = 0;
            float *metric = new_metric(21, 6, 0, &state);
            tomerge_plan plan;

            for (size_t c = 0; c < 6; c++)
                if (bad[k / 21] == 0 || c == 2)
                    metric[token * 6 + c] = bad[k / 21];
            o.method = method % 4;
            o.similarity = method / 4;
            o.stride = 3;
            plan = match_f32(&o, 21, 6, metric, 21);
            expect_valid(&plan);
            for (size_t i = 0; i < 21; i++)
                alone += plan.map[i] == plan.map[token];
            cr_assert_eq(alone, 1, "%s: bad token %zu shares its row",
                         tomerge_method_name(o.method), token);
            free_plan(&plan);
            free(metric);
        }
    }
}

TIER_TEST(match, nothing_merges_into_nothing)
{
    float metric[9 * 2];
    tomerge_options o;
    tomerge_plan plan;

    for (size_t i = 0; i < 18; i++)
        metric[i] = NAN;
    tomerge_options_init(&o);
    plan = match_f32(&o, 9, 2, metric, 4);
    cr_assert_eq(plan.rows, 9);
    expect_valid(&plan);
    free_plan(&plan);
    plan = match_f32(&o, 0, 2, NULL, 4);
    cr_assert_eq(plan.rows, 0);
    free_plan(&plan);
}

/* Their rows come first and alone, whatever is protected. */
TIER_TEST(match, protected_tokens_stay)
{
    uint64_t state = 15;
    float *metric = new_metric(23, 8, 0, &state);
    uint8_t role[23];
    tomerge_options o;

    tomerge_options_init(&o);
    o.stride = 4;
    o.importance = metric;
    for (size_t i = 0; i < 23; i++)
        role[i] = i % 3 ? TOMERGE_MERGEABLE : TOMERGE_DESTINATION;
    for (o.method = 0; tomerge_method_name(o.method); o.method++) {
        o.role = o.method == TOMERGE_GIVEN ? role : NULL;
        for (o.protect = 0; o.protect <= 25; o.protect++) {
            tomerge_plan plan = match_f32(&o, 23, 8, metric, 23);

            expect_valid(&plan);
            for (size_t p = 0; p < 23 && p < o.protect; p++)
                for (size_t i = 0; i < 23; i++)
                    cr_assert_eq(plan.map[i] == (int32_t)p, i == p);
            if (tomerge_method_needs(o.method) & TOMERGE_NEEDS_R &&
                o.method != TOMERGE_GIVEN)
                cr_assert_eq(plan.rows,
                             23 - tomerge_max_r(o.method, 23, o.protect));
            free_plan(&plan);
        }
    }
    free(metric);
}

/* Powers of two change no direction, however far they go. */
TIER_TEST(match, cosine_does_not_see_scale)
{
    uint64_t state = 16;
    float *metric = new_metric(50, 16, 0, &state);
    tomerge_options o;
    tomerge_plan expected, found;

    tomerge_options_init(&o);
    expected = match_f32(&o, 50, 16, metric, 12);
    for (int exponent = -100; exponent <= 120; exponent += 20) {
        float *scaled = test_alloc(50 * 16 * sizeof(float));

        for (size_t i = 0; i < 50 * 16; i++)
            scaled[i] = ldexpf(metric[i],
                               i / 16 % 3 ? exponent : -exponent / 2);
        found = match_f32(&o, 50, 16, scaled, 12);
        expect_equal_maps(&expected, &found, "scaled");
        free_plan(&found);
        free(scaled);
    }
    free_plan(&expected);
    free(metric);
}

/* ---- the random partition ------------------------------------------------ */

/* Without sizes to see, the sources are the tokens that are no origin. */
Test(match, random_partition_is_fair_and_repeatable)
{
    size_t drawn[12] = {0};
    uint64_t state = 17;
    float *metric = new_metric(12, 4, 0, &state);
    tomerge_options o;

    tomerge_options_init(&o);
    o.method = TOMERGE_RANDOM;
    o.protect = 2;
    for (o.seed = 0; o.seed < 5000; o.seed++) {
        tomerge_plan plan = match_f32(&o, 12, 4, metric, 3);
        tomerge_plan again = match_f32(&o, 12, 4, metric, 3);
        int origin[12] = {0};

        cr_assert_eq(plan.rows, 9);
        expect_equal_maps(&plan, &again, "again");
        for (size_t j = 0; j < plan.rows; j++)
            origin[plan.origin[j]] = 1;
        for (size_t i = 0; i < 12; i++)
            drawn[i] += !origin[i];
        free_plan(&plan);
        free_plan(&again);
    }
    /* 3 of 10 in 5000 draws: 1500, standard deviation 32. */
    for (size_t i = 0; i < 12; i++) {
        if (i < 2)
            cr_assert_eq(drawn[i], 0);
        else
            cr_assert(drawn[i] > 1340 && drawn[i] < 1660, "token %zu: %zu", i,
                      drawn[i]);
    }
    free(metric);
}

/* ---- buffers ------------------------------------------------------------- */

/* Backwards, with gaps, and ending at a page nobody may read. */
TIER_TEST(match, strides_and_edges)
{
    uint64_t state = 18;
    float *metric = new_metric(37, 11, 0, &state);
    tomerge_options o;
    tomerge_plan expected, found;

    tomerge_options_init(&o);
    expected = match_f32(&o, 37, 11, metric, 9);
    for (size_t gap = 0; gap < 4; gap++) {
        size_t stride = 11 + gap, count = 36 * stride + 11;
        guarded g = guarded_new(count * sizeof(float));
        float *rows = (float *)(void *)g.data;
        tomerge_const_view back = {rows + 36 * stride, -(ptrdiff_t)stride,
                                   TOMERGE_F32};

        for (size_t i = 0; i < 37; i++)
            memcpy(rows + i * stride, metric + i * 11, 11 * sizeof(float));
        found = match_view(&o, 37, 11, view_f32(rows, stride), 9);
        expect_equal_maps(&expected, &found, "stride");
        free_plan(&found);
        for (size_t i = 0; i < 37; i++)
            memcpy(rows + (36 - i) * stride, metric + i * 11,
                   11 * sizeof(float));
        found = match_view(&o, 37, 11, back, 9);
        expect_equal_maps(&expected, &found, "negative stride");
        free_plan(&found);
        guarded_free(&g);
    }
    free_plan(&expected);
    free(metric);
}

TIER_TEST(match, narrow_types_compare_in_f32)
{
    uint64_t state = 19;
    float *metric = new_metric(41, 13, 0, &state);
    uint16_t *half = test_alloc(41 * 13 * sizeof(*half));
    tomerge_options o;

    tomerge_options_init(&o);
    for (int dtype = TOMERGE_BF16; dtype <= TOMERGE_F16; dtype++) {
        tomerge_const_view view = {half, 13, dtype};
        tomerge_plan expected, found;

        for (size_t i = 0; i < 41 * 13; i++) {
            int bf16 = dtype == TOMERGE_BF16;

            half[i] = (bf16 ? tomerge_to_bf16 : tomerge_to_f16)(metric[i]);
            metric[i] = (bf16 ? tomerge_from_bf16 : tomerge_from_f16)(half[i]);
        }
        expected = match_f32(&o, 41, 13, metric, 10);
        found = match_view(&o, 41, 13, view, 10);
        expect_equal_maps(&expected, &found, "halves");
        free_plan(&expected);
        free_plan(&found);
    }
    free(metric);
    free(half);
}

/* As small as the query says, at every misalignment, up to a bad page. */
TIER_TEST(match, workspace_is_as_large_as_said)
{
    uint64_t state = 20;
    float *metric = new_metric(29, 17, 0, &state);
    tomerge_options o;
    tomerge_plan expected, plan = new_plan(29);
    size_t bytes;

    tomerge_options_init(&o);
    for (o.similarity = 0; o.similarity < 4; o.similarity++) {
        expected = match_f32(&o, 29, 17, metric, 7);
        cr_assert_eq(tomerge_match_workspace(&o, 29, 17, &bytes), 0);
        for (size_t shift = 0; shift < 65; shift += 4) {
            guarded g = guarded_new(bytes + shift);

            memset(g.data, 0xff, bytes); /* NaN everywhere */
            cr_assert_eq(tomerge_match(&o, 17, view_f32(metric, 17), 7, &plan,
                                       g.data, bytes), 0);
            expect_equal_maps(&expected, &plan, "workspace");
            cr_assert(guarded_intact(&g));
            for (size_t i = bytes; i < bytes + shift; i++)
                cr_assert_eq(g.data[i], GUARD_BYTE);
            guarded_free(&g);
        }
        free_plan(&expected);
    }
    free_plan(&plan);
    free(metric);
}
