/* SPDX-License-Identifier: MIT */
/*
 * Whole models under each --method against what the code published with it
 * gives on the same weights: logits within 1e-4 of the largest, and as many
 * tokens in every layer. What is compared, and what is left out and why, is in
 * tests/README.md.
 */
#include "../src/base/args.h"
#include "../src/session/merging_args.h"
#include "golden.h"
#include "tiers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TEXT = 2048, MOST_LAYERS = 16 };

static double number(const json_t *run, const char *key, double otherwise)
{
    const json_t *value = json_object_get(run, key);

    return value ? json_number_value(value) : otherwise;
}

/* Appends "key=1:2:3". */
static void add_list(char *text, const char *key, const json_t *list)
{
    size_t i;
    const json_t *value;

    sprintf(text + strlen(text), "%s%s=", text[0] ? "," : "", key);
    json_array_foreach(list, i, value)
        sprintf(text + strlen(text), "%s%.17g", i ? ":" : "",
                json_number_value(value));
}

static void add_number(char *text, const char *key, double value)
{
    sprintf(text + strlen(text), "%s%s=%.17g", text[0] ? "," : "", key, value);
}

/* r of a run: a count, or a count and an inflection. */
static void set_r(merging_args *args, const json_t *r)
{
    char text[64], why[ARGS_WHY];

    if (json_is_array(r))
        sprintf(text, "%d:%g",
                (int)json_integer_value(json_array_get(r, 0)),
                json_number_value(json_array_get(r, 1)));
    else
        sprintf(text, "%d", (int)json_integer_value(r));
    cr_assert_eq(merging_parse_r(text, args, why), 0, "%s", why);
}

static void set_mctf(const json_t *run, merging_args *args, char *text)
{
    static const char *const pools[] = {"size", "importance", "max", "mean"};
    const json_t *r = json_object_get(run, "r");

    add_list(text, "layers", json_object_get(run, "layers"));
    add_number(text, "ahead", number(run, "ahead", 1));
    add_number(text, "ways", number(run, "bi", 1) > 0 ? 2 : 1);
    sprintf(text + strlen(text), ",pool=%s",
            pools[(int)number(run, "pool", 1)]);
    if (json_is_real(r))
        add_number(text, "keep", 1 - json_real_value(r));
    if (json_object_get(run, "prop"))
        args->prop_attn = (int)number(run, "prop", 1);
}

/* What the command would be told; 0 for what is left out. */
static int settings(const json_t *run, merging_args *args, char *text)
{
    const char *method = golden_string(run, "method");
    const json_t *r = json_object_get(run, "r");
    const char *name = method;
    char why[ARGS_WHY];

    text[0] = '\0';
    if (!strcmp(method, "ltmp"))
        name = "threshold";
    else if (!strcmp(method, "pitome_tome"))
        name = "tome";
    else if (!strcmp(method, "dct") || !strcmp(method, "crossget"))
        return 0;
    cr_assert_eq(merging_parse_method(name, args, why), 0, "%s", why);
    if (!strcmp(method, "pitome_tome"))
        args->prop_attn = 0;
    if (json_object_get(run, "ratio"))
        add_number(text, "keep", number(run, "ratio", 1));
    if (json_object_get(run, "keep_rate"))
        add_number(text, "keep", number(run, "keep_rate", 1));
    if (json_object_get(run, "margin0"))
        add_number(text, "margin", number(run, "margin0", 0));
    if (json_object_get(run, "fuse"))
        add_number(text, "fuse", number(run, "fuse", 1));
    if (json_object_get(run, "threshold"))
        add_number(text, "threshold", number(run, "threshold", 1));
    if (json_object_get(run, "linkage"))
        sprintf(text + strlen(text), "linkage=%s",
                golden_string(run, "linkage"));
    if (json_object_get(run, "loc"))
        add_list(text, "layers", json_object_get(run, "loc"));
    if (json_object_get(run, "prune"))
        add_list(text, "prune", json_object_get(run, "prune"));
    if (json_object_get(run, "merge"))
        add_list(text, "merge", json_object_get(run, "merge"));
    if (json_object_get(run, "merge_thresholds"))
        add_list(text, "threshold", json_object_get(run, "merge_thresholds"));
    if (json_object_get(run, "prune_thresholds"))
        add_list(text, "cutoff", json_object_get(run, "prune_thresholds"));
    if (!strcmp(method, "mctf"))
        set_mctf(run, args, text);
    if (text[0])
        args->options = text;
    if (json_is_real(r))
        return 1; /* a share */
    if (r)
        set_r(args, r);
    return 1;
}

/* One model and its inputs. */
typedef struct subject {
    tomevit_model *model;
    const tomevit_description *d;
    tomevit_context *context;
    golden_file *input, *io;
    tomevit_image images[4];
    size_t batch;
} subject;

/* Where the code merges behind the MLP, a layer leaves what enters the next; in
 * the last it merges, too, and does not say so. */
static size_t left_after(const json_t *run, const json_t *tokens_mlp, size_t i)
{
    size_t last = json_array_size(tokens_mlp) - 1;
    int after = number(run, "ahead", 1) == 0;
    size_t r = (size_t)number(run, "r", 0);

    if (after && i == last)
        return (size_t)json_integer_value(json_array_get(tokens_mlp, i)) - r;
    return (size_t)json_integer_value(json_array_get(tokens_mlp, i + after));
}

static void expect_rows(const json_t *run, const subject *s, const size_t *rows,
                        const char *what)
{
    const json_t *all = json_object_get(run, "tokens_mlp");
    const json_t *each = json_object_get(run, "tokens_mlp_each_image");

    for (size_t b = 0; b < s->batch; b++) {
        const json_t *want = each ? json_array_get(each, b) : all;

        for (size_t i = 0; i < s->d->depth; i++)
            cr_assert_eq(rows[b * s->d->depth + i],
                         left_after(run, want, i),
                         "%s: image %zu layer %zu leaves %zu", what, b, i,
                         rows[b * s->d->depth + i]);
    }
}

static void check_run(const subject *s, const json_t *run, size_t index,
                      const char *tier)
{
    float logits[4 * 16], largest = 0;
    size_t rows[4 * MOST_LAYERS], left[4];
    /* Whoever asks for what is left has the last layer plan, too. */
    tomevit_output out = {.logits = logits, .layer_rows = rows, .rows = left};
    char text[MOST_TEXT], name[32], what[MOST_TEXT + 128], why[ARGS_WHY];
    const float *want;
    merging_args args;
    merging_run resolved;

    merging_args_init(&args);
    if (!settings(run, &args, text))
        return;
    snprintf(what, sizeof(what), "%s, %s %s", tier,
             golden_string(run, "method"), text);
    cr_assert_eq(merging_resolve(&args, s->d, 0, &resolved, why), 0, "%s: %s",
                 what, why);
    cr_assert_eq(tomevit_forward(s->context, &resolved.merging, s->batch,
                                 s->images, &out), 0, "%s", what);
    expect_rows(run, s, rows, what);
    if (json_is_integer(json_object_get(run, "macs")))
        cr_assert_float_eq(resolved.gmacs * 1e9, number(run, "macs", 0), 0.5,
                           "%s: %.0f multiply-adds", what,
                           resolved.gmacs * 1e9);
    snprintf(name, sizeof(name), "logits_%zu", index);
    want = golden_f32(s->io, name, s->batch * s->d->classes);
    for (size_t i = 0; i < s->batch * s->d->classes; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < s->batch * s->d->classes; i++)
        cr_assert_float_eq(logits[i], want[i], 1e-4f * largest,
                           "%s: logit %zu: %.9g, not %.9g", what, i,
                           (double)logits[i], (double)want[i]);
    merging_run_free(&resolved);
    merging_args_free(&args);
}

static void check_model(const char *folder, const json_t *entry,
                        const char *tier)
{
    const char *input = json_string_value(json_object_get(entry, "input"));
    char *path = golden_path(folder, golden_string(entry, "weights"));
    tomevit_message message;
    const json_t *run;
    subject s;
    size_t i;

    cr_assert_eq(tomevit_open(path, NULL, &s.model, &message), 0);
    free(path);
    s.d = tomevit_describe(s.model);
    s.io = golden_open(folder, golden_string(entry, "io"));
    s.input = golden_open(folder, input ? input : golden_string(entry, "io"));
    s.batch = golden_get(s.input, "x")->shape[0];
    cr_assert(s.batch <= 4 && s.d->depth <= MOST_LAYERS && s.d->classes <= 16);
    for (size_t b = 0; b < s.batch; b++)
        s.images[b] = (tomevit_image){
            .data = (const float *)golden_get(s.input, "x")->data +
                b * 3 * s.d->image_size * s.d->image_size,
            .format = TOMEVIT_F32_CHW};
    cr_assert_eq(tomevit_context_create(s.model, s.batch, 2, &s.context), 0);
    json_array_foreach(json_object_get(entry, "runs"), i, run)
        check_run(&s, run, i, tier);
    tomevit_context_free(s.context);
    golden_close(s.input);
    golden_close(s.io);
    tomevit_close(s.model);
}

static void check_all(const char *key)
{
    const char *folder = golden_methods_folder(), *tier;
    json_t *index;
    const json_t *entry;
    size_t i;

    if (!folder)
        cr_skip_test("no ../shared/golden-methods");
    index = golden_index(folder);
    for (int at = 0; (tier = next_cpu_tier(&at));)
        json_array_foreach(json_object_get(index, key), i, entry)
            check_model(folder, entry, tier);
    json_decref(index);
}

Test(published, models_as_their_authors_code_has_them)
{
    check_all("models");
}

Test(published, models_with_thresholds)
{
    check_all("models_ltmp");
}
