/* SPDX-License-Identifier: MIT */
/* One model in every container gives timm's logits, and the same bits
 * whatever it was read from, merging or not. The fixtures were written by
 * tests/fixtures/make-models.py. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "golden.h"
#include "tomevit.h"

enum { CLASSES = 5, PIXELS = 3 * 12 * 12 };

/* File, container, what stands before the names. */
static const struct {
    const char *file, *container, *wrapper;
} files[] = {
    {"models/model.pth", "PyTorch zip", "state_dict.module."},
    {"models/stream.bin", "PyTorch stream", ""},
    {"models/model.npz", "npz", ""},
    {"models/model.gguf", "GGUF", ""},
    {"models/model.safetensors.index.json", "index of shards", ""},
};

enum { FILES = sizeof(files) / sizeof(*files) };

static void run(const tomevit_model *model, size_t r, const float *x,
                float logits[CLASSES])
{
    tomevit_context *context;
    tomevit_image image = {.data = x, .format = TOMEVIT_F32_CHW};
    tomevit_output output = {.logits = logits};
    tomevit_merging merging;

    tomevit_merging_init(&merging);
    merging.r = &r;
    cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
    cr_assert_eq(tomevit_forward(context, &merging, 1, &image, &output), 0);
    tomevit_context_free(context);
}

static tomevit_model *open_path(const char *path)
{
    tomevit_model *model;
    tomevit_message why = {""};

    cr_assert_eq(tomevit_open(path, NULL, &model, &why), 0, "%s", why.text);
    return model;
}

Test(models, every_container_gives_the_librarys_logits)
{
    char *folder = fixture_path("models");
    golden_file *io = golden_open(folder, "io.safetensors");
    const float *x = golden_f32(io, "x", PIXELS);
    const float *expected = golden_f32(io, "logits", CLASSES);
    float first[2][CLASSES];
    size_t i, k, r;

    for (i = 0; i < FILES; i++) {
        char *path = fixture_path(files[i].file);
        tomevit_model *model = open_path(path);

        cr_assert_str_eq(tomevit_describe(model)->container,
                         files[i].container);
        cr_assert_str_eq(tomevit_describe(model)->wrapper, files[i].wrapper);
        for (r = 0; r < 2; r++) {
            float logits[CLASSES];

            run(model, 3 * r, x, logits);
            for (k = 0; k < CLASSES && r == 0; k++)
                cr_assert(fabsf(logits[k] - expected[k]) < 1e-4f,
                          "%s: logit %zu is %g, timm's %g", files[i].file, k,
                          (double)logits[k], (double)expected[k]);
            if (i == 0)
                memcpy(first[r], logits, sizeof(logits));
            cr_assert_arr_eq(logits, first[r], sizeof(logits), "%s, r = %zu",
                             files[i].file, 3 * r);
        }
        tomevit_close(model);
        free(path);
    }
    /* Mean pooling sees what merging does even in the only layer. */
    cr_assert_arr_neq(first[0], first[1], sizeof(first[0]));
    golden_close(io);
    free(folder);
}

/* What convert writes gives the same bits again. */
static void check_converted(const char *path, const float *x,
                            const float expected[CLASSES])
{
    tomevit_model *model = open_path("models-out.safetensors");
    float logits[CLASSES];

    cr_assert_str_eq(tomevit_describe(model)->container, "safetensors");
    cr_assert_str_eq(tomevit_describe(model)->wrapper, "");
    run(model, 3, x, logits);
    cr_assert_arr_eq(logits, expected, sizeof(logits), "%s", path);
    tomevit_close(model);
}

Test(models, converted_models_give_the_same_bits)
{
    char *folder = fixture_path("models");
    golden_file *io = golden_open(folder, "io.safetensors");
    const float *x = golden_f32(io, "x", PIXELS);
    size_t i;

    for (i = 0; i < FILES; i++) {
        char *path = fixture_path(files[i].file);
        tomevit_model *model = open_path(path);
        tomevit_message why = {""};
        float expected[CLASSES];

        run(model, 3, x, expected);
        tomevit_close(model);
        cr_assert_eq(tomevit_convert(path, NULL, "models-out.safetensors", NULL,
                                     &why), 0, "%s", why.text);
        check_converted(path, x, expected);
        cr_assert_eq(
            tomevit_convert(path, NULL, "models-out.safetensors", "f32", &why),
            0, "%s", why.text);
        check_converted(path, x, expected);
        free(path);
    }
    remove("models-out.safetensors");
    golden_close(io);
    free(folder);
}

Test(models, a_damaged_array_is_named_when_the_model_is_opened)
{
    size_t count;
    unsigned char *bytes = fixture_bytes("models/model.npz", &count);
    tomevit_model *model = (tomevit_model *)&model;
    tomevit_message why = {""};
    FILE *out = fopen("models-bad.npz", "wb");
    int code;

    bytes[count / 2] ^= 0x55;
    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
    code = tomevit_open("models-bad.npz", NULL, &model, &why);
    cr_assert_eq(code, TOMEVIT_EFORMAT);
    cr_assert_null(model);
    cr_assert(!strncmp(why.text, "models-bad.npz: zip entry \"", 27) &&
              strstr(why.text, "the file is damaged"), "%s", why.text);
    cr_assert_eq(
        tomevit_convert("models-bad.npz", NULL, "models-none", NULL, &why),
        TOMEVIT_EFORMAT);
    cr_assert(strstr(why.text, "models-bad.npz: zip entry"), "%s", why.text);
    cr_assert_null(fopen("models-none", "rb"));
    remove("models-bad.npz");
    free(bytes);
}
