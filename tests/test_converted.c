/* SPDX-License-Identifier: MIT */
/* Models that were converted are those they were made of, bit for bit: every
 * fixture's in f32, and in int8, which is what rounding at opening makes. Of
 * int8 files also what they hold, and which are refused. */
#include "config.h"

#include "golden.h"
#include "model_file.h"
#include "refused.h"
#include "../vit/containers/tensors.h"
#include "tiers.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 64, CLASSES = 8, PIXELS = 3 * SIDE * SIDE };

#define OUT "out.safetensors"

static char folder[32];
static float pixels[PIXELS];

static void enter(void)
{
    strcpy(folder, "converted-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < PIXELS; i++)
        pixels[i] = sinf((float)i * 0.37f);
}

static void leave(void)
{
    tomerge_set_cpu_mask(UINT32_MAX);
    cr_assert_eq(rmdir(folder), 0, "something was left in %s", folder);
}

TestSuite(converted, .init = enter, .fini = leave);

static char *path_of(const json_t *entry, const char *key)
{
    const char *srcdir = getenv("srcdir");
    char *from = golden_path(srcdir ? srcdir : ".", "tests/fixtures/layouts");
    char *path = json_object_get(entry, key)
                     ? golden_path(from, golden_string(entry, key)) : NULL;

    free(from);
    return path;
}

/* ---- the same logits ----------------------------------------------------- */

static void logits_of(const char *path, const tomevit_open_options *options,
                      float logits[CLASSES])
{
    tomevit_message why = {""};
    size_t r[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    tomevit_output out = {.logits = logits};
    tomevit_image image = {.data = pixels, .format = TOMEVIT_F32_CHW};
    tomevit_merging merging;
    tomevit_context *context;
    tomevit_model *model;

    cr_assert_eq(tomevit_open(path, options, &model, &why), 0, "%s", why.text);
    cr_assert(tomevit_describe(model)->depth <= 8 &&
              tomevit_describe(model)->classes <= CLASSES &&
              tomevit_describe(model)->image_size <= SIDE);
    tomevit_merging_init(&merging);
    merging.r = r;
    cr_assert_eq(tomevit_context_create(model, 1, 2, &context), 0);
    cr_assert_eq(tomevit_forward(context, &merging, 1, &image, &out), 0);
    tomevit_context_free(context);
    tomevit_close(model);
}

/* On every kind of kernels that the dtype has. */
static void compare(const char *name, const char *path,
                    const tomevit_open_options *options, const char *converted,
                    const tomevit_open_options *rest)
{
    static const char *const tiers[] = {
        "scalar", "avx2", "avx512", "avx512-vnni", "amx-int8",
        "neon", "neon-dotprod", "neon-i8mm",
    };
    size_t compared = 0;

    for (size_t i = 0; i < sizeof(tiers) / sizeof(*tiers); i++) {
        float want[CLASSES] = {0}, got[CLASSES] = {0};
        uint32_t mask;

        cr_assert_eq(tomerge_cpu_mask(tiers[i], &mask), 0);
        if ((tomerge_cpu_detected() & mask) != mask)
            continue;
        tomerge_set_cpu_mask(mask);
        logits_of(path, options, want);
        logits_of(converted, rest, got);
        cr_expect_neq(want[0], 0.0f);
        cr_expect_arr_eq(got, want, sizeof(want), "%s, %s, %s: %.9g not %.9g",
                         name, tomevit_dtype_name(options->dtype), tiers[i],
                         (double)got[0], (double)want[0]);
        compared++;
    }
    cr_expect_geq(compared, 1);
}

/* What is given in files of its own can be given before or afterwards. */
static void check_entry(const json_t *entry, int dtype, const char *converted)
{
    const char *name = golden_string(entry, "name");
    char *path = path_of(entry, "weights"), *head = path_of(entry, "head");
    char *texts = path_of(entry, "text_embeddings");
    tomevit_open_options all, none;
    tomevit_message why = {""};

    tomevit_open_options_init(&all);
    all.dtype = dtype;
    none = all;
    all.head = head;
    all.text_embeddings = texts;
    cr_assert_eq(tomevit_convert(path, NULL, converted,
                                 tomevit_dtype_name(dtype), &why), 0, "%s",
                 why.text);
    compare(name, path, &all, converted, &all);
    if (head || texts) {
        cr_assert_eq(tomevit_convert(path, &all, converted,
                                     tomevit_dtype_name(dtype), &why), 0,
                     "%s", why.text);
        compare(name, path, &all, converted, &none);
    }
    free(path), free(head), free(texts);
}

Test(converted, gives_the_same_logits)
{
    const char *srcdir = getenv("srcdir");
    char *from = golden_path(srcdir ? srcdir : ".", "tests/fixtures/layouts");
    char *converted = golden_path(folder, OUT);
    json_t *entries = golden_index(from);
    const json_t *entry;
    size_t i;

    cr_assert_geq(json_array_size(entries), 20);
    json_array_foreach(entries, i, entry) {
        check_entry(entry, TOMEVIT_F32, converted);
        check_entry(entry, TOMEVIT_INT8, converted);
    }
    cr_assert_eq(remove(converted), 0);
    json_decref(entries);
    free(converted);
    free(from);
}

/* Positions that were resized are resized no further. */
Test(converted, keeps_another_image_size)
{
    const char *srcdir = getenv("srcdir");
    char *path = golden_path(srcdir ? srcdir : ".",
                             "tests/fixtures/layouts/timm_gap.safetensors");
    char *converted = golden_path(folder, OUT);
    tomevit_open_options all, none;
    tomevit_message why = {""};

    tomevit_open_options_init(&all);
    none = all;
    all.image_size = 24;
    cr_assert_eq(tomevit_convert(path, &all, converted, NULL, &why), 0, "%s",
                 why.text);
    compare("timm_gap", path, &all, converted, &none);
    cr_assert_eq(remove(converted), 0);
    free(converted);
    free(path);
}

/* A host program may have set a locale that writes numbers with commas; the C
 * library is given one of its own making, where it has the sources of it. */
static int set_comma_locale(void)
{
    static const char *const names[] = {"comma", "de_DE.UTF-8", "fr_FR.UTF-8"};
    char command[128], *here = getcwd(NULL, 0), *path;

    snprintf(command, sizeof(command), "localedef -i de_DE -f UTF-8 ./%s/comma "
             ">/dev/null 2>&1", folder);
    path = golden_path(here, folder);
    if (system(command) == 0)
        setenv("LOCPATH", path, 1);
    free(path), free(here);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (setlocale(LC_NUMERIC, names[i]) &&
            *localeconv()->decimal_point == ',')
            return 1;
    return 0;
}

static void remove_locale(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf ./%s/comma", folder);
    cr_assert_eq(system(command), 0);
}

Test(converted, takes_points_whatever_the_locale)
{
    static const char *const models[] = {
        "layouts/timm_gap.safetensors", "layouts/timm_dinov3/model.safetensors",
        "layouts/timm_rectangle.safetensors",
    };
    const char *srcdir = getenv("srcdir");
    char *all = golden_path(srcdir ? srcdir : ".", "tests/fixtures");
    char *converted = golden_path(folder, OUT);
    int commas = set_comma_locale();

    for (size_t i = 0; commas && i < sizeof(models) / sizeof(*models); i++) {
        char *path = golden_path(all, models[i]);
        tomevit_message why = {""};
        tomevit_description was, is;

        cr_assert_eq(tomevit_convert(path, NULL, converted, NULL, &why), 0,
                     "%s", why.text);
        cr_assert_eq(tomevit_read_description(path, NULL, &was, NULL), 0);
        cr_assert_eq(tomevit_read_description(converted, NULL, &is, NULL), 0);
        cr_assert_eq(memcmp(&was.preprocessing, &is.preprocessing,
                            sizeof(is.preprocessing)), 0);
        cr_assert_eq(memcmp(&was.rope.theta, &is.rope.theta,
                            2 * sizeof(float)), 0);
        remove(converted);
        free(path);
    }
    setlocale(LC_NUMERIC, "C");
    remove_locale();
    free(converted);
    free(all);
    if (!commas)
        cr_skip_test("no locale that writes numbers with commas");
}

/* ---- int8 ---------------------------------------------------------------- */

static vit_tensors *open_file(const char *path)
{
    vit_tensors *tensors;
    tomevit_message why = {""};

    cr_assert_eq(tomevit_tensors_open(path, &tensors, &why), 0, "%s",
                 why.text);
    return tensors;
}

static float *read_all(const vit_tensors *tensors, const vit_stored *t)
{
    float *values = malloc(t->elements * sizeof(*values));

    cr_assert_eq(tomevit_tensors_read(tensors, t, values, NULL), 0);
    return values;
}

/* A row's scale is a 127th of its peak; its values are whole scales. */
static void check_rows(const float *want, const float *got, size_t rows,
                       size_t k)
{
    for (size_t i = 0; i < rows; i++, want += k, got += k) {
        double peak = 0, step;

        for (size_t j = 0; j < k; j++)
            peak = fmax(peak, fabs((double)want[j]));
        step = peak / 127;
        for (size_t j = 0; j < k; j++) {
            double whole = (double)got[j] / step;

            cr_assert_float_eq((double)got[j], (double)want[j],
                               step * 0.5000001);
            cr_assert_float_eq(whole, rint(whole), 1e-4);
        }
    }
}

static void check_tensor(const vit_tensors *in, const vit_stored *a,
                         const vit_tensors *out)
{
    const vit_stored *b = tomevit_tensors_find(out, a->name);
    float *want, *got;

    cr_assert_not_null(b, "%s", a->name);
    cr_assert_eq(a->elements, b->elements);
    want = read_all(in, a);
    got = read_all(out, b);
    if (!strncmp(a->name, "blocks.", 7) && a->dims == 2) {
        cr_assert_str_eq(b->dtype->name, "I8");
        check_rows(want, got, a->shape[0], a->shape[1]);
    } else {
        cr_assert_str_eq(b->dtype->name, "F32");
        cr_assert_arr_eq(got, want, a->elements * sizeof(*got));
    }
    free(want);
    free(got);
}

static void write_bytes(const model_file *file, const char *path)
{
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);
    FILE *out = fopen(path, "wb");

    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
    free(bytes);
}

Test(converted, holds_rounded_rows_and_their_scales)
{
    char *path = golden_path(folder, "in.safetensors");
    char *converted = golden_path(folder, OUT);
    tomevit_message why = {""};
    tomevit_description d;
    vit_tensors *in, *out;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    write_bytes(&file, path);
    model_file_free(&file);
    cr_assert_eq(tomevit_convert(path, NULL, converted, "int8", &why), 0, "%s",
                 why.text);
    in = open_file(path);
    out = open_file(converted);
    cr_assert_eq(in->count, out->count);
    for (size_t i = 0; i < in->count; i++)
        check_tensor(in, &in->list[i], out);
    tomevit_tensors_close(in);
    tomevit_tensors_close(out);
    remove(path);
    remove(converted);
    free(path);
    free(converted);
}

/* ---- other int8 files ---------------------------------------------------- */

static void set_dtype(model_tensor *t, const char *dtype, size_t bytes)
{
    t->dtype = dtype;
    t->bytes = bytes;
    memset(t->data, 0, bytes);
}

/* A matrix of I8, and `dims` of `shape` as its scales, if there are any. */
static void refuse(const char *name, size_t dims, const size_t *shape,
                   const char *dtype, size_t bytes, const char *words)
{
    char *path = golden_path(folder, "in.safetensors"), scales[200];
    tomevit_message why = {""};
    tomevit_description d;
    model_file file;
    model_tensor *t;
    int code;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    t = model_file_get(&file, name);
    set_dtype(t, "I8", t->bytes / 4);
    snprintf(scales, sizeof(scales), "%s_scale", name);
    if (dims)
        model_file_add(&file, scales, dtype, dims, shape, bytes);
    write_bytes(&file, path);
    model_file_free(&file);
    code = tomevit_read_description(path, NULL, &d, &why);
    refused(code, TOMEVIT_EMODEL, &why, path, words);
    remove(path);
    free(path);
}

Test(converted, matrices_without_a_scale_for_each_row_are_refused)
{
    static const char matrix[] = "blocks.1.mlp.fc1.weight", line[] =
        "\"blocks.1.mlp.fc1.weight\": expected dtype F32, F16, BF16, or "
        "I8 with \"blocks.1.mlp.fc1.weight_scale\", F32 of [rows, 1], found I8";
    const size_t one[] = {1}, rows[] = {16}, across[] = {1, 16};

    refuse(matrix, 0, NULL, NULL, 0, line);
    refuse(matrix, 1, one, "F32", 4, line);
    refuse(matrix, 2, across, "F32", 64, line);
    refuse(matrix, 1, rows, "BF16", 32, line);
    refuse("norm.weight", 1, (size_t[]){8}, "F32", 32,
           "\"norm.weight\": expected dtype F32, F16 or BF16, found I8");
}

/* Scales of [rows], of any value, and integers that rounding does not give. */
Test(converted, any_integers_and_scales_are_read)
{
    char *path = golden_path(folder, "in.safetensors");
    const size_t rows[] = {16};
    const float scale[] = {0.5f, -2.0f, INFINITY};
    tomevit_description d;
    vit_tensors *tensors;
    const vit_stored *found;
    model_tensor *t;
    model_file file;
    float *values;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    t = model_file_get(&file, "blocks.1.mlp.fc1.weight");
    set_dtype(t, "I8", t->bytes / 4);
    t->data[0] = 0x80;
    t->data[8] = 0x7f;
    t->data[16] = 1;
    t = model_file_add(&file, "blocks.1.mlp.fc1.weight_scale", "F32", 1, rows,
                       64);
    for (size_t i = 0; i < sizeof(scale); i++) {
        uint32_t bits;

        memcpy(&bits, &scale[i / 4], sizeof(bits));
        t->data[i] = (unsigned char)(bits >> 8 * (i % 4));
    }
    write_bytes(&file, path);
    model_file_free(&file);
    tensors = open_file(path);
    found = tomevit_tensors_find(tensors, "blocks.1.mlp.fc1.weight");
    cr_assert_not_null(found);
    cr_assert_null(tomevit_tensors_find(tensors,
                                        "blocks.1.mlp.fc1.weight_scale"));
    values = read_all(tensors, found);
    cr_expect_eq(values[0], -64.0f);
    cr_expect_eq(values[1], 0.0f);
    cr_expect_eq(values[8], -254.0f);
    cr_expect_eq(values[16], INFINITY);
    cr_expect(isnan(values[17]));
    free(values);
    tomevit_tensors_close(tensors);
    cr_expect_eq(tomevit_read_description(path, NULL, &d, NULL), 0);
    cr_expect_eq(d.unused, 0);
    remove(path);
    free(path);
}
