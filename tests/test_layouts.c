/* SPDX-License-Identifier: MIT */
/* Checkpoints as their own libraries write them: small models that timm,
 * transformers, torchvision and open_clip made, against those libraries'
 * logits. tests/fixtures/make-layouts.py says how they were made. */
#include "../vit/checkpoint/checkpoint.h"
#include "golden.h"
#include "../vit/model/model.h"
#include "../vit/network/positions.h"
#include "model_tiers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 8, PIXELS = 3 * 40 * 40 };

static char *folder(void)
{
    const char *srcdir = getenv("srcdir");

    return golden_path(srcdir ? srcdir : ".", "tests/fixtures/layouts");
}

static char *path_of(const json_t *entry, const char *key, const char *from)
{
    return json_object_get(entry, key)
               ? golden_path(from, golden_string(entry, key)) : NULL;
}

/* Opens the entry's model for images of these sides. */
static tomevit_model *open_model(const json_t *entry, const char *from,
                                 size_t size, size_t width,
                                 vit_checkpoint **checkpoint)
{
    char *path = path_of(entry, "weights", from);
    char *head = path_of(entry, "head", from);
    char *texts = path_of(entry, "text_embeddings", from);
    tomevit_open_options options = {
        .image_size = json_object_get(entry, "image_size") ? size : 0,
        .image_width = json_object_get(entry, "image_size") ? width : 0,
        .head = head, .text_embeddings = texts,
    };
    tomevit_message why = {""};
    tomevit_description d;
    tomevit_model *model;
    int code = tomevit_checkpoint_open(path, &options, checkpoint, &d, &why);

    cr_assert_eq(code, 0, "%s", why.text);
    cr_assert_eq(tomevit_model_build(&d, NULL,
                                     tomevit_checkpoint_source(*checkpoint),
                                     &model), 0);
    free(path), free(head), free(texts);
    return model;
}

static void compare(const json_t *entry, size_t index, const golden_file *io,
                    const float *got, size_t classes, const char *tier)
{
    char name[32];
    const float *want;

    snprintf(name, sizeof(name), "logits_%zu", index);
    want = golden_f32(io, name, classes);
    for (size_t i = 0; i < classes; i++)
        cr_assert_float_eq(got[i], want[i], 1e-4f * fmaxf(1, fabsf(want[i])),
                           "%s, %s: run %zu, logit %zu: %.9g not %.9g",
                           golden_string(entry, "name"), tier, index, i,
                           (double)got[i], (double)want[i]);
}

static void check_run(const json_t *entry, const json_t *run, size_t index,
                      const char *from, const golden_file *inputs,
                      const golden_file *io, const char *tier)
{
    size_t size = golden_size(run, "size"), r[8] = {0}, i;
    size_t width = json_object_get(run, "width") ? golden_size(run, "width")
                                                 : size;
    vit_checkpoint *checkpoint;
    tomevit_model *model = open_model(entry, from, size, width, &checkpoint);
    const tomevit_description *d = tomevit_describe(model);
    const json_t *layers = json_object_get(run, "r"), *number;
    float logits[CLASSES];
    tomevit_output out = {.logits = logits};
    tomevit_context *context;
    tomevit_merging merging;
    tomevit_image image;
    char name[64];

    cr_assert_eq(d->image_size, size);
    cr_assert_eq(d->image_width, width == size ? 0 : width);
    cr_assert(d->classes <= CLASSES && d->depth <= 8);
    snprintf(name, sizeof(name), width == size ? "x_%zu" : "x_%zux%zu", size,
             width);
    image = (tomevit_image){
        .data = golden_f32(inputs, name, 3 * size * width),
        .format = TOMEVIT_F32_CHW};
    tomevit_merging_init(&merging);
    json_array_foreach(layers, i, number)
        r[i] = (size_t)json_integer_value(number);
    merging.r = json_array_size(layers) ? r : NULL;
    merging.prop_attn = json_is_true(json_object_get(run, "prop_attn"));
    if (json_object_get(run, "metric"))
        cr_assert_eq(tomevit_metric_from_name(golden_string(run, "metric"),
                                              &merging.metric), 0);
    if (json_object_get(run, "rope_merge"))
        cr_assert_eq(tomevit_rope_merge_from_name(
                         golden_string(run, "rope_merge"),
                         &merging.rope_merge), 0);
    cr_assert_eq(tomevit_context_create(model, 1, 2, &context), 0);
    cr_assert_eq(tomevit_forward(context, &merging, 1, &image, &out), 0);
    compare(entry, index, io, logits, d->classes, tier);
    tomevit_context_free(context);
    tomevit_close(model);
    tomevit_checkpoint_close(checkpoint);
}

static void check_models(const char *tier)
{
    char *from = folder();
    json_t *entries = golden_index(from);
    golden_file *inputs = golden_open(from, "inputs.safetensors");
    const json_t *entry, *run;
    size_t i, j;

    cr_assert_geq(json_array_size(entries), 20);
    json_array_foreach(entries, i, entry) {
        golden_file *io = golden_open(from, golden_string(entry, "io"));

        json_array_foreach(json_object_get(entry, "runs"), j, run)
            check_run(entry, run, j, from, inputs, io, tier);
        golden_close(io);
    }
    golden_close(inputs);
    json_decref(entries);
    free(from);
}

/* The embedding of an image of grey dots. */
static size_t embed(const char *path, const tomevit_open_options *options,
                    float embedding[64])
{
    static float pixels[3 * 48 * 48];
    tomevit_image image = {.data = pixels, .format = TOMEVIT_F32_CHW};
    tomevit_output out = {.embedding = embedding};
    tomevit_message why = {""};
    tomevit_context *context;
    tomevit_model *model;

    for (size_t i = 0; i < sizeof(pixels) / sizeof(*pixels); i++)
        pixels[i] = (float)(i % 576 * 7 % 11) / 5.0f - 1.0f;
    cr_assert_eq(tomevit_open(path, options, &model, &why), 0, "%s", why.text);
    size_t width = tomevit_describe(model)->embedding;
    cr_assert(width > 0 && width <= 64);
    cr_assert(tomevit_describe(model)->image_size <= 48);
    cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out), 0);
    tomevit_context_free(context);
    tomevit_close(model);
    return width;
}

/* Models of texts are in the same space without any; others have none. */
Test(layouts, project_without_texts)
{
    char *from = folder();
    json_t *entries = golden_index(from);
    const json_t *entry;
    size_t i, found = 0;

    json_array_foreach(entries, i, entry) {
        char *path = path_of(entry, "weights", from);
        char *texts = path_of(entry, "text_embeddings", from);
        float with[64] = {0}, without[64] = {0};
        tomevit_open_options options;
        tomevit_description d;
        tomevit_message why;

        tomevit_open_options_init(&options);
        options.projection = 1;
        if (texts) {
            size_t width = embed(path, &options, without);

            options.projection = 0;
            options.text_embeddings = texts;
            cr_assert_eq(embed(path, &options, with), width);
            cr_assert_arr_eq(with, without, sizeof(with));
            cr_assert_neq(with[width - 1], 0.0f);
            found++;
        } else if (!strcmp(golden_string(entry, "name"), "timm_gap")) {
            cr_assert_eq(tomevit_read_description(path, &options, &d, &why),
                         TOMEVIT_EMODEL);
            cr_assert(strstr(why.text, "visual_projection.weight"), "%s",
                      why.text);
        }
        free(path), free(texts);
    }
    cr_assert_geq(found, 4);
    json_decref(entries);
    free(from);
}

Test(layouts, give_the_logits_of_their_libraries)
{
    each_tier(check_models);
}

/* Logits of one image, merged; what tomevit_forward returns. */
static int merged(tomevit_model *model, int threads, int method,
                  const golden_file *inputs, float logits[CLASSES])
{
    tomevit_image image = {
        .data = golden_f32(inputs, "x_24", 3 * 24 * 24),
        .format = TOMEVIT_F32_CHW};
    tomevit_output out = {.logits = logits};
    size_t r[8] = {7, 5, 3};
    tomevit_context *context;
    tomevit_merging merging;
    int error;

    tomevit_merging_init(&merging);
    merging.r = r;
    merging.matching.method = method;
    cr_assert_eq(tomevit_context_create(model, 1, threads, &context), 0);
    error = tomevit_forward(context, &merging, 1, &image, &out);
    tomevit_context_free(context);
    return error;
}

/* Where heads are put together, their weights are no shares that tokens could
 * be ranked by; and threads that share the work give the same bits. */
Test(layouts, put_heads_together)
{
    static const char *const names[] = {"timm_cait", "timm_differential"};
    char *from = folder();
    golden_file *inputs = golden_open(from, "inputs.safetensors");

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        json_t *entry = json_pack("{s:s+}", "weights", names[i],
                                  ".safetensors");
        vit_checkpoint *checkpoint;
        tomevit_model *model = open_model(entry, from, 24, 24, &checkpoint);
        float one[CLASSES], more[CLASSES];

        cr_assert_eq(merged(model, 1, TOMERGE_TOPK, inputs, one),
                     TOMEVIT_EINVAL);
        cr_assert_eq(merged(model, 1, TOMERGE_ALTERNATING, inputs, one), 0);
        for (int threads = 2; threads <= 3; threads++) {
            cr_assert_eq(merged(model, threads, TOMERGE_ALTERNATING, inputs,
                                more), 0);
            cr_assert_arr_eq(one, more, 5 * sizeof(*one), "%s, %d threads",
                             names[i], threads);
        }
        tomevit_close(model);
        tomevit_checkpoint_close(checkpoint);
        json_decref(entry);
    }
    golden_close(inputs);
    free(from);
}

/* What a model of stages makes of images of 32 x 48, merged or not. */
static void staged(tomevit_model *model, int threads, int merge, size_t batch,
                   const tomevit_image *images, float *logits)
{
    tomevit_output out = {.logits = logits};
    size_t r[2] = {2, 1};
    tomevit_context *context;
    tomevit_merging merging;

    tomevit_merging_init(&merging);
    merging.r = merge ? r : NULL;
    cr_assert_eq(tomevit_context_create(model, batch, threads, &context), 0);
    cr_assert_eq(tomevit_forward(context, &merging, batch, images, &out), 0);
    tomevit_context_free(context);
}

/* Maps are shared out by rows, images come one after another, and bytes are the
 * floats that they stand for: the same bits. */
Test(layouts, have_the_same_maps_however_they_are_made)
{
    enum { PLACES = 32 * 48 };
    char *from = folder();
    json_t *entry = json_pack("{s:s}", "weights",
                              "timm_stages_wide.safetensors");
    vit_checkpoint *checkpoint;
    tomevit_model *model = open_model(entry, from, 32, 48, &checkpoint);
    uint8_t *bytes = malloc(2 * PLACES * 3);
    float *floats = malloc(2 * PLACES * 3 * sizeof(*floats));
    float one[2 * CLASSES], other[2 * CLASSES];
    tomevit_image in[4];

    for (size_t i = 0; i < 2 * PLACES * 3; i++)
        bytes[i] = (uint8_t)(i * i * 2654435761u >> 13);
    for (size_t i = 0; i < 2 * PLACES * 3; i++) {
        size_t image = i / (PLACES * 3), pixel = i / 3 % PLACES, k = i % 3;

        floats[(image * 3 + k) * PLACES + pixel] =
            ((float)bytes[i] / 255.0f - 0.5f) / 0.5f;
    }
    for (size_t i = 0; i < 2; i++) {
        in[i] = (tomevit_image){
            .data = bytes + i * PLACES * 3,
            .format = TOMEVIT_RGB8_HWC};
        in[2 + i] = (tomevit_image){
            .data = floats + i * PLACES * 3,
            .format = TOMEVIT_F32_CHW};
    }
    staged(model, 1, 1, 2, in, one);
    for (int threads = 1; threads <= 5; threads++) {
        staged(model, threads, 1, 2, in + 2, other);
        cr_expect_arr_eq(one, other, 10 * sizeof(*one), "%d threads", threads);
        for (size_t i = 0; i < 2; i++) {
            staged(model, threads, 1, 1, in + i, other);
            cr_expect_arr_eq(one + i * 5, other, 5 * sizeof(*one),
                             "image %zu, %d threads", i, threads);
        }
    }
    free(bytes), free(floats);
    tomevit_close(model);
    tomevit_checkpoint_close(checkpoint);
    json_decref(entry);
    free(from);
}

/* In bf16 and int8, on every tier: rounding takes 1.1 and 2.7 % of the largest
 * logit here, and the convolutions' products are bf16 in both. */
Test(layouts, have_stages_in_narrow_types)
{
    static const uint32_t masks[] = {0, TOMERGE_CPU_AVX2, 3, 7, 15, 63};
    static const float bounds[] = {[TOMEVIT_BF16] = 0.02f,
                                   [TOMEVIT_INT8] = 0.05f};
    char *from = folder();
    char *path = golden_path(from, "timm_stages_wide.safetensors");
    golden_file *inputs = golden_open(from, "inputs.safetensors");
    tomevit_image image = {
        .data = golden_f32(inputs, "x_32x48", 3 * 32 * 48),
        .format = TOMEVIT_F32_CHW};
    float exact[CLASSES], logits[CLASSES], largest = 0;

    for (size_t i = 0; i < 3 * sizeof(masks) / sizeof(*masks); i++) {
        tomevit_open_options options;
        tomevit_model *model;

        tomevit_open_options_init(&options);
        options.dtype = (int)(i % 3);
        tomerge_set_cpu_mask(masks[i / 3]);
        cr_assert_eq(tomevit_open(path, &options, &model, NULL), 0);
        staged(model, 1, 0, 1, &image, logits);
        tomevit_close(model);
        if (i == 0)
            memcpy(exact, logits, sizeof(exact));
        for (size_t k = 0; i == 0 && k < 5; k++)
            largest = fmaxf(largest, fabsf(exact[k]));
        for (size_t k = 0; i % 3 && k < 5; k++)
            cr_expect_float_eq(logits[k], exact[k], bounds[i % 3] * largest,
                               "mask %u, type %zu, logit %zu: %g not %g",
                               (unsigned)masks[i / 3], i % 3, k,
                               (double)logits[k], (double)exact[k]);
    }
    golden_close(inputs);
    free(from), free(path);
}

/* ---- what stands beside the tensors -------------------------------------- */

static void expect_three(const json_t *expect, const char *key,
                         const float got[3])
{
    const json_t *list = json_object_get(expect, key);

    for (size_t i = 0; list && i < 3; i++)
        cr_assert_float_eq((double)got[i],
                           json_real_value(json_array_get(list, i)), 1e-6);
}

static void expect_names(const json_t *expect, const vit_checkpoint *checkpoint)
{
    const json_t *list = json_object_get(expect, "class_names");
    tomevit_message why = {""};
    char **names;

    cr_assert_eq(tomevit_checkpoint_class_names(checkpoint, &names, &why), 0,
                 "%s", why.text);
    cr_assert_eq(names != NULL, list != NULL);
    for (size_t i = 0; i < json_array_size(list); i++)
        cr_assert_str_eq(names[i], json_string_value(json_array_get(list, i)));
    free(names);
}

static void check_expected(const json_t *expect, const tomevit_description *d)
{
    const tomevit_preprocessing *pre = &d->preprocessing;
    const json_t *number = json_object_get(expect, "crop_pct");

    expect_three(expect, "mean", pre->mean);
    expect_three(expect, "std", pre->std);
    if (number)
        cr_assert_float_eq(pre->crop_pct, json_real_value(number), 1e-12);
    if ((number = json_object_get(expect, "resized")))
        cr_assert_eq(tomevit_resized_side(pre),
                     (size_t)json_integer_value(number));
    cr_assert_eq(pre->crop_mode == TOMEVIT_SQUASH,
                 json_is_true(json_object_get(expect, "squash")));
    cr_assert_eq(pre->interpolation == TOMEVIT_BILINEAR,
                 json_is_true(json_object_get(expect, "bilinear")));
    if (json_object_get(expect, "source"))
        cr_assert_str_eq(d->preprocessing_source,
                         golden_string(expect, "source"));
}

Test(layouts, read_what_their_neighbours_say)
{
    char *from = folder();
    json_t *entries = golden_index(from), *entry;
    size_t i, checked = 0;

    json_array_foreach(entries, i, entry) {
        const json_t *expect = json_object_get(entry, "expect");
        vit_checkpoint *checkpoint;
        tomevit_model *model = open_model(entry, from, 24, 24, &checkpoint);

        if (expect) {
            check_expected(expect, tomevit_describe(model));
            expect_names(expect, checkpoint);
            checked++;
        }
        tomevit_close(model);
        tomevit_checkpoint_close(checkpoint);
    }
    cr_assert_geq(checked, 4);
    json_decref(entries);
    free(from);
}

static void add_name(void *names, const char *name)
{
    json_array_append_new(names, json_string(name));
}

/* Every tensor is used but those named. */
Test(layouts, name_what_they_do_not_use)
{
    char *from = folder();
    json_t *entries = golden_index(from), *entry;
    size_t i, k;

    json_array_foreach(entries, i, entry) {
        const json_t *unused = json_object_get(entry, "unused");
        vit_checkpoint *checkpoint;
        tomevit_model *model = open_model(entry, from, 24, 24, &checkpoint);

        json_t *found = json_array();

        cr_assert_eq(tomevit_checkpoint_unused(checkpoint, add_name, found),
                     json_array_size(unused), "%s",
                     golden_string(entry, "name"));
        cr_assert_eq(json_array_size(found), json_array_size(unused));
        for (k = 0; k < json_array_size(unused); k++)
            cr_assert_str_eq(json_string_value(json_array_get(found, k)),
                             json_string_value(json_array_get(unused, k)));
        json_decref(found);
        tomevit_close(model);
        tomevit_checkpoint_close(checkpoint);
    }
    json_decref(entries);
    free(from);
}

/* ---- pieces -------------------------------------------------------------- */

Test(layouts, resize_positions_as_their_libraries_do)
{
    static const size_t sizes[][2] = {{7, 12}, {12, 7}, {5, 5}, {3, 2}, {2, 9}};
    static const int none[] = {-1, VIT_POSITIONS_WIDE + 1,
                               2 * VIT_POSITIONS_SQUARE,
                               VIT_POSITIONS_SQUARE + VIT_POSITIONS_WIDE + 1};
    char *from = folder(), name[32];
    vit_resizing r;
    golden_file *file = golden_open(from, "positions.safetensors");

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t a = sizes[i][0], b = sizes[i][1];
        const float *in, *want;
        float got[12 * 12 * 3];

        snprintf(name, sizeof(name), "in_%zu_%zu", a, b);
        in = golden_f32(file, name, a * a * 3);
        for (int how = 0; how <= VIT_POSITIONS_WIDE; how++) {
            snprintf(name, sizeof(name), "out_%zu_%zu_%d", a, b, how);
            want = golden_f32(file, name, b * b * 3);
            r = (vit_resizing){how, 3, {a, a}, {b, b}};
            cr_assert_eq(tomevit_resize_positions(&r, in, got), 0);
            for (size_t k = 0; k < b * b * 3; k++)
                cr_assert_float_eq(got[k], want[k], 1e-5, "%s at %zu: %.9g "
                                   "not %.9g", name, k, (double)got[k],
                                   (double)want[k]);
        }
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        r = (vit_resizing){none[i], 1, {2, 2}, {2, 2}};
        cr_assert_eq(tomevit_resize_positions(&r, NULL, NULL), TOMEVIT_EINVAL);
    }
    golden_close(file);
    free(from);
}

/* Every way to crop, of pictures wider and higher than the crop, with Pillow
 * 13. */
Test(layouts, crop_rectangles_as_timm_does)
{
    static const size_t sides[2][2] = {{19, 31}, {45, 16}};
    static const size_t crops[2][2] = {{12, 20}, {20, 8}};
    static const char *const modes[] = {"center", "squash", "border"};
    static const char *const filters[] = {"bicubic", "bilinear"};
    char *from = folder(), name[64];
    golden_file *file = golden_open(from, "rectangles.safetensors");
    uint8_t got[12 * 20 * 3];

    for (size_t i = 0; i < 2 * 3 * 2 * 2; i++) {
        size_t picture = i / 12, mode = i / 4 % 3, filter = i / 2 % 2;
        size_t high = crops[i % 2][0], wide = crops[i % 2][1];
        size_t height = sides[picture][0], width = sides[picture][1];
        size_t first, count;
        const uint8_t *rgb, *want;
        tomevit_preprocessing pre = {
            .size = high, .width = wide, .crop_pct = i % 2 ? 1.0 : 0.9,
            .interpolation = (int)filter, .crop_mode = (int)mode,
            .mean = {0.4f, 0.5f, 0.6f}, .pixels = TOMEVIT_PILLOW_13,
        };

        snprintf(name, sizeof(name), "rgb_%zu", picture);
        rgb = golden_u8(file, name, height * width * 3);
        snprintf(name, sizeof(name), "crop_%zu_%s_%s_%zu", picture,
                 modes[mode], filters[filter], i % 2);
        want = golden_u8(file, name, high * wide * 3);
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, width, height, 3 * width,
                                         got), 0);
        cr_assert_eq(memcmp(got, want, high * wide * 3), 0, "%s", name);
        cr_assert_eq(tomevit_crop_rows(&pre, width, height, &first, &count), 0);
        cr_assert(count > 0 && first + count <= height);
    }
    golden_close(file);
    free(from);
}

/* As the metadata say that open_clip has it: bicubic where it cuts. */
Test(layouts, crop_rectangles_as_open_clip_does)
{
    static const size_t sides[2][2] = {{19, 31}, {45, 16}};
    static const size_t crops[2][2] = {{12, 20}, {20, 8}};
    char *from = folder(), name[64];
    golden_file *file = golden_open(from, "rectangles.safetensors");
    uint8_t got[12 * 20 * 3];

    for (size_t i = 0; i < 2 * 2 * 2; i++) {
        size_t picture = i / 4, squash = i / 2 % 2;
        size_t high = crops[i % 2][0], wide = crops[i % 2][1];
        size_t height = sides[picture][0], width = sides[picture][1];
        const uint8_t *rgb;
        tomevit_preprocessing pre = {
            .size = high, .width = wide, .crop_pct = 1.0,
            .interpolation = squash ? TOMEVIT_BILINEAR : TOMEVIT_BICUBIC,
            .crop_mode = squash ? TOMEVIT_SQUASH : TOMEVIT_CENTER,
            .pixels = TOMEVIT_PILLOW_13,
        };

        snprintf(name, sizeof(name), "rgb_%zu", picture);
        rgb = golden_u8(file, name, height * width * 3);
        snprintf(name, sizeof(name), "crop_%zu_open_clip_%s_%zu", picture,
                 squash ? "squash" : "shortest", i % 2);
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, width, height, 3 * width,
                                         got), 0);
        cr_assert_eq(memcmp(got, golden_u8(file, name, high * wide * 3),
                            high * wide * 3), 0, "%s", name);
    }
    golden_close(file);
    free(from);
}

Test(layouts, squash_images_as_pillow_does)
{
    static const char *const names[] = {"bicubic", "bilinear"};
    char *from = folder(), name[32];
    golden_file *file = golden_open(from, "squash.safetensors");
    const uint8_t *rgb = golden_u8(file, "rgb", 17 * 40 * 3);
    uint8_t got[12 * 12 * 3];
    size_t first, count;

    for (int filter = 0; filter < 2; filter++) {
        tomevit_preprocessing pre = {.size = 12, .crop_pct = 1.0,
                                     .interpolation = filter,
                                     .crop_mode = TOMEVIT_SQUASH};

        cr_assert_eq(tomevit_resize_crop(&pre, rgb, 40, 17, 120, got), 0);
        cr_assert_eq(memcmp(got, golden_u8(file, names[filter], sizeof(got)),
                            sizeof(got)), 0, "%s", names[filter]);
        cr_assert_eq(tomevit_crop_rows(&pre, 40, 17, &first, &count), 0);
        cr_assert(first == 0 && count == 17);
        pre.size = 8;
        pre.crop_pct = 8.0 / 12.0;
        snprintf(name, sizeof(name), "%s_centre", names[filter]);
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, 40, 17, 120, got), 0);
        cr_assert_eq(memcmp(got, golden_u8(file, name, 8 * 8 * 3), 8 * 8 * 3),
                     0, "%s", name);
        pre.crop_mode = 3;
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, 40, 17, 120, got),
                     TOMEVIT_EINVAL);
    }
    golden_close(file);
    free(from);
}
