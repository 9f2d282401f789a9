/* SPDX-License-Identifier: MIT */
/*
 * Options of methods: values as they are written, what is refused and why, and
 * files of counts in the format that DiffRate is published with: lists written
 * as strings, "None" for no list, by model and target.
 */
#include "config.h"

#include "../src/base/args.h"
#include "../src/session/merging_args.h"
#include "../vit/methods/options.h"
#include "tomevit_methods.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH = 3 };

static const char all_keys[] = "prune merge file model target keep layers";

/* One model of two targets; one of one. */
static const char published[] =
    "{\"small\": {"
    "\"2.3\": {\"prune_kept_num\": \"[10, 8, 6]\","
    " \"merge_kept_num\": \"[10, 7, 3]\"},"
    "\"2.9\": {\"prune_kept_num\": \"None\","
    " \"merge_kept_num\": \"[10, 5, 4]\"}},"
    "\"tiny\": {\"1.3\": {\"prune_kept_num\": [9, 8, 7],"
    " \"merge_kept_num\": \"None\"}}}";

static char why[ARGS_WHY];

/* 0, or -1 with a line in why. */
static int read_keys(const char *text, vit_method_options *options)
{
    tomevit_message message = {""};
    int code = tomevit_method_options_read(text, "diffrate", all_keys, options,
                                           &message);

    snprintf(why, sizeof(why), "%.250s", message.text);
    return code < 0 ? -1 : code;
}

static void refused(const char *text, const char *words)
{
    vit_method_options options;

    cr_expect_eq(read_keys(text, &options), -1, "%s", text);
    cr_expect_not_null(strstr(why, words), "%s: %s", text, why);
}

static void expect_list(const vit_method_list *list, size_t count,
                        const double *want)
{
    cr_assert_eq(list->count, count);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(list->value[i], want[i], "%zu: %g", i, list->value[i]);
}

/* ---- files --------------------------------------------------------------- */

static void write_file(char path[], const char *text)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Reads a file that holds `json`, with more options behind its name. */
static int read_file(const char *json, const char *more,
                     vit_method_options *options)
{
    char path[] = "method-options.XXXXXX", text[256];
    int result;

    write_file(path, json);
    snprintf(text, sizeof(text), "file=%s%s", path, more);
    result = read_keys(text, options);
    unlink(path);
    return result;
}

static void refused_file(const char *json, const char *more, const char *words)
{
    vit_method_options options;

    cr_expect_eq(read_file(json, more, &options), -1, "%s", json);
    cr_expect_not_null(strstr(why, words), "%s: %s", json, why);
}

Test(method_options, counts_as_diffrate_publishes_them)
{
    static const double prune[] = {10, 8, 6}, merge[] = {10, 7, 3};
    static const double late[] = {10, 5, 4}, tiny[] = {9, 8, 7};
    vit_method_options o;

    cr_assert_eq(read_file(published, ",model=small,target=2.3", &o), 0, "%s",
                 why);
    expect_list(&o.prune, 3, prune);
    expect_list(&o.merge, 3, merge);
    cr_assert_eq(read_file(published, ",target=2.9,model=small", &o), 0, "%s",
                 why);
    expect_list(&o.prune, 0, NULL);
    expect_list(&o.merge, 3, late);
    /* The only target there is needs no name, nor the only model. */
    cr_assert_eq(read_file(published, ",model=tiny", &o), 0, "%s", why);
    expect_list(&o.prune, 3, tiny);
    expect_list(&o.merge, 0, NULL);
    cr_assert_eq(read_file("{\"merge_kept_num\": \"[10, 7, 3]\"}", "", &o), 0,
                 "%s", why);
    expect_list(&o.prune, 0, NULL);
    expect_list(&o.merge, 3, merge);
}

Test(method_options, bad_files_say_why)
{
    refused("file=nowhere.json", "nowhere.json");
    refused("model=small", "give file=FILE, too");
    refused_file("[1]", "", "no JSON object");
    refused_file("{\"small\": ", "", "");
    refused_file("{}", "", "less than one model");
    refused_file(published, "", "more than one model: say which by model=NAME");
    refused_file(published, ",model=small", "say which by target=NAME");
    refused_file(published, ",model=base", "model=base is not in the file");
    refused_file(published, ",model=small,target=9", "target=9 is not in");
    refused_file("{\"a\": {\"b\": {\"prune_kept_num\": \"[3]\"}}}", "",
                 "no \"merge_kept_num\"");
    refused_file("{\"merge_kept_num\": \"[3, 0]\"}", "", "not a list of whole");
    refused_file("{\"merge_kept_num\": \"[3, 2.5]\"}", "", "not a list of");
    refused_file("{\"merge_kept_num\": \"[3, None]\"}", "", "not a list of");
    refused_file("{\"merge_kept_num\": \"[]\"}", "", "not a list of whole");
    refused_file("{\"merge_kept_num\": 3}", "", "not a list of whole");
    refused_file("{\"merge_kept_num\": \"[3]\", \"prune_kept_num\": \"x\"}",
                 "", "not a list of whole");
    refused_file("{\"merge_kept_num\": \"None\"}", "", "gives no counts");
    refused_file("{\"merge_kept_num\": \"None\", \"prune_kept_num\": null}",
                 "", "gives no counts");
}

/* A model with ten tokens. */
static tomevit_description small_model(void)
{
    tomevit_description d;

    memset(&d, 0, sizeof(d));
    d.dim = 32;
    d.depth = DEPTH;
    d.heads = 2;
    d.mlp_dim = 64;
    d.patch = 4;
    d.image_size = 12;
    d.classes = 5;
    d.tokens = 10;
    d.prefix = d.class_token = 1;
    return d;
}

/* Rows that leave its layers. */
static void expect_rows(const char *options, const size_t *want)
{
    tomevit_description d = small_model();
    merging_args args;
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method("diffrate", &args, why), 0);
    cr_assert_eq(merging_parse_method_options(options, &args, why), 0);
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0, "%s", why);
    for (size_t i = 0; i < DEPTH; i++)
        cr_expect_eq(run.tokens[i], want[i], "%s: layer %zu leaves %zu",
                     options, i, run.tokens[i]);
    merging_run_free(&run);
    merging_args_free(&args);
}

Test(method_options, layers_keep_what_the_file_says)
{
    static const size_t both[] = {10, 7, 3}, merged[] = {10, 5, 4};
    static const size_t pruned[] = {9, 8, 7};
    char path[] = "method-options.XXXXXX", text[256];

    write_file(path, published);
    snprintf(text, sizeof(text), "file=%s,model=small,target=2.3", path);
    expect_rows(text, both);
    snprintf(text, sizeof(text), "file=%s,model=small,target=2.9", path);
    expect_rows(text, merged);
    snprintf(text, sizeof(text), "file=%s,model=tiny,target=1.3", path);
    expect_rows(text, pruned);
    unlink(path);
    expect_rows("prune=10:8:6,merge=10:7:3", both);
}

/* ---- keys and values ----------------------------------------------------- */

Test(method_options, values_are_read_or_refused)
{
    static const double layers[] = {0, 2};
    vit_method_options o;

    cr_assert_eq(read_keys("keep=0.5,layers=0:2", &o), 0, "%s", why);
    cr_expect_eq(o.keep, 0.5);
    expect_list(&o.layers, 2, layers);
    cr_expect(isnan(o.margin) && isnan(o.fuse) && o.merge.count == 0);
    cr_assert_eq(read_keys(NULL, &o), 0);
    refused("keep", "'keep' has no value");
    refused("keep=", "'' is not a number from 0 to 1");
    refused("keep=1.5", "'1.5' is not a number from 0 to 1");
    refused("keep=nan", "'nan' is not a number");
    refused("layers=0:1.5", "'1.5' is not a whole number");
    refused("merge=0", "'0' is not a whole number from 1");
    refused("margin=0.5", "'margin' is no option of method diffrate, which "
                          "has: prune merge");
    refused("", "'' is no option");
    refused("keep=0.5,", "'' is no option");
}

/* ---- files that say how tokens merge ------------------------------------- */

static size_t file_r[DEPTH];
static tomevit_layer_merging file_layers[DEPTH];

static int read_merging(const char *text, tomevit_merging *merging)
{
    tomevit_description d = small_model();
    char path[] = "merging-file.XXXXXX";
    tomevit_message message;
    int code;

    write_file(path, text);
    code = tomevit_merging_read(path, &d, merging, file_r, file_layers,
                                &message);
    unlink(path);
    snprintf(why, sizeof(why), "%.250s", message.text);
    return code;
}

/* That it sets what the command's options would. */
static void expect_as(const char *text, const char *method,
                      const char *options, const char *r)
{
    tomevit_description d = small_model();
    tomevit_merging got;
    merging_args args;
    merging_run run;

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method(method, &args, why), 0, "%s", why);
    if (options)
        cr_assert_eq(merging_parse_method_options(options, &args, why), 0);
    if (r)
        cr_assert_eq(merging_parse_schedule(r, &args, why), 0);
    cr_assert_eq(merging_resolve(&args, &d, 0, &run, why), 0, "%s", why);
    cr_assert_eq(read_merging(text, &got), 0, "%s: %s", text, why);
    cr_expect_eq(got.r, file_r);
    cr_expect_arr_eq(file_r, run.r, sizeof(file_r), "%s", text);
    cr_expect_eq(got.layers != NULL, run.merging.layers != NULL, "%s", text);
    if (got.layers)
        cr_expect_arr_eq(file_layers, run.layers, sizeof(file_layers), "%s",
                         text);
    got.r = run.merging.r;
    got.layers = run.merging.layers;
    cr_expect_arr_eq(&got, &run.merging, sizeof(got), "%s", text);
    merging_run_free(&run);
    merging_args_free(&args);
}

Test(merging_file, says_what_options_would)
{
    tomevit_merging got;

    expect_as("# found\nmethod=tome\nr=2:1:0\n", "tome", NULL, "2,1,0");
    expect_as("\xef\xbb\xbf r=2,method=tome", "tome", NULL, "2,2,2");
    expect_as("method=strided r=1:0:1#all", "strided", NULL, "1,0,1");
    expect_as("method=upward\nthreshold=0:0.001:1e+30 # of layers\nprop=0",
              "upward", "threshold=0:0.001:1e+30,prop=0", NULL);
    expect_as("prune=10:8:6 method=diffrate merge=10:7:3", "diffrate",
              "prune=10:8:6,merge=10:7:3", NULL);
    cr_assert_eq(read_merging("method=tofu r=1 combine=max metric=V "
                              "similarity=dot rope-merge=centroid "
                              "ema-merge=rows seed=7 stride=3", &got), 0, "%s",
                 why);
    cr_expect(got.combine == TOMERGE_MAX && got.metric == TOMEVIT_METRIC_V);
    cr_expect(got.matching.similarity == TOMERGE_DOT);
    cr_expect(got.rope_merge == TOMEVIT_ROPE_CENTROID);
    cr_expect(got.ema_merge == TOMEVIT_EMA_ROWS);
    cr_expect(got.matching.seed == 7 && got.matching.stride == 3);
    for (size_t i = 0; i < DEPTH; i++)
        cr_expect_eq(file_layers[i].combine, TOMERGE_MAX);
}

static void refused_merging(const char *text, int code, const char *words)
{
    tomevit_merging got;

    cr_expect_eq(read_merging(text, &got), code, "%s: %s", text, why);
    cr_expect_not_null(strstr(why, words), "%s: %s", text, why);
}

Test(merging_file, is_refused_by_name)
{
    const int format = TOMEVIT_EFORMAT, invalid = TOMEVIT_EINVAL;

    refused_merging("", format, "method=NAME");
    refused_merging("# method=tome", format, "method=NAME");
    refused_merging("8,8,8", format, "KEY=VALUE, found '8'");
    refused_merging("method=tomes r=1", format, "method 'tomes'");
    refused_merging("method=tome", format, "no r");
    refused_merging("method=evit keep=0.5 r=1", format, "r beside");
    refused_merging("method=tome r=1 r=2", format, "twice the key 'r'");
    refused_merging("method=tome r=1:2", invalid, "r of other layers");
    refused_merging("method=tome r=1:2:3:4", invalid, "r of other layers");
    refused_merging("method=tome r=1::2", format, "r ''");
    refused_merging("method=tome r=-1", format, "r '-1'");
    refused_merging("method=tome r=1 margin=1", invalid, "'margin' is no");
    refused_merging("method=tome r=1 combine=most", format, "combine 'most'");
    refused_merging("method=random r=1 seed=x", format, "seed 'x'");
    refused_merging("method=diffrate file=c.json", format, "file, 'c.json'");
    refused_merging("method=upward threshold=0:1", invalid, "2 values");
}

/* Longer than anyone's schedule: what is read is limited. */
Test(merging_file, is_not_without_end)
{
    enum { MOST = 1 << 16 };
    char text[MOST + 2] = "method=tome r=1";
    size_t said = strlen(text);
    tomevit_description d = small_model();
    tomevit_merging got;
    tomevit_message message;

    memset(text + said, ' ', MOST - said);
    cr_expect_eq(read_merging(text, &got), 0, "%s", why);
    text[MOST] = ' ';
    refused_merging(text, TOMEVIT_EFORMAT, "longer than 65536 bytes");
    cr_expect_eq(tomevit_merging_parse(text, &d, &got, file_r, file_layers,
                                       &message), TOMEVIT_EFORMAT);
    cr_expect_not_null(strstr(message.text, "too long a text"), "%s",
                       message.text);
}
