/* SPDX-License-Identifier: MIT */
/*
 * Single tokens that are protected, padding or dropped; rows in order of
 * position; plans joined, and rounds of matching that remove any number.
 */
#include "config.h"

#include "planning.h"
#include "tiers.h"

#include "../tomerge/numeric.h"

#include <math.h>
#include <string.h>

enum { MOST = 70, MOST_CHANNELS = 20 };

typedef struct scene {
    tomerge_options options;
    size_t tokens, channels, r;
    float metric[MOST * MOST_CHANNELS];
    uint8_t role[MOST];
} scene;

static scene new_scene(int round, unsigned roles, uint64_t *state)
{
    scene s = {.tokens = 2 + random_bits(state) % (MOST - 1),
               .channels = 1 + random_bits(state) % MOST_CHANNELS};

    tomerge_options_init(&s.options);
    s.options.method = round % 4;
    s.options.similarity = round / 4 % 4;
    s.options.protect = random_bits(state) % 3;
    s.options.stride = 2 + random_bits(state) % 3;
    s.options.seed = (uint64_t)round;
    s.r = random_bits(state) % s.tokens;
    for (size_t i = 0; i < s.tokens * s.channels; i++)
        s.metric[i] = random_float(state);
    for (size_t i = 0; i < s.tokens; i++)
        if (random_bits(state) % 3 == 0)
            s.role[i] = (uint8_t)(random_bits(state) % (roles + 1));
    return s;
}

static tomerge_plan match_scene(const scene *s, const uint8_t *role)
{
    tomerge_options o = s->options;

    o.role = role;
    return match_f32(&o, s->tokens, s->channels, s->metric, s->r);
}

static int there(uint8_t role)
{
    return role == TOMERGE_MERGEABLE || role == TOMERGE_PROTECTED;
}

/* The scene without the tokens that `keep` refuses, and which are left. */
static scene compacted(const scene *s, int (*keep)(uint8_t), size_t *token)
{
    scene c = *s;

    c.tokens = 0;
    for (size_t i = 0; i < s->tokens; i++) {
        if (!keep(s->role[i]))
            continue;
        memcpy(c.metric + c.tokens * c.channels, s->metric + i * s->channels,
               c.channels * sizeof(*c.metric));
        c.role[c.tokens] = s->role[i];
        token[c.tokens++] = i;
    }
    return c;
}

static void expect_origins(const tomerge_plan *plan)
{
    for (size_t j = 0; j < plan->rows; j++)
        cr_assert_eq(plan->map[plan->origin[j]], (int32_t)j);
}

/* ---- padding ------------------------------------------------------------- */

TIER_TEST(roles, padding_changes_nothing_for_the_others)
{
    uint64_t state = 31;

    for (int round = 0; round < 400; round++) {
        scene s = new_scene(round, TOMERGE_DROPPED, &state);
        size_t token[MOST];
        scene c = compacted(&s, there, token);
        tomerge_plan found = match_scene(&s, s.role);
        tomerge_plan alone = match_scene(&c, c.role);
        int32_t last = (int32_t)alone.rows;

        for (size_t p = 0; p < c.tokens; p++)
            cr_assert_eq(found.map[token[p]], alone.map[p]);
        for (size_t j = 0; j < alone.rows; j++)
            cr_assert_eq((size_t)found.origin[j], token[alone.origin[j]]);
        for (size_t i = 0; i < s.tokens; i++) {
            if (s.role[i] == TOMERGE_PADDING)
                cr_assert_eq(found.map[i], last++);
            if (s.role[i] == TOMERGE_DROPPED)
                cr_assert_eq(found.map[i], -1);
        }
        cr_assert_eq(found.rows, (size_t)last);
        expect_origins(&found);
        free_plan(&found);
        free_plan(&alone);
    }
}

/* ---- protected tokens ---------------------------------------------------- */

/* Two tokens share a row in one plan exactly if they do in the other. */
static void expect_same_groups(const tomerge_plan *a, const tomerge_plan *b)
{
    cr_assert_eq(a->tokens, b->tokens);
    cr_assert_eq(a->rows, b->rows);
    for (size_t i = 0; i < a->tokens; i++) {
        cr_assert_eq(a->map[i] < 0, b->map[i] < 0);
        for (size_t k = 0; k < i; k++)
            cr_assert_eq(a->map[i] == a->map[k], b->map[i] == b->map[k]);
    }
}

/* A token whose metric is a NaN takes its position and never merges: so does
 * one that is protected. */
TIER_TEST(roles, protected_tokens_never_merge)
{
    uint64_t state = 32;

    for (int round = 0; round < 400; round++) {
        scene s = new_scene(round, TOMERGE_PROTECTED, &state), spoilt;
        tomerge_plan found, expected;
        size_t mergeable = 0;

        s.options.method = round % 2 ? TOMERGE_ALTERNATING : TOMERGE_STRIDED;
        for (size_t i = 0; i < s.tokens; i++)
            mergeable += i >= s.options.protect && !s.role[i];
        s.r = mergeable ? s.r % (mergeable / 2 + 1) : 0;
        spoilt = s;
        for (size_t i = 0; i < s.tokens; i++)
            if (s.role[i])
                spoilt.metric[i * s.channels] = NAN;
        found = match_scene(&s, s.role);
        expected = match_scene(&spoilt, NULL);
        if (s.options.method == TOMERGE_ALTERNATING)
            expect_same_groups(&expected, &found);
        for (size_t i = 0; i < s.tokens; i++) {
            if (!s.role[i] && i >= s.options.protect)
                continue;
            cr_assert(found.map[i] >= 0);
            for (size_t k = 0; k < s.tokens; k++)
                cr_assert(k == i || found.map[k] != found.map[i]);
        }
        expect_origins(&found);
        free_plan(&found);
        free_plan(&expected);
    }
}

static int mergeable(uint8_t role)
{
    return role == TOMERGE_MERGEABLE;
}

/* Where positions do not count, protected tokens might as well be away. */
TIER_TEST(roles, protected_tokens_leave_the_partition_to_the_others)
{
    uint64_t state = 33;

    for (int round = 0; round < 200; round++) {
        scene s = new_scene(round, TOMERGE_PROTECTED, &state), c;
        tomerge_plan found, alone;
        size_t token[MOST];

        s.options.protect = 0;
        s.options.method = round % 2 ? TOMERGE_SEQUENTIAL : TOMERGE_RANDOM;
        c = compacted(&s, mergeable, token);
        found = match_scene(&s, s.role);
        alone = match_scene(&c, NULL);
        cr_assert_eq(found.rows, alone.rows + s.tokens - c.tokens);
        for (size_t p = 0; p < c.tokens; p++)
            for (size_t q = 0; q < p; q++)
                cr_assert_eq(alone.map[p] == alone.map[q],
                             found.map[token[p]] == found.map[token[q]]);
        free_plan(&found);
        free_plan(&alone);
    }
}

Test(roles, leading_tokens_may_be_protected_either_way)
{
    uint64_t state = 34;

    for (int round = 0; round < 100; round++) {
        scene s = new_scene(round, 0, &state);
        tomerge_plan by_count = match_scene(&s, s.role), by_role;

        memset(s.role, TOMERGE_PROTECTED, s.options.protect);
        s.options.protect = 0;
        by_role = match_scene(&s, s.role);
        cr_assert_eq(by_role.rows, by_count.rows);
        cr_assert_arr_eq(by_role.map, by_count.map,
                         s.tokens * sizeof(*by_role.map));
        free_plan(&by_count);
        free_plan(&by_role);
    }
}

/* ---- order --------------------------------------------------------------- */

/* 0 protected, 1 source, 2 destination, 3 padding. */
static int class_of(const scene *s, size_t token)
{
    size_t position = 0;

    if (s->role[token] == TOMERGE_PADDING)
        return 3;
    for (size_t i = 0; i < token; i++)
        position += (size_t)there(s->role[i]);
    if (s->role[token] == TOMERGE_PROTECTED || position < s->options.protect)
        return 0;
    return position % 2 ? 2 : 1;
}

Test(roles, grouped_rows_are_in_their_order)
{
    uint64_t state = 35;

    for (int round = 0; round < 300; round++) {
        scene s = new_scene(round, TOMERGE_DROPPED, &state);
        size_t kept = 0;
        tomerge_plan plan;

        s.options.method = TOMERGE_ALTERNATING;
        plan = match_scene(&s, s.role);
        for (size_t i = 0; i < s.tokens; i++)
            kept += plan.map[i] >= 0;
        for (size_t j = 1; j < plan.rows; j++) {
            size_t last = (size_t)plan.origin[j - 1];
            size_t here = (size_t)plan.origin[j];
            int before = class_of(&s, last), now = class_of(&s, here);

            /* With nothing merged only padding has left its place. */
            if (plan.rows == kept)
                cr_assert(before != 3 || now == 3);
            else
                cr_assert(before < now || (before == now && last < here));
        }
        free_plan(&plan);
    }
}

static size_t first_token(const tomerge_plan *plan, size_t row)
{
    size_t i = 0;

    while (plan->map[i] != (int32_t)row)
        i++;
    return i;
}

TIER_TEST(roles, rows_may_come_by_position)
{
    uint64_t state = 36;

    for (int round = 0; round < 300; round++) {
        scene s = new_scene(round, TOMERGE_DROPPED, &state);
        tomerge_plan grouped = match_scene(&s, s.role), plan;

        s.options.order = TOMERGE_BY_POSITION;
        plan = match_scene(&s, s.role);
        expect_same_groups(&grouped, &plan);
        expect_origins(&plan);
        for (size_t j = 1; j < plan.rows; j++) {
            size_t last = first_token(&plan, j - 1);
            size_t here = first_token(&plan, j);
            int padding = s.role[here] == TOMERGE_PADDING;

            cr_assert(padding >= (s.role[last] == TOMERGE_PADDING));
            cr_assert(last < here ||
                      padding > (s.role[last] == TOMERGE_PADDING));
        }
        /* The same token stays the one that a row is built on. */
        for (size_t i = 0; i < s.tokens; i++)
            if (plan.map[i] >= 0)
                cr_assert_eq(grouped.origin[grouped.map[i]] == (int32_t)i,
                             plan.origin[plan.map[i]] == (int32_t)i);
        free_plan(&grouped);
        free_plan(&plan);
    }
}

/* ---- batches ------------------------------------------------------------- */

TIER_TEST(roles, batches_take_each_sequence_its_own)
{
    enum { S = 3 };
    uint64_t state = 37;

    for (int round = 0; round < 50; round++) {
        size_t offsets[S + 1], out[S + 1], r[S], bytes;
        scene s = new_scene(round, TOMERGE_DROPPED, &state);
        int32_t map[MOST];
        tomerge_options o = s.options;
        void *workspace;

        o.role = s.role;
        for (size_t i = 0; i <= S; i++)
            offsets[i] = i * s.tokens / S;
        for (size_t i = 0; i < S; i++)
            r[i] = s.r / S;
        cr_assert_eq(tomerge_match_batch_workspace(&o, S, offsets, s.channels,
                                                   2, &bytes), 0);
        workspace = test_alloc(bytes);
        cr_assert_eq(tomerge_match_batch(&o, S, offsets, s.channels,
                                         view_f32(s.metric, s.channels), r,
                                         map, NULL, out, 2, workspace, bytes),
                     0);
        for (size_t i = 0; i < S; i++) {
            size_t first = offsets[i], tokens = offsets[i + 1] - first;
            tomerge_plan alone;

            o.role = s.role + first;
            alone = match_f32(&o, tokens, s.channels,
                              s.metric + first * s.channels, r[i]);
            cr_assert_eq(out[i + 1] - out[i], alone.rows);
            cr_assert_arr_eq(map + first, alone.map, tokens * sizeof(*map));
            free_plan(&alone);
        }
        free(workspace);
    }
}

/* ---- plans in turn ------------------------------------------------------- */

TIER_TEST(roles, joined_plans_are_one)
{
    uint64_t state = 38;

    for (int round = 0; round < 200; round++) {
        scene s = new_scene(round, TOMERGE_DROPPED, &state), t = s;
        tomerge_plan plan = match_scene(&s, s.role), before, next;

        before = new_plan(s.tokens);
        memcpy(before.map, plan.map, s.tokens * sizeof(*plan.map));
        memcpy(before.origin, plan.origin, s.tokens * sizeof(*plan.map));
        t.tokens = plan.rows;
        t.options.method = (round + 1) % 4;
        next = match_scene(&t, s.role);
        if (round % 3 == 0) {
            free(plan.origin);
            plan.origin = NULL;
        }
        cr_assert_eq(tomerge_join(&plan, &next), 0);
        cr_assert_eq(plan.rows, next.rows);
        for (size_t i = 0; i < s.tokens; i++)
            cr_assert_eq(plan.map[i],
                         before.map[i] < 0 ? -1 : next.map[before.map[i]]);
        for (size_t j = 0; plan.origin && j < plan.rows; j++)
            cr_assert_eq(plan.origin[j], before.origin[next.origin[j]]);
        free_plan(&plan);
        free_plan(&before);
        free_plan(&next);
    }
}

static tomerge_plan rounds(const tomerge_options *options, size_t tokens,
                           size_t channels, tomerge_const_view metric,
                           const float *size, size_t r)
{
    tomerge_plan plan = new_plan(tokens);
    void *workspace;
    size_t bytes;

    cr_assert_eq(tomerge_match_rounds_workspace(options, tokens, channels,
                                                &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_match_rounds(options, channels, metric, size, r, &plan,
                                      workspace, bytes), 0);
    free(workspace);
    return plan;
}

/* Rounds with the other public functions alone; no roles but `protect`. */
static tomerge_plan rounds_by_hand(const scene *s, const float *size)
{
    tomerge_options o = s->options;
    tomerge_plan plan = match_f32(&o, s->tokens, s->channels, s->metric, s->r);
    size_t removed = 1;

    while (plan.rows > s->tokens - s->r && removed) {
        float metric[MOST * MOST_CHANNELS];
        tomerge_plan next;

        merge_f32(TOMERGE_WEIGHTED, &plan, s->channels, s->metric, size,
                  metric, NULL);
        o.seed++;
        next = match_f32(&o, plan.rows, s->channels, metric,
                         plan.rows - (s->tokens - s->r));
        removed = next.tokens - next.rows;
        cr_assert_eq(tomerge_join(&plan, &next), 0);
        free_plan(&next);
    }
    return plan;
}

TIER_TEST(roles, rounds_are_matchings_in_turn)
{
    uint64_t state = 39;

    for (int round = 0; round < 300; round++) {
        scene s = new_scene(round, 0, &state);
        tomerge_const_view metric = view_f32(s.metric, s.channels);
        tomerge_plan found, expected;
        float size[MOST];

        s.options.method = round % 3;
        for (size_t i = 0; i < s.tokens; i++)
            size[i] = (float)(1 + random_bits(&state) % 4);
        found = rounds(&s.options, s.tokens, s.channels, metric,
                       round % 2 ? size : NULL, s.r);
        expected = rounds_by_hand(&s, round % 2 ? size : NULL);
        cr_assert_eq(found.rows, expected.rows);
        cr_assert_arr_eq(found.map, expected.map,
                         s.tokens * sizeof(*found.map));
        cr_assert_arr_eq(found.origin, expected.origin,
                         found.rows * sizeof(*found.origin));
        free_plan(&found);
        free_plan(&expected);
    }
}

/* Down to a single row beside the protected, dropped and padded tokens. */
TIER_TEST(roles, rounds_remove_any_number)
{
    uint64_t state = 40;

    for (int round = 0; round < 200; round++) {
        scene s = new_scene(round, TOMERGE_DROPPED, &state);
        size_t positions = 0, protected = 0, dropped = 0;
        tomerge_plan plan, once;

        s.options.method = round % 3;
        s.options.order = round / 3 % 2;
        s.options.role = s.role;
        for (size_t i = 0; i < s.tokens; i++) {
            dropped += s.role[i] == TOMERGE_DROPPED;
            if (!there(s.role[i]))
                continue;
            protected += s.role[i] == TOMERGE_PROTECTED ||
                         positions < s.options.protect;
            positions++;
        }
        if (positions == protected)
            continue;
        s.r %= positions - protected;
        plan = rounds(&s.options, s.tokens, s.channels,
                      view_f32(s.metric, s.channels), NULL, s.r);
        if (s.channels > 1) /* else a mean may be zero, and never merges */
            cr_assert_eq(plan.rows, s.tokens - dropped - s.r);
        expect_origins(&plan);
        once = match_scene(&s, s.role);
        if (once.rows == s.tokens - dropped - s.r)
            cr_assert_arr_eq(plan.map, once.map,
                             s.tokens * sizeof(*plan.map));
        for (size_t j = 1; s.options.order && j < plan.rows; j++)
            cr_assert(first_token(&plan, j - 1) < first_token(&plan, j) ||
                      s.role[first_token(&plan, j)] == TOMERGE_PADDING);
        free_plan(&plan);
        free_plan(&once);
    }
}

TIER_TEST(roles, rounds_take_any_type)
{
    uint64_t state = 41;

    for (int round = 0; round < 60; round++) {
        scene s = new_scene(round, 0, &state);
        uint16_t halves[MOST * MOST_CHANNELS];
        int bf16 = round % 2;
        tomerge_const_view view = {halves, (ptrdiff_t)s.channels,
                                   bf16 ? TOMERGE_BF16 : TOMERGE_F16};
        tomerge_plan found, expected;

        s.options.method = round % 4;
        for (size_t i = 0; i < s.tokens * s.channels; i++) {
            halves[i] = (bf16 ? tomerge_to_bf16 : tomerge_to_f16)(s.metric[i]);
            s.metric[i] = (bf16 ? tomerge_from_bf16
                                : tomerge_from_f16)(halves[i]);
        }
        found = rounds(&s.options, s.tokens, s.channels, view, NULL, s.r);
        expected = rounds(&s.options, s.tokens, s.channels,
                          view_f32(s.metric, s.channels), NULL, s.r);
        cr_assert_eq(found.rows, expected.rows);
        cr_assert_arr_eq(found.map, expected.map,
                         s.tokens * sizeof(*found.map));
        free_plan(&found);
        free_plan(&expected);
    }
}
