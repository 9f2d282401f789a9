/* SPDX-License-Identifier: MIT */
/* Converting: dtypes are rounded right, everything that a model needs is
 * written, and a failure leaves nothing behind. */
#include "config.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "containers.h"
#include "model_file.h"
#include "refused.h"

#define IN "in.safetensors"
#define OUT "out.safetensors"

static char folder[32];

static void enter(void)
{
    strcpy(folder, "convert-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void leave(void)
{
    remove(IN);
    remove(OUT);
    cr_assert_eq(chdir(".."), 0);
    cr_assert_eq(rmdir(folder), 0, "something was left in %s", folder);
}

TestSuite(convert, .init = enter, .fini = leave);

/* Files in the folder. */
static size_t entries(void)
{
    DIR *dir = opendir(".");
    size_t count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void write_model(const model_file *file)
{
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);
    FILE *out = fopen(IN, "wb");

    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
    free(bytes);
}

static void make_model(model_file *file, const char *metadata)
{
    tomevit_description d;

    model_file_tiny(&d);
    model_file_random(file, &d);
    if (metadata)
        file->metadata = metadata;
}

static void convert(const char *dtype)
{
    tomevit_message why = {""};

    cr_assert_eq(tomevit_convert(IN, NULL, OUT, dtype, &why), 0, "%s",
                 why.text);
}

static void refuse(const char *out, const char *dtype, int expected,
                   const char *path, const char *words)
{
    size_t before = entries();
    tomevit_message why = {""};
    int code = tomevit_convert(IN, NULL, out, dtype, &why);

    refused(code, expected, &why, path, words);
    cr_assert_eq(tomevit_convert(IN, NULL, out, dtype, NULL), expected);
    cr_assert_eq(entries(), before, "a file was left");
}

static vit_tensors *open_file(const char *path)
{
    vit_tensors *tensors;
    tomevit_message why = {""};

    cr_assert_eq(tomevit_tensors_open(path, &tensors, &why), 0, "%s",
                 why.text);
    return tensors;
}

/* ---- values -------------------------------------------------------------- */

/* Every tensor of OUT is that of IN, rounded to `bits` of mantissa. */
static void check_rounding(const char *dtype, int bits, int least)
{
    vit_tensors *in = open_file(IN), *out = open_file(OUT);
    size_t i, k;

    cr_assert_eq(in->count, out->count);
    for (i = 0; i < in->count; i++) {
        const vit_stored *a = &in->list[i], *b = &out->list[i];
        float *x = malloc(a->elements * sizeof(*x));
        float *y = malloc(a->elements * sizeof(*y));

        cr_assert_str_eq(a->name, b->name);
        cr_assert_str_eq(b->dtype->name, dtype);
        cr_assert_eq(a->elements, b->elements);
        cr_assert_arr_eq(a->shape, b->shape, sizeof(a->shape));
        cr_assert_eq(tomevit_tensors_read(in, a, x, NULL), 0);
        cr_assert_eq(tomevit_tensors_read(out, b, y, NULL), 0);
        for (k = 0; k < a->elements; k++) {
            double want = (double)x[k];
            if (bits)
                want = model_file_round(x[k], bits, least);
            cr_assert_eq((double)y[k], want);
        }
        free(x);
        free(y);
    }
    tomevit_tensors_close(in);
    tomevit_tensors_close(out);
}

Test(convert, weights_are_kept_or_rounded_to_nearest)
{
    model_file file;

    make_model(&file, NULL);
    write_model(&file);
    convert(NULL);
    check_rounding("F32", 0, 0);
    convert("f32");
    check_rounding("F32", 0, 0);
    convert("f16");
    check_rounding("F16", 10, -14);
    convert("bf16");
    check_rounding("BF16", 7, -126);
    model_file_free(&file);
}

Test(convert, a_dtype_that_all_weights_share_is_kept)
{
    model_file file;

    make_model(&file, NULL);
    write_model(&file);
    convert("bf16");
    cr_assert_eq(rename(OUT, IN), 0);
    convert(NULL);
    check_rounding("BF16", 0, 0);
    model_file_free(&file);
}

Test(convert, values_beyond_f16_are_refused)
{
    static const unsigned char large[] = {0, 0xff, 0x7f, 0x47}; /* 65535 */
    static const unsigned char infinite[] = {0, 0, 0x80, 0x7f};
    model_file file;

    make_model(&file, NULL);
    memcpy(model_file_get(&file, "norm.bias")->data, large, 4);
    write_model(&file);
    refuse(OUT, "f16", TOMEVIT_EMODEL, NULL,
           "tensor \"norm.bias\": 65535 is too large for F16");
    convert("bf16");
    memcpy(model_file_get(&file, "norm.bias")->data, infinite, 4);
    write_model(&file);
    convert("f16");
    model_file_free(&file);
}

/* ---- what else a model is ------------------------------------------------ */

Test(convert, what_the_metadata_say_is_written)
{
    model_file file;
    vit_tensors *t;

    make_model(
        &file,
        "{\"num_heads\":\"4\",\"norm_eps\":\"1e-05\",\"mean\":"
        "\"[0.1, 0.2, 0.3]\",\"std\":\"0.4, 0.5, 0.6\",\"crop_pct\":"
        "\"0.95\",\"interpolation\":\"bilinear\",\"class_names\":"
        "\"[\\\"cat\\\", \\\"a \\\\\\\"dog\\\\\\\"\\\", \\\"\\u00e9\\\"]\"}");
    model_file_add(&file, "decoder", "U8", 0, NULL, 1);
    write_model(&file);
    convert(NULL);
    t = open_file(OUT);
    cr_assert_null(tomevit_tensors_find(t, "decoder"));
    cr_assert_str_eq(tomevit_tensors_metadata(t, "num_heads"), "4");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "norm_eps"), "9.99999975e-06");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "mean"),
                     "[0.100000001, 0.200000003, 0.300000012]");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "std"),
                     "[0.400000006, 0.5, 0.600000024]");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "crop_pct"),
                     "0.94999999999999996");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "interpolation"), "bilinear");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "class_names"),
                     "[\"cat\",\"a \\\"dog\\\"\",\"\xc3\xa9\"]");
    /* Others find the data aligned. */
    cr_assert_eq(t->mapping.bytes[0] % 8, 0);
    tomevit_tensors_close(t);
    model_file_free(&file);
}

/* ---- failures ------------------------------------------------------------ */

Test(convert, wrong_arguments_are_refused)
{
    cr_assert_eq(tomevit_convert(NULL, NULL, OUT, NULL, NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_convert(IN, NULL, NULL, NULL, NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_convert(IN, NULL, "", NULL, NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_convert(IN, NULL, OUT, "f64", NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_convert(IN, NULL, OUT, "F32", NULL), TOMEVIT_EINVAL);
    refuse(OUT, NULL, TOMEVIT_EIO, IN, "cannot open: No such file");
}

Test(convert, what_cannot_be_written_leaves_nothing)
{
    model_file file;
    struct rlimit before, limit;

    make_model(&file, NULL);
    write_model(&file);
    refuse("absent/" OUT, NULL, TOMEVIT_EIO, NULL, "cannot create: No such");
    /* A disk that is full after half of it. */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &limit);
    refuse(OUT, NULL, TOMEVIT_EIO, NULL, "cannot write: File too large");
    setrlimit(RLIMIT_FSIZE, &before);
    model_file_free(&file);
}

Test(convert, the_old_file_stays_until_the_new_one_is_whole)
{
    model_file file;
    FILE *old = fopen(OUT, "wb");
    char text[8] = "";

    fputs("old", old);
    fclose(old);
    make_model(&file, NULL);
    memcpy(model_file_get(&file, "norm.bias")->data, "\0\xff\x7f\x47", 4);
    write_model(&file);
    refuse(OUT, "f16", TOMEVIT_EMODEL, NULL, "too large");
    old = fopen(OUT, "rb");
    cr_assert_not_null(fgets(text, sizeof(text), old));
    cr_assert_str_eq(text, "old");
    fclose(old);
    convert("f32");
    check_rounding("F32", 0, 0);
    cr_assert_eq(entries(), 2);
    model_file_free(&file);
}

Test(convert, a_model_can_replace_its_own_file)
{
    model_file file;
    tomevit_message why = {""};

    make_model(&file, NULL);
    write_model(&file);
    cr_assert_eq(tomevit_convert(IN, NULL, IN, "f16", &why), 0, "%s", why.text);
    convert(NULL);
    check_rounding("F16", 0, 0);
    model_file_free(&file);
}
