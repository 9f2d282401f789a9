/* SPDX-License-Identifier: MIT */
/*
 * Partitions that the caller gives, two-dimensional ones among them, and calls
 * that remove exactly r tokens; on each tier.
 */
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <string.h>

/* ---- partitions ---------------------------------------------------------- */

Test(partition, a_list_names_destinations)
{
    const int32_t list[] = {4, 0, 4};
    const uint8_t expected[] = {4, 0, 0, 0, 4, 0};
    uint8_t role[7];

    memset(role, 9, sizeof(role));
    cr_assert_eq(tomerge_partition_list(6, 3, list, role), 0);
    cr_assert_eq(memcmp(role, expected, sizeof(expected)), 0);
    cr_assert_eq(role[6], 9);
    cr_assert_eq(tomerge_partition_list(0, 0, NULL, NULL), 0);
}

/* 3 rows of 5 in tiles of 2 by 2: the last row and column are in none. */
Test(partition, a_fixed_grid_has_the_top_left_of_each_tile)
{
    const uint8_t expected[] = {4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t role[15];

    cr_assert_eq(tomerge_partition_grid(3, 5, 2, 2, NULL, role), 0);
    cr_assert_eq(memcmp(role, expected, sizeof(expected)), 0);
    cr_assert_eq(tomerge_partition_grid(3, 5, 4, 2, NULL, role), 0);
    for (int i = 0; i < 15; i++)
        cr_assert_eq(role[i], TOMERGE_MERGEABLE);
    cr_assert_eq(tomerge_partition_grid(3, 5, SIZE_MAX, 2, NULL, role), 0);
    cr_assert_eq(tomerge_partition_grid(0, 5, 1, 1, NULL, NULL), 0);
}

/* One of every tile, each place about equally often, the same by seed. */
Test(partition, a_random_grid_has_one_of_each_tile)
{
    enum { H = 9, W = 8, SY = 3, SX = 2, ROUNDS = 1000 };
    int times[SY * SX] = {0};
    uint8_t role[H * W], again[H * W];

    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        cr_assert_eq(tomerge_partition_grid(H, W, SY, SX, &seed, role), 0);
        cr_assert_eq(tomerge_partition_grid(H, W, SY, SX, &seed, again), 0);
        cr_assert_eq(memcmp(role, again, sizeof(role)), 0);
        for (int tile = 0; tile < H / SY * (W / SX); tile++) {
            int y = tile / (W / SX) * SY, x = tile % (W / SX) * SX, count = 0;

            for (int i = 0; i < SY * SX; i++) {
                int is = role[(y + i / SX) * W + x + i % SX] ==
                         TOMERGE_DESTINATION;

                count += is;
                times[i] += is;
            }
            cr_assert_eq(count, 1);
        }
    }
    for (int i = 0; i < SY * SX; i++) /* of 2000, with deviation 41 */
        cr_assert(times[i] > 1750 && times[i] < 2250, "%d", times[i]);
}

/* Sources merge where they are most similar, whatever their position, and
 * protected tokens take no part. */
TIER_TEST(partition, sources_go_to_given_destinations)
{
    const float metric[][2] = {
        {0, 1}, {1, 0}, {1, 0.1f}, {0, 1}, {0.1f, 1}, {1, 0}, {1, 0},
    };
    const uint8_t role[] = {
        TOMERGE_MERGEABLE, TOMERGE_DESTINATION, TOMERGE_MERGEABLE,
        TOMERGE_DESTINATION, TOMERGE_MERGEABLE, TOMERGE_PROTECTED,
        TOMERGE_MERGEABLE,
    };
    const int32_t all[] = {0, 2, 2, 3, 3, 1, 2};
    const int32_t two[] = {0, 4, 2, 5, 3, 1, 4};
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_GIVEN;
    options.protect = 1;
    options.role = role;
    plan = match_f32(&options, 7, 2, metric[0], 100);
    cr_assert_eq(plan.rows, 4);
    cr_assert_eq(memcmp(plan.map, all, sizeof(all)), 0);
    free_plan(&plan);
    plan = match_f32(&options, 7, 2, metric[0], 1);
    cr_assert_eq(plan.rows, 6);
    cr_assert_eq(memcmp(plan.map, two, sizeof(two)), 0);
    free_plan(&plan);
}

/* ---- exactly r ----------------------------------------------------------- */

/* Tokens 0 and 4 have no direction, 3 is a destination that holds a NaN. */
TIER_TEST(partition, what_cannot_be_compared_merges_last)
{
    const float metric[][2] = {
        {0, 0}, {1, 0}, {1, 1}, {NAN, 1}, {0, 0}, {0, 1}, {0, 1}, {1, 0},
    };
    const int32_t three[] = {1, 0, 0, 1, 1, 2, 2, 3};
    const int32_t loose[] = {0, 2, 2, 3, 1, 4, 4, 5};
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan = match_f32(&options, 8, 2, metric[0], 4);

    cr_assert_eq(plan.rows, 6);
    cr_assert_eq(memcmp(plan.map, loose, sizeof(loose)), 0);
    free_plan(&plan);
    options.exact = 1;
    plan = match_f32(&options, 8, 2, metric[0], 4);
    cr_assert_eq(plan.rows, 4);
    cr_assert_eq(memcmp(plan.map, three, sizeof(three)), 0);
    free_plan(&plan);
    plan = match_f32(&options, 8, 2, metric[0], 3);
    cr_assert_eq(plan.rows, 5);
    cr_assert_eq(plan.map[0], plan.map[3]); /* the first of them first */
    cr_assert_neq(plan.map[4], plan.map[3]);
    free_plan(&plan);
}

static size_t removable(const tomerge_options *o, size_t tokens, size_t *there)
{
    size_t mergeable = 0, sources = 0, most;

    *there = 0;
    for (size_t i = 0; i < tokens; i++) {
        int role = o->role[i];

        if (role == TOMERGE_PADDING || role == TOMERGE_DROPPED)
            continue;
        if ((*there)++ < o->protect || role == TOMERGE_PROTECTED)
            continue;
        mergeable++;
        sources += role != TOMERGE_DESTINATION;
    }
    most = tomerge_max_r(o->method, mergeable, 0);
    if (o->method != TOMERGE_GIVEN)
        return most;
    return sources < mergeable ? sources : 0;
}

/* Whatever the metric holds and wherever tokens are protected. */
TIER_TEST(partition, exactly_r_tokens_go)
{
    enum { T = 33, C = 3, METHODS = TOMERGE_MUTUAL + 1 };
    const float bad[] = {NAN, INFINITY, 0, 0};
    uint64_t state = 77;

    for (int round = 0; round < 3000; round++) {
        tomerge_options options = TOMERGE_OPTIONS_INIT;
        size_t tokens = random_bits(&state) % (T + 1), r, there, most;
        size_t padding = 0;
        float metric[T * C];
        uint8_t role[T];
        tomerge_plan plan;

        do
            options.method = (int)(random_bits(&state) % METHODS);
        while (!(tomerge_method_needs(options.method) & TOMERGE_NEEDS_R));
        options.linkage = round % 3;
        options.prune = random_bits(&state) % 4;
        options.threshold = random_float(&state) / 9;
        options.similarity = (int)(random_bits(&state) % 4);
        options.exact = 1;
        options.importance = metric;
        options.role = role;
        options.protect = random_bits(&state) % 3;
        for (size_t i = 0; i < tokens; i++) {
            uint32_t draw = random_bits(&state) % 16;

            for (size_t c = 0; c < C; c++)
                metric[i * C + c] = random_whole(&state, 2);
            if (round % 2 && random_bits(&state) % 3 == 0)
                for (size_t c = 0; c < C; c++)
                    metric[i * C + c] = bad[random_bits(&state) % 4];
            role[i] = draw < 4 ? (uint8_t)draw : TOMERGE_MERGEABLE;
            if (options.method == TOMERGE_GIVEN && draw > 11)
                role[i] = TOMERGE_DESTINATION;
            padding += role[i] == TOMERGE_PADDING;
        }
        r = random_bits(&state) % (T + 3);
        most = removable(&options, tokens, &there);
        plan = match_f32(&options, tokens, C, metric, r);
        cr_assert_eq(plan.rows, there - (r < most ? r : most) + padding,
                     "%s: %zu rows of %zu, r %zu, most %zu",
                     tomerge_method_name(options.method), plan.rows, there, r,
                     most);
        free_plan(&plan);
    }
}

/* Where everything can be compared, it changes nothing. */
TIER_TEST(partition, exact_is_the_same_where_it_can_be)
{
    enum { T = 40, C = 5 };
    uint64_t state = 5;
    float metric[T * C];

    for (int i = 0; i < T * C; i++)
        metric[i] = random_float(&state);
    for (int method = 0; method < TOMERGE_STRIDED; method++) {
        for (size_t r = 0; r <= T; r++) {
            tomerge_options options = TOMERGE_OPTIONS_INIT;
            tomerge_plan loose, exact;

            options.method = method;
            options.protect = 1;
            loose = match_f32(&options, T, C, metric, r);
            options.exact = 1;
            exact = match_f32(&options, T, C, metric, r);
            cr_assert_eq(loose.rows, exact.rows);
            cr_assert_eq(memcmp(loose.map, exact.map, T * sizeof(int32_t)),
                         0);
            free_plan(&loose);
            free_plan(&exact);
        }
    }
}

/* ---- Token Merging for Stable Diffusion's own code ----------------------- */

/* Row numbers differ, for the original's order is that of an unstable sort:
 * the same tokens must share a row, with the same values. */
static void check_grid(const golden_sequence *c)
{
    size_t T = c->tokens, C = c->channels;
    size_t w = golden_size(c->entry, "w"), h = golden_size(c->entry, "h");
    size_t sx = golden_size(c->entry, "sx"), sy = golden_size(c->entry, "sy");
    const float *merged = golden_part(c, "merged", c->rows * C);
    const float *unmerged = golden_part(c, "unmerged", T * C);
    const int32_t *group = golden_part_i32(c, "group", T);
    const golden_tensor *given = golden_of(c, "dst_pos");
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    uint8_t role[256], fixed[256];
    float y[256 * 32], back[256 * 32];
    tomerge_plan plan;

    cr_assert_eq(given->dtype, GOLDEN_I32);
    cr_assert_eq(given->count, (h / sy) * (w / sx));
    cr_assert_eq(tomerge_partition_list(T, given->count, given->data, role),
                 0);
    if (golden_size(c->entry, "no_rand")) {
        cr_assert_eq(tomerge_partition_grid(h, w, sy, sx, NULL, fixed), 0);
        cr_assert_eq(memcmp(role, fixed, T), 0);
    }
    options.method = TOMERGE_GIVEN;
    options.role = role;
    plan = match_f32(&options, T, C, golden_part(c, "metric", T * C),
                     golden_size(c->entry, "r"));
    cr_assert_eq(plan.rows, c->rows);
    merge_f32(TOMERGE_MEAN, &plan, C, golden_part(c, "x", T * C), NULL, y,
              NULL);
    cr_assert_eq(tomerge_unmerge(&plan, C, view_f32(y, C),
                                 view_f32_out(back, C)), 0);
    for (size_t i = 0; i < T; i++) {
        for (size_t j = 0; j < T; j++)
            cr_assert_eq(plan.map[i] == plan.map[j], group[i] == group[j]);
        for (size_t k = 0; k < C; k++) {
            float e = merged[(size_t)group[i] * C + k];

            cr_assert_float_eq(y[(size_t)plan.map[i] * C + k], e,
                               fmaxf(1e-5f * fabsf(e), 0x1p-23f));
            e = unmerged[i * C + k];
            cr_assert_float_eq(back[i * C + k], e,
                               fmaxf(1e-5f * fabsf(e), 0x1p-23f));
        }
    }
    free_plan(&plan);
}

TIER_TEST(partition, grids_as_published)
{
    golden_each("tomesd", NULL, 13, check_grid);
}
