/* SPDX-License-Identifier: MIT */
/*
 * Methods besides Token Merging against what the code published with them
 * gives, on each tier: the same tokens share a row, and values within 1e-5.
 */
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <string.h>

enum { MOST = 256, WIDEST = 32 };

static double number(const golden_sequence *c, const char *key)
{
    return json_number_value(json_object_get(c->entry, key));
}

static void expect_group(const golden_sequence *c, const tomerge_plan *plan)
{
    const int32_t *group = golden_part_i32(c, "group", c->tokens);

    cr_assert_eq(plan->rows, c->rows, "%s: %zu rows, not %zu",
                 golden_string(c->entry, "prefix"), plan->rows, c->rows);
    for (size_t i = 0; i < c->tokens; i++) {
        cr_assert_eq(plan->map[i] < 0, group[i] < 0);
        for (size_t j = 0; j < c->tokens; j++)
            cr_assert_eq(plan->map[i] == plan->map[j], group[i] == group[j],
                         "%s: tokens %zu and %zu",
                         golden_string(c->entry, "prefix"), i, j);
    }
}

static void expect_values(const golden_sequence *c, const tomerge_plan *plan,
                          int combine, const float *size, const char *out,
                          const char *out_size)
{
    size_t C = golden_of(c, "x")->count / (c->batch * c->tokens);
    const int32_t *group = golden_part_i32(c, "group", c->tokens);
    const float *rows = golden_part(c, out, c->rows * C);
    float y[MOST * WIDEST], sums[MOST];

    merge_f32(combine, plan, C, golden_part(c, "x", c->tokens * C), size, y,
              sums);
    for (size_t i = 0; i < c->tokens; i++) {
        if (plan->map[i] < 0)
            continue;
        for (size_t k = 0; k < C; k++) {
            float e = rows[(size_t)group[i] * C + k];

            cr_assert_float_eq(y[(size_t)plan->map[i] * C + k], e,
                               fmaxf(1e-5f * fabsf(e), 0x1p-22f));
        }
        if (out_size) {
            float e = golden_part(c, out_size, c->rows)[group[i]];

            cr_assert_float_eq(sums[plan->map[i]], e, 1e-5f * fabsf(e));
        }
    }
}

/* Mean over heads of the class token's attention. */
static void class_attention(const golden_sequence *c, float *importance)
{
    size_t heads = golden_size(c->entry, "heads");
    const float *a = golden_part(c, "attn_cls", heads * c->tokens);

    for (size_t i = 0; i < c->tokens; i++) {
        importance[i] = 0;
        for (size_t h = 0; h < heads; h++)
            importance[i] += a[h * c->tokens + i] / (float)heads;
    }
}

/* ---- one function a method ----------------------------------------------- */

static void check_ltmp(const golden_sequence *c)
{
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_THRESHOLD;
    options.protect = 1;
    options.threshold = (float)number(c, "merge_threshold");
    options.cutoff = (float)number(c, "prune_threshold");
    options.importance = golden_part(c, "importance", c->tokens);
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "metric", c->tokens * c->channels), 0);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED,
                  golden_part(c, "size", c->tokens), "out", "out_size");
    free_plan(&plan);
}

static void check_pitome(const golden_sequence *c)
{
    size_t protect = golden_size(c->entry, "class_token");
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = golden_size(c->entry, "within_energy_order")
                         ? TOMERGE_PITOME_ORDER : TOMERGE_PITOME;
    options.protect = protect;
    options.threshold = (float)number(c, "margin");
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "metric", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED,
                  golden_part(c, "size", c->tokens), "merged", "merged_size");
    free_plan(&plan);
}

static void check_ppt(const golden_sequence *c)
{
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float importance[MOST] = {0};
    tomerge_plan plan;

    memcpy(importance + 1, golden_part(c, "scores", c->tokens - 1),
           (c->tokens - 1) * sizeof(float));
    options.method = TOMERGE_PPT;
    options.protect = 1;
    options.threshold = (float)number(c, "threshold");
    options.importance = importance;
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "metric", c->tokens * c->channels),
                     golden_size(c->entry, "r"));
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED,
                  golden_part(c, "size", c->tokens), "out", "out_size");
    free_plan(&plan);
}

/* Sources count by their similarity. */
static void expect_similar_sizes(const golden_sequence *c,
                                 const tomerge_plan *plan)
{
    const int32_t *group = golden_part_i32(c, "group", c->tokens);
    const float *want = golden_part(c, "out_size", c->rows);
    float sizes[MOST];

    cr_assert_eq(tomerge_sizes_by_similarity(
                     plan, c->channels,
                     view_f32(golden_part(c, "x", c->tokens * c->channels),
                              c->channels),
                     golden_part(c, "size", c->tokens), sizes), 0);
    for (size_t i = 0; i < c->tokens; i++)
        if (plan->map[i] >= 0)
            cr_assert_float_eq(sizes[plan->map[i]], want[group[i]], 2e-5f);
}

static void check_diffrate(const golden_sequence *c)
{
    size_t keep = golden_size(c->entry, "prune_kept");
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float importance[MOST];
    tomerge_plan plan;

    class_attention(c, importance);
    options.method = TOMERGE_DIFFRATE;
    options.protect = 1;
    options.prune = keep < c->tokens ? c->tokens - keep : 0;
    options.importance = importance;
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "x", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_MEAN, NULL, "out", NULL);
    expect_similar_sizes(c, &plan);
    free_plan(&plan);
}

/* What vanishes is dropped, so the destinations are compared as they are. */
static void check_tofu(const golden_sequence *c)
{
    const char *const outs[] = {"out_prune", "out_mean", "out_amax",
                                "out_tofu"};
    const int combines[] = {TOMERGE_KEEP, TOMERGE_MEAN, TOMERGE_MAX,
                            TOMERGE_MLERP_ORIGIN};
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.protect = golden_size(c->entry, "class_token");
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "metric", c->tokens * c->channels),
                     golden_size(c->entry, "r"));
    for (int i = 0; i < 4; i++)
        expect_values(c, &plan, combines[i], NULL, outs[i], NULL);
    free_plan(&plan);
}

static void check_atc(const golden_sequence *c)
{
    const char *linkage = golden_string(c->entry, "linkage");
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_CLUSTERS;
    options.protect = golden_size(c->entry, "class_token");
    options.linkage = TOMERGE_AVERAGE;
    if (!strcmp(linkage, "complete"))
        options.linkage = TOMERGE_COMPLETE;
    else if (!strcmp(linkage, "single"))
        options.linkage = TOMERGE_SINGLE;
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "metric", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED,
                  golden_part(c, "size", c->tokens), "merged", "merged_size");
    free_plan(&plan);
}

static void check_mctf(const golden_sequence *c)
{
    static const int combines[] = {TOMERGE_WEIGHTED, TOMERGE_WEIGHTED,
                                   TOMERGE_MAX, TOMERGE_MEAN};
    size_t pooling = golden_size(c->entry, "pooling");
    int sized = golden_size(c->entry, "has_size") != 0;
    const float *received = golden_part(c, "attn_received", c->tokens);
    const float *size = sized ? golden_part(c, "size", c->tokens) : NULL;
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float weights[MOST];
    tomerge_plan plan;

    options.method = TOMERGE_MCTF;
    options.protect = 1;
    options.importance = received;
    options.size = size;
    options.tau[0] = (float)number(c, "tau_sim");
    options.tau[1] = (float)number(c, "tau_info");
    options.tau[2] = (float)number(c, "tau_size");
    options.one_way = !golden_size(c->entry, "bidirection");
    plan = match_f32(&options, c->tokens, c->channels,
                     golden_part(c, "x", c->tokens * c->channels),
                     golden_size(c->entry, "r"));
    expect_group(c, &plan);
    for (size_t i = 0; i < c->tokens; i++)
        weights[i] = (size ? size[i] : 1) * (pooling == 1 ? received[i] : 1);
    expect_values(c, &plan, combines[pooling], weights, "out", NULL);
    free_plan(&plan);
}

/* ---- by hand ------------------------------------------------------------- */

/* At the cutoff a row goes, above it its group stays; a protected one stays. */
TIER_TEST(methods, rows_at_the_cutoff_are_dropped)
{
    const float metric[][2] = {
        {1, 0}, {0, 1}, {0, 1}, {1, 0}, {1, 1}, {-1, 0}, {0, -1},
    };
    const float importance[] = {0, 2, 3, 2, 2, 2.5f, NAN};
    const int32_t map[] = {0, 2, 2, -1, -1, 3, 1};
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_THRESHOLD;
    options.protect = 1;
    options.threshold = 0.9f;
    options.cutoff = 2;
    options.importance = importance;
    plan = match_f32(&options, 7, 2, metric[0], 0);
    cr_assert_eq(plan.rows, 4);
    cr_assert_eq(memcmp(plan.map, map, sizeof(map)), 0);
    free_plan(&plan);
}

/* Shares 1/8, 3/8, 1/8, 3/8: their variance is 4/64/3 = 1/48. */
TIER_TEST(methods, a_variance_is_of_n_less_one)
{
    const float metric[][1] = {{1}, {1}, {1}, {1}, {1}};
    const float importance[] = {9, 1, 3, 1, 3};
    tomerge_options options = TOMERGE_OPTIONS_INIT;

    options.method = TOMERGE_PPT;
    options.protect = 1;
    options.importance = importance;
    for (int pool = 0; pool < 2; pool++) {
        tomerge_plan plan;

        options.threshold = pool ? 0.0209f : 0.0208f;
        plan = match_f32(&options, 5, 1, metric[0], 2);
        cr_assert_eq(plan.rows, 3);
        cr_assert_eq(plan.map[1] < 0, !pool);
        free_plan(&plan);
    }
}

/* Of 3 that go the last `prune` are dropped, the others merge. */
TIER_TEST(methods, the_least_important_are_pruned_first)
{
    const float metric[][2] = {{9, 9}, {1, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 1}};
    const float importance[] = {0, 9, 8, 3, 2, 1};
    tomerge_options options = TOMERGE_OPTIONS_INIT;

    options.method = TOMERGE_DIFFRATE;
    options.protect = 1;
    options.importance = importance;
    for (options.prune = 0; options.prune < 5; options.prune++) {
        tomerge_plan plan = match_f32(&options, 6, 2, metric[0], 3);

        cr_assert_eq(plan.rows, 3);
        for (size_t i = 3; i < 6; i++)
            cr_assert_eq(plan.map[i] < 0, i + options.prune >= 6);
        free_plan(&plan);
    }
}

/* ---- what holds for every method ----------------------------------------- */

/* Sizes of what is not dropped add up, a row has the protected token alone, and
 * a batch is its sequences, wherever it begins. */
TIER_TEST(methods, every_method_in_batches)
{
    enum { S = 4, C = 6, TOTAL = 90 };
    const size_t offsets[S + 1] = {3, 40, 40, 41, 88}, r[S] = {9, 3, 1, 20};
    float metric[TOTAL * C], importance[TOTAL], size[TOTAL];
    uint8_t role[TOTAL];
    int32_t map[TOTAL], origin[TOTAL];
    size_t offsets_out[S + 1], bytes;
    uint64_t state = 12;

    for (int i = 0; i < TOTAL * C; i++)
        metric[i] = random_whole(&state, 3);
    for (int i = 0; i < TOTAL; i++) {
        uint32_t draw = random_bits(&state) % 12;

        importance[i] = random_whole(&state, 3) + 4;
        size[i] = (float)(1 + i % 3);
        role[i] = draw < 4 ? (uint8_t)draw : TOMERGE_MERGEABLE;
    }
    for (int method = 0; tomerge_method_name(method); method++) {
        tomerge_options options = TOMERGE_OPTIONS_INIT;
        void *work;

        for (int i = 0; i < TOTAL; i++)
            if (role[i] == TOMERGE_MERGEABLE && i % 3 == 0 &&
                method == TOMERGE_GIVEN)
                role[i] = TOMERGE_DESTINATION;
            else if (role[i] == TOMERGE_DESTINATION &&
                     method != TOMERGE_GIVEN)
                role[i] = TOMERGE_MERGEABLE;
        options.method = method;
        options.protect = 1;
        options.importance = importance;
        options.size = size;
        options.role = role;
        options.threshold = 0.1f;
        options.cutoff = 2;
        options.prune = 2;
        options.order = method % 2;
        cr_assert_eq(tomerge_match_batch_workspace(&options, S, offsets, C, 2,
                                                   &bytes), 0);
        work = test_alloc(bytes);
        cr_assert_eq(tomerge_match_batch(&options, S, offsets, C,
                                         view_f32(metric, C), r, map, origin,
                                         offsets_out, 2, work, bytes), 0);
        free(work);
        for (size_t s = 0; s < S; s++) {
            size_t first = offsets[s], tokens = offsets[s + 1] - first;
            size_t dropped = 0, rows = offsets_out[s + 1] - offsets_out[s];
            float x[TOTAL] = {0}, y[TOTAL], sums[TOTAL], sum = 0;
            tomerge_plan alone;

            options.importance = importance + first;
            options.role = role + first;
            options.size = size + first;
            alone = match_f32(&options, tokens, C, metric + first * C, r[s]);
            cr_assert_eq(alone.rows, rows, "%s", tomerge_method_name(method));
            cr_assert_eq(memcmp(map + first, alone.map, tokens * 4), 0);
            cr_assert_eq(memcmp(origin + first, alone.origin, rows * 4), 0);
            merge_f32(TOMERGE_WEIGHTED, &alone, 1, x, NULL, y, sums);
            for (size_t i = 0; i < tokens; i++)
                dropped += alone.map[i] < 0;
            for (size_t j = 0; j < rows; j++)
                sum += sums[j];
            cr_assert_eq(sum, (float)(tokens - dropped));
            for (size_t i = 0; i < tokens; i++)
                if (role[first + i] == TOMERGE_PROTECTED)
                    cr_assert_eq(sums[alone.map[i]], 1, "%s",
                                 tomerge_method_name(method));
            free_plan(&alone);
        }
    }
}

/* ---- all cases of one ---------------------------------------------------- */

TIER_TEST(methods, threshold_as_ltmp)
{
    golden_each("ltmp", "block", 6, check_ltmp);
}

TIER_TEST(methods, pitome_as_published)
{
    golden_each("pitome", "vision", 13, check_pitome);
}

TIER_TEST(methods, ppt_as_published)
{
    golden_each("ppt", "block", 8, check_ppt);
}

TIER_TEST(methods, diffrate_as_published)
{
    golden_each("diffrate", "block", 9, check_diffrate);
}

TIER_TEST(methods, mctf_as_published)
{
    golden_each("mctf", "merge", 13, check_mctf);
}

TIER_TEST(methods, tofu_as_published)
{
    golden_each("tofu", "merge", 5, check_tofu);
}

TIER_TEST(methods, clusters_as_atc)
{
    golden_each("atc", "cluster", 20, check_atc);
}
