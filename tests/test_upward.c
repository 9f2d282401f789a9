/* SPDX-License-Identifier: MIT */
/*
 * Merging upward against a program in NumPy and double precision
 * (tests/fixtures/make-upward.py), on each tier: single calls, and the
 * demonstration's model by thresholds and by counts; ties and what cannot be
 * compared by hand; and the same bits however images are batched.
 */
#include "../src/base/args.h"
#include "../src/session/merging_args.h"
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 64, WIDEST = 16, SIDE = 112, IMAGES = 4, DEPTH = 12,
       CLASSES = 16 };

static golden_file *fixture(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char *folder = golden_path(srcdir && *srcdir ? srcdir : ".",
                               "tests/fixtures/upward");
    golden_file *file = golden_open(folder, name);

    free(folder);
    return file;
}

/* ---- single calls -------------------------------------------------------- */

static const float *part(const golden_file *file, int k, const char *what,
                         size_t count)
{
    char name[32];

    snprintf(name, sizeof(name), "%d.%s", k, what);
    return golden_f32(file, name, count);
}

static void check_call(const golden_file *file, int k)
{
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    const float *says = part(file, k, "says", 3), *size, *want, *want_size;
    float weights[MOST], y[MOST * WIDEST], sizes[MOST], sums[MOST];
    const int32_t *group;
    const golden_tensor *metric;
    tomerge_plan plan;
    char name[32];
    size_t tokens, channels;

    snprintf(name, sizeof(name), "%d.metric", k);
    metric = golden_get(file, name);
    tokens = metric->shape[0];
    channels = metric->shape[1];
    cr_assert(tokens <= MOST && channels <= WIDEST);
    snprintf(name, sizeof(name), "%d.group", k);
    group = golden_i32(file, name, tokens);
    size = part(file, k, "size", tokens);
    options.method = TOMERGE_UPWARD;
    options.order = TOMERGE_BY_POSITION;
    options.importance = part(file, k, "importance", tokens);
    options.protect = (size_t)says[0];
    options.threshold = says[2];
    plan = match_f32(&options, tokens, channels, metric->data, (size_t)says[1]);
    cr_assert_arr_eq(plan.map, group, tokens * sizeof(*group), "call %d", k);
    for (size_t i = 0; i < tokens; i++)
        weights[i] = options.importance[i] * size[i];
    merge_f32(TOMERGE_WEIGHTED, &plan, channels, metric->data, weights, y,
              sums);
    merge_f32(TOMERGE_SUM, &plan, 1, size, NULL, sizes, sums);
    want = part(file, k, "merged", plan.rows * channels);
    want_size = part(file, k, "merged_size", plan.rows);
    for (size_t i = 0; i < plan.rows * channels; i++)
        cr_assert_float_eq(y[i], want[i], 1e-5, "call %d: %g, not %g", k,
                           (double)y[i], (double)want[i]);
    cr_assert_arr_eq(sizes, want_size, plan.rows * sizeof(*sizes));
    free_plan(&plan);
}

TIER_TEST(upward, calls_as_in_double_precision)
{
    golden_file *file = fixture("cases.safetensors");

    for (int k = 0; k < 8; k++)
        check_call(file, k);
    golden_close(file);
}

static void expect_map(const tomerge_options *options, size_t tokens,
                       const float *metric, size_t r, const int32_t *map)
{
    tomerge_plan plan = match_f32(options, tokens, 2, metric, r);

    for (size_t i = 0; i < tokens; i++)
        cr_expect_eq(plan.map[i], map[i], "token %zu: row %d, not %d", i,
                     plan.map[i], map[i]);
    free_plan(&plan);
}

/* Tokens 1 and 2 are as important as one another, and 3 and 4: the first is
 * ahead of the second. 2, 4 and 5 lose nothing, and go in that order. */
TIER_TEST(upward, of_equals_the_first_comes_first)
{
    const float metric[][2] = {{1, 1}, {1, 0}, {1, 0}, {0, 1}, {0, 1}, {1, 0}};
    const float importance[] = {9, 4, 4, 2, 2, 1};
    const int32_t two[] = {0, 1, 1, 2, 2, 3}, three[] = {0, 1, 1, 2, 2, 1};
    const int32_t four[] = {0, 1, 1, 1, 1, 1};
    tomerge_options options = TOMERGE_OPTIONS_INIT;

    options.method = TOMERGE_UPWARD;
    options.order = TOMERGE_BY_POSITION;
    options.protect = 1;
    options.importance = importance;
    expect_map(&options, 6, metric[0], 2, two);
    expect_map(&options, 6, metric[0], 3, three);
    expect_map(&options, 6, metric[0], 4, four);
    expect_map(&options, 6, metric[0], 9, four);
    /* Token 3 loses 2 * (1 - 0) in 1: that is not below 2. */
    options.threshold = 2;
    expect_map(&options, 6, metric[0], 9, three);
    options.threshold = 2.001f;
    expect_map(&options, 6, metric[0], 9, four);
    options.exact = 1;
    expect_map(&options, 6, metric[0], 2, two);
}

/* Rows without a direction, and importance that is no number, are in nobody's
 * way: what they would lose is not known, so they stay unless r is exact. */
TIER_TEST(upward, what_cannot_be_compared_stays)
{
    const float metric[][2] = {{1, 0}, {1, 0}, {0, 0}, {NAN, 1}, {1, 0},
                               {1, 0}};
    const float importance[] = {9, 8, 7, 6, NAN, 4};
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    tomerge_plan plan;

    options.method = TOMERGE_UPWARD;
    options.importance = importance;
    options.order = TOMERGE_BY_POSITION;
    plan = match_f32(&options, 6, 2, metric[0], 6);
    cr_expect_neq(plan.map[2], plan.map[0]);
    cr_expect_neq(plan.map[3], plan.map[0]);
    cr_expect_eq(plan.map[5], plan.map[0]);
    free_plan(&plan);
    for (size_t r = 0; r <= 5; r++) {
        options.exact = 1;
        plan = match_f32(&options, 6, 2, metric[0], r);
        cr_expect_eq(plan.rows, 6 - r);
        free_plan(&plan);
    }
}

/* ---- in a model ---------------------------------------------------------- */

/* The pictures that make-upward.py draws. */
static void draw(size_t number, float *pixels)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < SIDE; y++)
            for (size_t x = 0; x < SIDE; x++) {
                size_t value = (x * (3 + c) * (number + 1) ^ y * (5 + c)) & 255;

                *pixels++ = (float)(((double)value / 255 - 0.5) / 0.5);
            }
}

/* The demonstration's model and its pictures. */
typedef struct subject {
    tomevit_model *model;
    float pixels[IMAGES][3 * SIDE * SIDE];
    tomevit_image images[IMAGES];
} subject;

static void open_subject(subject *s, int dtype)
{
    const char *srcdir = getenv("srcdir");
    char *path = golden_path(srcdir && *srcdir ? srcdir : ".",
                             "data/demo.safetensors");
    tomevit_open_options with;

    tomevit_open_options_init(&with);
    with.dtype = dtype;
    cr_assert_eq(tomevit_open(path, &with, &s->model, NULL), 0);
    free(path);
    for (size_t b = 0; b < IMAGES; b++) {
        draw(b, s->pixels[b]);
        s->images[b] = (tomevit_image){
            .data = s->pixels[b],
            .format = TOMEVIT_F32_CHW};
    }
}

typedef struct answers {
    float logits[IMAGES * CLASSES];
    size_t rows[IMAGES * DEPTH], left[IMAGES];
} answers;

/* As the command would have it; `count` images a call. */
static void answer(const subject *s, const char *text, int threads,
                   size_t count, answers *a)
{
    merging_args args;
    merging_run run;
    tomevit_context *context;
    char why[ARGS_WHY];

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("upward", &args, why), 0, "%s", why);
    if (text)
        args.options = text;
    else
        cr_assert_eq(merging_parse_r("13", &args, why), 0, "%s", why);
    cr_assert_eq(merging_resolve(&args, tomevit_describe(s->model), 0, &run,
                                 why), 0, "%s", why);
    cr_assert_eq(tomevit_context_create(s->model, IMAGES, threads, &context),
                 0);
    for (size_t b = 0; b < IMAGES; b += count) {
        size_t some = IMAGES - b < count ? IMAGES - b : count;
        tomevit_output out = {.logits = a->logits + b * CLASSES,
                              .layer_rows = a->rows + b * DEPTH,
                              .rows = a->left + b};

        cr_assert_eq(tomevit_forward(context, &run.merging, some,
                                     s->images + b, &out), 0);
    }
    tomevit_context_free(context);
    merging_run_free(&run);
    merging_args_free(&args);
}

static char *thresholds_of(const golden_file *file, char *text, size_t size)
{
    const float *bounds = golden_f32(file, "thresholds", DEPTH);
    size_t used = (size_t)snprintf(text, size, "threshold=");

    for (size_t i = 0; i < DEPTH; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.6g",
                                 i ? ":" : "", (double)bounds[i]);
    return text;
}

static void expect_answers(const golden_file *file, const char *name,
                           const answers *a)
{
    char key[32];
    const float *logits;
    const int32_t *rows;

    snprintf(key, sizeof(key), "logits_%s", name);
    logits = golden_f32(file, key, IMAGES * CLASSES);
    snprintf(key, sizeof(key), "rows_%s", name);
    rows = golden_i32(file, key, IMAGES * DEPTH);
    for (size_t i = 0; i < IMAGES * DEPTH; i++)
        cr_assert_eq(a->rows[i], (size_t)rows[i],
                     "%s: image %zu layer %zu leaves %zu, not %d", name,
                     i / DEPTH, i % DEPTH, a->rows[i], rows[i]);
    for (size_t i = 0; i < IMAGES * CLASSES; i++)
        cr_assert_float_eq(a->logits[i], logits[i], 1e-4f * 4.6f,
                           "%s: logit %zu: %g, not %g", name, i,
                           (double)a->logits[i], (double)logits[i]);
}

TIER_TEST(upward, the_demonstration_as_in_double_precision)
{
    static subject s;
    golden_file *file = fixture("demo.safetensors");
    char text[512];
    answers a;

    open_subject(&s, TOMEVIT_F32);
    answer(&s, thresholds_of(file, text, sizeof(text)), 1, IMAGES, &a);
    expect_answers(file, "threshold", &a);
    answer(&s, NULL, 1, IMAGES, &a);
    expect_answers(file, "count", &a);
    tomevit_close(s.model);
    golden_close(file);
}

/* In every type, each image with its own number of tokens. */
Test(upward, the_same_bits_in_any_batch)
{
    static subject s;
    golden_file *file = fixture("demo.safetensors");
    char text[512];
    answers whole, parts;

    thresholds_of(file, text, sizeof(text));
    for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++) {
        open_subject(&s, dtype);
        answer(&s, text, 1, IMAGES, &whole);
        cr_expect_neq(whole.rows[2], whole.rows[DEPTH + 2]);
        for (size_t count = 1; count <= 3; count++) {
            answer(&s, text, 3 - (int)count % 3, count, &parts);
            cr_expect_arr_eq(&parts, &whole, sizeof(whole));
        }
        tomevit_close(s.model);
    }
    golden_close(file);
}
