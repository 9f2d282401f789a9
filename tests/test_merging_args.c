/* SPDX-License-Identifier: MIT */
/* Option values about merging, and what a model makes of them. */
#include "../src/base/args.h"
#include "../src/session/merging_args.h"

#include <criterion/criterion.h>
#include <string.h>

static merging_args args;
static char why[ARGS_WHY];

static tomevit_description deit_small(void)
{
    tomevit_description d;

    memset(&d, 0, sizeof(d));
    d.dim = 384;
    d.depth = 12;
    d.heads = 6;
    d.mlp_dim = 1536;
    d.patch = 16;
    d.image_size = 224;
    d.classes = 1000;
    d.tokens = 197;
    d.prefix = 1;
    d.class_token = 1;
    return d;
}

static void refused(int (*parse)(const char *, void *, char *),
                    const char *text, const char *words)
{
    merging_args_init(&args);
    why[0] = '\0';
    cr_expect_eq(parse(text, &args, why), -1, "%s", text);
    cr_expect_not_null(strstr(why, words), "%s: %s", text, why);
    cr_expect_eq(args.kind, MERGING_UNSET, "%s", text);
}

Test(merging_args, refused_in_clear_words)
{
    refused(merging_parse_r, "x", "'x' is not N or N:INFLECTION");
    refused(merging_parse_r, "", "'' is not N or N:INFLECTION");
    refused(merging_parse_r, "-3", "'-3' is not N or N:INFLECTION");
    refused(merging_parse_r, "8:2", "'2' of '8:2' is not a number from -1");
    refused(merging_parse_r, "8:", "'' of '8:' is not a number from -1 to 1");
    refused(merging_parse_r, "8,16", "more than one value");
    refused(merging_parse_r_list, "8,,16", "'' is not N");
    refused(merging_parse_r_list, "8,", "'' is not N");
    refused(merging_parse_schedule, "4,4:1", "'4:1' is not a whole number");
    refused(merging_parse_ratio, "1", "'1' is not a ratio from 0 to below 1");
    refused(merging_parse_ratio, "-0.1", "is not a ratio");
    refused(merging_parse_method, "bipartite",
            "alternating, tome, sequential, random, strided");
    refused(merging_parse_similarity, "cos",
            "cosine, dot, euclidean, softmax");
    refused(merging_parse_combine, "avg", "weighted, mean, sum, max, keep");
    refused(merging_parse_metric, "k,", "K, Q, V, X");
    refused(merging_parse_prop_attn, "yes", "on, off");
    refused(merging_parse_seed, "-1", "whole number");
}

Test(merging_args, kinds_exclude_each_other)
{
    merging_args_init(&args);
    cr_assert_eq(merging_parse_r("8", &args, why), 0);
    cr_expect_eq(merging_parse_ratio("0.3", &args, why), -1);
    cr_expect_str_eq(why, "cannot be combined with --r");
    /* but the same option may come again, and the last one counts */
    cr_expect_eq(merging_parse_r("16", &args, why), 0);
    cr_expect_eq(args.entries[0].r, 16);
    cr_expect_eq(merging_run_count(&args), 1);
    merging_args_free(&args);
}

static double macs_of(const tomevit_description *d, const size_t *r)
{
    tomevit_merging merging;
    size_t tokens[12];

    tomevit_merging_init(&merging);
    merging.r = r;
    cr_assert_eq(tomevit_schedule_tokens(d, &merging, tokens), 0);
    return tomevit_macs(d, tokens);
}

static void expect_run(size_t index, const char *label, const size_t *r,
                       double gmacs)
{
    tomevit_description d = deit_small();
    merging_run run;

    cr_assert_eq(merging_resolve(&args, &d, index, &run, why), 0, "%s", why);
    cr_expect_str_eq(run.label, label);
    for (size_t i = 0; i < 12; i++)
        cr_expect_eq(run.r[i], r[i], "%s: layer %zu: %zu", label, i, run.r[i]);
    cr_expect_float_eq(run.gmacs, gmacs, 0.005, "%s: %f", label, run.gmacs);
    cr_expect_eq(run.merging.r, run.r);
    merging_run_free(&run);
}

Test(merging_args, lists_resolve_to_the_published_costs)
{
    static const size_t r0[12] = {0},
        r13[] = {13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13},
        falling[] = {26, 23, 21, 18, 16, 14, 11, 9, 7, 4, 2, 0};

    merging_args_init(&args);
    cr_assert_eq(merging_parse_r_list("0,13,13:-1", &args, why), 0);
    cr_assert_eq(merging_run_count(&args), 3);
    expect_run(0, "0", r0, 4.60);
    expect_run(1, "13", r13, 2.70);
    tomevit_description d = deit_small();
    expect_run(2, "13:-1", falling, macs_of(&d, falling) * 1e-9);
    merging_args_free(&args);
}

Test(merging_args, schedule_is_padded_and_must_fit)
{
    static const size_t r[12] = {5, 0, 3};
    tomevit_description d = deit_small();
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_schedule("5,0,3", &args, why), 0);
    expect_run(0, "5,0,3", r, macs_of(&d, r) * 1e-9);
    cr_assert_eq(merging_parse_schedule("1,1,1,1,1,1,1,1,1,1,1,1,1", &args,
                                        why), 0);
    cr_expect_eq(merging_resolve(&args, &d, 0, &run, why), -1);
    cr_expect_str_eq(why, "--schedule lists 13 layers, the model has 12");
    merging_args_free(&args);
}

Test(merging_args, ratio_is_reached_or_refused)
{
    tomevit_description d = deit_small();
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_ratio_list("0.4,0.99", &args, why), 0);
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0);
    cr_expect_float_eq(run.ratio, 0.4, 0.01, "%f", run.ratio);
    merging_run_free(&run);
    cr_expect_eq(merging_resolve(&args, &d, 1, &run, why), -1);
    cr_expect_not_null(strstr(why, "--merge-ratio 0.99 is out of reach"));
    merging_args_free(&args);
}

Test(merging_args, names_reach_the_model)
{
    tomevit_description d = deit_small();
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("random", &args, why), 0);
    cr_assert_eq(merging_parse_similarity("dot", &args, why), 0);
    cr_assert_eq(merging_parse_combine("max", &args, why), 0);
    cr_assert_eq(merging_parse_metric("X", &args, why), 0);
    cr_assert_eq(merging_parse_prop_attn("off", &args, why), 0);
    cr_assert_eq(merging_parse_seed("9", &args, why), 0);
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0);
    cr_expect_eq(run.merging.matching.method, TOMERGE_RANDOM);
    cr_expect_eq(run.merging.matching.similarity, TOMERGE_DOT);
    cr_expect_eq(run.merging.combine, TOMERGE_MAX);
    cr_expect_eq(run.merging.metric, TOMEVIT_METRIC_X);
    cr_expect_eq(run.merging.prop_attn, 0);
    cr_expect_eq(run.merging.matching.seed, 9);
    cr_expect(merging_run_is_none(&run, &d));
    merging_run_free(&run);
}

/* What a run says is left is what the model leaves, for every method. */
Test(merging_args, tokens_are_what_the_model_leaves)
{
    static const char *const methods[] = {"alternating", "sequential",
                                          "random", "strided"};
    static const char *const lists[] = {"0", "5", "16", "40:-1", "200"};
    static uint8_t pixels[224 * 224 * 3];
    tomevit_image input = {.data = pixels, .format = TOMEVIT_RGB8_HWC};
    tomevit_model *model;
    tomevit_context *context;

    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(i * i / 7 + i / 31);
    cr_assert_eq(tomevit_random("deit_tiny_patch16_224", 1, NULL, &model), 0);
    cr_assert_eq(tomevit_context_create(model, 1, 2, &context), 0);
    for (size_t i = 0; i < 20; i++) {
        merging_run run;
        size_t rows = 0;
        tomevit_output out = {.rows = &rows};

        merging_args_init(&args);
        args.stride = 2 + i % 3;
        cr_assert_eq(merging_parse_method(methods[i / 5], &args, why), 0);
        cr_assert_eq(merging_parse_r(lists[i % 5], &args, why), 0);
        cr_assert_eq(merging_resolve(&args, tomevit_describe(model), 0, &run,
                                     why), 0);
        cr_assert_eq(tomevit_forward(context, &run.merging, 1, &input, &out),
                     0);
        cr_expect_eq(run.tokens[11], rows, "%s %s: %zu, not %zu",
                     methods[i / 5], lists[i % 5], run.tokens[11], rows);
        merging_run_free(&run);
        merging_args_free(&args);
    }
    tomevit_context_free(context);
    tomevit_close(model);
}

/* Two ways to the same tokens, with every kind of layer and of pooling. */
static void expect_same_costs(const tomevit_description *d, const char *list)
{
    merging_run strided, listed;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("strided", &args, why), 0);
    cr_assert_eq(merging_parse_schedule("1,1", &args, why), 0);
    cr_assert_eq(merging_resolve(&args, d, 0, &strided, why), 0);
    cr_assert_eq(merging_parse_method("alternating", &args, why), 0);
    cr_assert_eq(merging_parse_schedule(list, &args, why), 0);
    cr_assert_eq(merging_resolve(&args, d, 0, &listed, why), 0);
    cr_expect_eq(strided.tokens[11], listed.tokens[11]);
    cr_expect_float_eq(strided.gmacs, listed.gmacs, 1e-9);
    cr_expect_float_eq(strided.gmacs_computed, listed.gmacs_computed, 1e-9);
    cr_expect_float_eq(strided.ratio, listed.ratio, 1e-12);
    merging_run_free(&strided);
    merging_run_free(&listed);
    merging_args_free(&args);
}

Test(merging_args, strided_costs_what_its_tokens_cost)
{
    tomevit_description d = deit_small();

    expect_same_costs(&d, "98,49");
    d.activation = TOMEVIT_SWIGLU;
    expect_same_costs(&d, "98,49");
    d.pool = TOMEVIT_POOL_ATTENTION;
    expect_same_costs(&d, "98,49");
    d.tokens = 196;
    d.prefix = 0;
    expect_same_costs(&d, "98,49");
}

/* What is wrong with a tile that is larger than the image is the tile. */
Test(merging_args, tiles_are_within_the_image)
{
    tomevit_description d = deit_small();
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("grid", &args, why), 0);
    cr_assert_eq(merging_parse_schedule("4", &args, why), 0);
    cr_assert_eq(merging_parse_method_options("tile=14", &args, why), 0);
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0, "%s", why);
    merging_run_free(&run);
    cr_assert_eq(merging_parse_method_options("tile=15", &args, why), 0);
    cr_expect_eq(merging_resolve(&args, &d, 0, &run, why), -1);
    cr_expect_str_eq(why, "--method-options: a tile of 15 is larger than the "
                     "model's 14 x 14 patches");
    merging_args_free(&args);
}

/* A stride above the tokens leaves a mean nothing to be the mean of. */
Test(merging_args, strided_leaves_the_head_something)
{
    tomevit_description d = deit_small();
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("strided", &args, why), 0);
    cr_assert_eq(merging_parse_schedule("1", &args, why), 0);
    args.stride = 300;
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0);
    cr_expect_eq(run.tokens[11], 1, "the class token");
    merging_run_free(&run);
    d.pool = TOMEVIT_POOL_MEAN;
    cr_expect_eq(merging_resolve(&args, &d, 0, &run, why), -1);
    cr_expect_str_eq(why, "--stride 300 leaves the head none of the 196 "
                     "tokens that it reads");
    merging_args_free(&args);
}
