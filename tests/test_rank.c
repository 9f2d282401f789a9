/* SPDX-License-Identifier: MIT */
/* Methods that go by the importance of tokens, on each tier. */
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <string.h>

/* ---- by hand ------------------------------------------------------------- */

static tomerge_options options_of(int method, const float *importance)
{
    tomerge_options options;

    tomerge_options_init(&options);
    options.method = method;
    options.importance = importance;
    options.protect = 1;
    return options;
}

static tomerge_plan rank_match(const tomerge_options *options, size_t tokens,
                               size_t r)
{
    tomerge_const_view none = {NULL, 0, TOMERGE_F32};

    return match_view(options, tokens, 0, none, r);
}

static void expect_map(const tomerge_plan *plan, const int32_t *map,
                       size_t rows)
{
    cr_assert_eq(plan->rows, rows);
    for (size_t i = 0; i < plan->tokens; i++)
        cr_assert_eq(plan->map[i], map[i], "token %zu goes to %d, not %d", i,
                     plan->map[i], map[i]);
    for (size_t j = 0; j < rows; j++)
        cr_assert_eq(plan->map[plan->origin[j]], (int32_t)j);
}

static const float known[] = {9, 0.5f, -1, 0.5f, 3, NAN, -INFINITY, 0};

TIER_TEST(rank, the_least_important_are_dropped)
{
    const int32_t map[] = {0, 3, -1, 4, 2, 1, -1, -1};
    const int32_t by_position[] = {0, 1, -1, 2, 3, 4, -1, -1};
    const int32_t nothing[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const int32_t everything[] = {0, -1, -1, -1, -1, -1, -1, -1};
    tomerge_options options = options_of(TOMERGE_TOPK, known);
    tomerge_plan plan = rank_match(&options, 8, 3);

    expect_map(&plan, map, 5);
    free_plan(&plan);
    options.order = TOMERGE_BY_POSITION;
    plan = rank_match(&options, 8, 3);
    expect_map(&plan, by_position, 5);
    free_plan(&plan);
    plan = rank_match(&options, 8, 0);
    expect_map(&plan, nothing, 8);
    free_plan(&plan);
    plan = rank_match(&options, 8, 100);
    expect_map(&plan, everything, 1);
    free_plan(&plan);
}

TIER_TEST(rank, the_least_important_become_one_row)
{
    const int32_t map[] = {0, 3, 4, 4, 2, 1, 4, 4};
    const int32_t everything[] = {0, 1, 1, 1, 1, 1, 1, 1};
    tomerge_options options = options_of(TOMERGE_EVIT, known);
    tomerge_plan plan = rank_match(&options, 8, 3);

    expect_map(&plan, map, 5);
    cr_assert_eq(plan.origin[4], 3);
    free_plan(&plan);
    plan = rank_match(&options, 8, 100);
    expect_map(&plan, everything, 2);
    cr_assert_eq(plan.origin[1], 5);
    free_plan(&plan);
}

/* Protected tokens stay whatever they are worth; padding is not ranked. */
TIER_TEST(rank, roles_count)
{
    const uint8_t role[] = {
        TOMERGE_MERGEABLE, TOMERGE_MERGEABLE, TOMERGE_PROTECTED,
        TOMERGE_PADDING, TOMERGE_MERGEABLE, TOMERGE_DROPPED,
        TOMERGE_MERGEABLE, TOMERGE_MERGEABLE,
    };
    const int32_t dropped[] = {0, 3, 1, 4, 2, -1, -1, -1};
    const int32_t fused[] = {0, 3, 1, 4, 2, -1, 3, 3};
    tomerge_options options = options_of(TOMERGE_TOPK, known);
    tomerge_plan plan;

    options.role = role;
    plan = rank_match(&options, 8, 2);
    expect_map(&plan, dropped, 5);
    free_plan(&plan);
    options.method = TOMERGE_EVIT;
    plan = rank_match(&options, 8, 2);
    expect_map(&plan, fused, 5);
    free_plan(&plan);
}

/* Equally important tokens: the first ones stay. */
TIER_TEST(rank, ties_are_lowest_index_first)
{
    enum { T = 300 };
    float importance[T] = {0};
    tomerge_options options = options_of(TOMERGE_TOPK, importance);
    tomerge_plan plan;

    for (int i = 0; i < T; i++)
        importance[i] = i % 2 ? 0.0f : -0.0f;
    plan = rank_match(&options, T, 120);
    cr_assert_eq(plan.rows, 180);
    for (int32_t i = 0; i < T; i++)
        cr_assert_eq(plan.map[i], i < 180 ? i : -1);
    free_plan(&plan);
}

/* A batch is its sequences one by one, wherever it begins. */
TIER_TEST(rank, a_batch_is_its_sequences)
{
    enum { S = 3, TOTAL = 60 };
    const size_t offsets[S + 1] = {5, 22, 22, 57}, r[S] = {4, 3, 9};
    const tomerge_const_view none = {NULL, 0, TOMERGE_F32};
    size_t offsets_out[S + 1], bytes;
    int32_t map[TOTAL], origin[TOTAL];
    float importance[TOTAL];
    uint64_t state = 3;
    void *workspace;

    for (int i = 0; i < TOTAL; i++)
        importance[i] = random_whole(&state, 9);
    for (int method = TOMERGE_TOPK; method <= TOMERGE_EVIT; method++) {
        tomerge_options options = options_of(method, importance);

        cr_assert_eq(tomerge_match_batch_workspace(&options, S, offsets, 0, 2,
                                                   &bytes), 0);
        workspace = test_alloc(bytes);
        cr_assert_eq(tomerge_match_batch(&options, S, offsets, 0, none, r, map,
                                         origin, offsets_out, 2, workspace,
                                         bytes), 0);
        free(workspace);
        for (size_t s = 0; s < S; s++) {
            size_t tokens = offsets[s + 1] - offsets[s];
            tomerge_plan alone;

            options.importance = importance + offsets[s];
            alone = rank_match(&options, tokens, r[s]);
            cr_assert_eq(offsets_out[s + 1] - offsets_out[s], alone.rows);
            cr_assert_eq(memcmp(map + offsets[s], alone.map,
                                tokens * sizeof(*map)), 0);
            cr_assert_eq(memcmp(origin + offsets[s], alone.origin,
                                alone.rows * sizeof(*origin)), 0);
            free_plan(&alone);
        }
    }
}

/* ---- EViT's own code ----------------------------------------------------- */

static void check_evit(const golden_sequence *c)
{
    size_t T = c->tokens, C = c->channels, rows = c->rows;
    const float *out = golden_part(c, "out", rows * C);
    float importance[256] = {1}, y[256 * 16];
    tomerge_options options = options_of(
        golden_size(c->entry, "fuse") ? TOMERGE_EVIT : TOMERGE_TOPK,
        importance);
    tomerge_plan plan;

    if (rows < T) /* else it was not even computed */
        memcpy(importance + 1, golden_part(c, "cls_attn", T - 1),
               (T - 1) * sizeof(*importance));
    plan = rank_match(&options, T, T - rows);
    expect_map(&plan, golden_part_i32(c, "group", T), rows);
    merge_f32(TOMERGE_WEIGHTED_SUM, &plan, C, golden_part(c, "x", T * C),
              importance, y, NULL);
    for (size_t i = 0; i < rows * C; i++)
        cr_assert_float_eq(y[i], out[i], fmaxf(1e-5f * fabsf(out[i]), 0x1p-23f),
                           "row %zu: %.9g, not %.9g", i / C, (double)y[i],
                           (double)out[i]);
    free_plan(&plan);
}

TIER_TEST(rank, evit_as_published)
{
    golden_each("evit", NULL, 6, check_evit);
}
