/* SPDX-License-Identifier: MIT */
/*
 * Methods besides Token Merging against what the code published with them
 * gives, on each tier: the same tokens share a row, and values within 1e-5.
 */
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 256, WIDEST = 32 };

/* One sequence of a case. */
typedef struct method_case {
    const golden_file *file;
    const json_t *entry;
    size_t b, batch, tokens, channels, rows;
} method_case;

static double number(const method_case *c, const char *key)
{
    return json_number_value(json_object_get(c->entry, key));
}

static const golden_tensor *tensor(const method_case *c, const char *name)
{
    char full[64];

    snprintf(full, sizeof(full), "%s%s", golden_string(c->entry, "prefix"),
             name);
    return golden_find(c->file, full);
}

/* This sequence's part of a tensor. */
static const float *f32(const method_case *c, const char *name, size_t count)
{
    const golden_tensor *t = tensor(c, name);

    cr_assert(t && t->dtype == GOLDEN_F32 && t->count == c->batch * count,
              "%s", name);
    return (const float *)t->data + c->b * count;
}

static const int32_t *i32(const method_case *c, const char *name, size_t count)
{
    const golden_tensor *t = tensor(c, name);

    cr_assert(t && t->dtype == GOLDEN_I32 && t->count == c->batch * count,
              "%s", name);
    return (const int32_t *)t->data + c->b * count;
}

static void expect_group(const method_case *c, const tomerge_plan *plan)
{
    const int32_t *group = i32(c, "group", c->tokens);

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

static void expect_values(const method_case *c, const tomerge_plan *plan,
                          int combine, const float *size, const char *out,
                          const char *out_size)
{
    size_t C = tensor(c, "x")->count / (c->batch * c->tokens);
    const int32_t *group = i32(c, "group", c->tokens);
    const float *rows = f32(c, out, c->rows * C);
    float y[MOST * WIDEST], sums[MOST];

    merge_f32(combine, plan, C, f32(c, "x", c->tokens * C), size, y, sums);
    for (size_t i = 0; i < c->tokens; i++) {
        if (plan->map[i] < 0)
            continue;
        for (size_t k = 0; k < C; k++) {
            float e = rows[(size_t)group[i] * C + k];

            cr_assert_float_eq(y[(size_t)plan->map[i] * C + k], e,
                               fmaxf(1e-5f * fabsf(e), 0x1p-22f));
        }
        if (out_size) {
            float e = f32(c, out_size, c->rows)[group[i]];

            cr_assert_float_eq(sums[plan->map[i]], e, 1e-5f * fabsf(e));
        }
    }
}

/* Mean over heads of the class token's attention. */
static void class_attention(const method_case *c, float *importance)
{
    size_t heads = golden_size(c->entry, "heads");
    const float *a = f32(c, "attn_cls", heads * c->tokens);

    for (size_t i = 0; i < c->tokens; i++) {
        importance[i] = 0;
        for (size_t h = 0; h < heads; h++)
            importance[i] += a[h * c->tokens + i] / (float)heads;
    }
}

/* ---- one function a method --------------------------------------------------- */

static void check_ltmp(const method_case *c)
{
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_THRESHOLD;
    options.protect = 1;
    options.threshold = (float)number(c, "merge_threshold");
    options.cutoff = (float)number(c, "prune_threshold");
    options.importance = f32(c, "importance", c->tokens);
    plan = match_f32(&options, c->tokens, c->channels,
                     f32(c, "metric", c->tokens * c->channels), 0);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED, f32(c, "size", c->tokens), "out",
                  "out_size");
    free_plan(&plan);
}

static void check_pitome(const method_case *c)
{
    size_t protect = golden_size(c->entry, "class_token");
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = golden_size(c->entry, "within_energy_order")
                         ? TOMERGE_PITOME_ORDER : TOMERGE_PITOME;
    options.protect = protect;
    options.threshold = (float)number(c, "margin");
    plan = match_f32(&options, c->tokens, c->channels,
                     f32(c, "metric", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED, f32(c, "size", c->tokens),
                  "merged", "merged_size");
    free_plan(&plan);
}

static void check_ppt(const method_case *c)
{
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float importance[MOST] = {0};
    tomerge_plan plan;

    memcpy(importance + 1, f32(c, "scores", c->tokens - 1),
           (c->tokens - 1) * sizeof(float));
    options.method = TOMERGE_PPT;
    options.protect = 1;
    options.threshold = (float)number(c, "threshold");
    options.importance = importance;
    plan = match_f32(&options, c->tokens, c->channels,
                     f32(c, "metric", c->tokens * c->channels),
                     golden_size(c->entry, "r"));
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED, f32(c, "size", c->tokens), "out",
                  "out_size");
    free_plan(&plan);
}

static void check_diffrate(const method_case *c)
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
                     f32(c, "x", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_MEAN, NULL, "out", NULL);
    free_plan(&plan);
}

static void check_atc(const method_case *c)
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
                     f32(c, "metric", c->tokens * c->channels),
                     c->tokens - c->rows);
    expect_group(c, &plan);
    expect_values(c, &plan, TOMERGE_WEIGHTED, f32(c, "size", c->tokens),
                  "merged", "merged_size");
    free_plan(&plan);
}

/* ---- all cases of one ----------------------------------------------------------- */

static void check_cases(const char *method, const char *op, size_t least,
                        void (*check)(const method_case *c))
{
    const char *folder = golden_methods_folder();
    json_t *index, *entry;
    golden_file *file;
    size_t i, cases = 0;
    char name[64];

    if (!folder)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    index = golden_index(folder);
    snprintf(name, sizeof(name), "%s.safetensors", method);
    file = golden_open(folder, name);
    json_array_foreach(json_object_get(index, "cases"), i, entry) {
        if (strcmp(golden_string(entry, "method"), method) != 0 ||
            strcmp(golden_string(entry, "op"), op) != 0)
            continue;
        method_case c = {file, entry, 0, golden_size(entry, "batch"),
                         golden_size(entry, "tokens"),
                         golden_size(entry, "channels"),
                         golden_size(entry, "tokens_out")};

        for (c.b = 0; c.b < c.batch; c.b++)
            check(&c);
        cases++;
    }
    cr_assert_geq(cases, least);
    golden_close(file);
    json_decref(index);
}

TIER_TEST(methods, threshold_as_ltmp)
{
    check_cases("ltmp", "block", 6, check_ltmp);
}

TIER_TEST(methods, pitome_as_published)
{
    check_cases("pitome", "vision", 13, check_pitome);
}

TIER_TEST(methods, ppt_as_published)
{
    check_cases("ppt", "block", 8, check_ppt);
}

TIER_TEST(methods, diffrate_as_published)
{
    check_cases("diffrate", "block", 9, check_diffrate);
}

TIER_TEST(methods, clusters_as_atc)
{
    check_cases("atc", "cluster", 20, check_atc);
}
