/* SPDX-License-Identifier: MIT */
/* Images that keep their proportions: several in a batch, each with patches of
 * its own, give the bits that a model opened for images of those sides gives;
 * the fixtures of test_layouts say that these are its library's. */
#include "../vit/network/pooling.h"
#include "draws.h"
#include "golden.h"
#include "model_tiers.h"
#include "tomevit.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 5, PATCH = 4, MOST = 66, PIXELS = 3 * MOST * PATCH * PATCH,
       CLASSES = 8, DEPTH = 3, TOKENS = MOST + 8 };

/* A square, a tall and a wide one, the smallest and the longest. */
static const size_t sides[IMAGES][2] = {
    {24, 24}, {40, 16}, {16, 52}, {4, 4}, {4, 264}};

static const char *const models[] = {
    "timm_naflex/model", "timm_naflex_axes/model", "timm_naflex_square/model",
    "timm_naflex_siglip/model", "timm_naflex_radio/model",
    "hf_siglip2_classes/model", "timm_layer_scale", "deit_distilled",
    "timm_cait", "timm_differential"};

static char *folder(void)
{
    const char *srcdir = getenv("srcdir");

    return golden_path(srcdir ? srcdir : ".", "tests/fixtures/layouts");
}

static char *path_of(const char *model)
{
    char *from = folder(), name[80], *path;

    snprintf(name, sizeof(name), "%s.safetensors", model);
    path = golden_path(from, name);
    free(from);
    return path;
}

static tomevit_model *open_model(const char *name, int dtype, size_t most,
                                 const size_t *image)
{
    char *path = path_of(name);
    tomevit_open_options options;
    tomevit_message why = {""};
    tomevit_model *model;

    tomevit_open_options_init(&options);
    options.dtype = dtype;
    options.max_patches = most;
    options.image_size = image ? image[0] : 0;
    options.image_width = image ? image[1] : 0;
    cr_assert_eq(tomevit_open(path, &options, &model, &why), 0, "%s", why.text);
    free(path);
    return model;
}

/* What came of a batch. */
typedef struct results {
    float logits[IMAGES * CLASSES];
    int32_t map[IMAGES * TOKENS];
    size_t rows[IMAGES], layer_rows[IMAGES * DEPTH];
} results;

static int forward(const tomevit_model *model, int threads, size_t batch,
                   const tomevit_image *images, const tomevit_merging *merging,
                   results *out)
{
    tomevit_output output = {.logits = out->logits, .map = out->map,
                             .rows = out->rows, .layer_rows = out->layer_rows};
    tomevit_context *context;
    int error;

    memset(out, 0, sizeof(*out));
    cr_assert_eq(tomevit_context_create(model, batch, threads, &context), 0);
    error = tomevit_forward(context, merging, batch, images, &output);
    tomevit_context_free(context);
    return error;
}

/* Noise, bytes or floats in turns. */
static void make_images(tomevit_image images[IMAGES])
{
    static float floats[IMAGES][PIXELS];
    static uint8_t bytes[IMAGES][PIXELS];
    uint32_t state = 1;

    for (size_t b = 0; b < IMAGES; b++) {
        for (size_t i = 0; i < PIXELS; i++) {
            bytes[b][i] = (uint8_t)(draw_32(&state) >> 24);
            floats[b][i] = (float)bytes[b][i] / 64.0f - 2.0f;
        }
        images[b] = (tomevit_image){
            .data = b % 2 ? (const void *)bytes[b] : floats[b],
            .format = b % 2 ? TOMEVIT_RGB8_HWC : TOMEVIT_F32_CHW,
            .height = sides[b][0], .width = sides[b][1]};
    }
}

static size_t patches_of(size_t image)
{
    return sides[image][0] / PATCH * (sides[image][1] / PATCH);
}

/* By the sums of r up to each layer, of which an image has its share. */
static void share(const size_t r[DEPTH], size_t image, size_t own[DEPTH])
{
    size_t sum = 0, gone = 0;

    for (size_t i = 0; i < DEPTH; i++) {
        sum += r[i];
        own[i] = sum * patches_of(image) / MOST - gone;
        gone += own[i];
    }
}

/* Image b of the batch beside the same alone, in a model for its sides. */
static void compare(const char *name, int dtype, const tomevit_image *image,
                    size_t b, const tomevit_merging *merging, int by_count,
                    const results *all)
{
    tomevit_model *model = open_model(name, dtype, 0, sides[b]);
    const tomevit_description *d = tomevit_describe(model);
    size_t own[DEPTH], most = d->prefix + MOST;
    tomevit_merging alone = *merging;
    results one;

    share(merging->r, b, own);
    alone.r = by_count ? own : merging->r;
    cr_assert_eq(forward(model, 1, 1, image, &alone, &one), 0);
    cr_expect_arr_eq(one.logits, all->logits + b * d->classes,
                     d->classes * sizeof(float), "%s, type %d, image %zu",
                     name, dtype, b);
    cr_expect_eq(one.rows[0], all->rows[b], "%s, image %zu: %zu rows not %zu",
                 name, b, all->rows[b], one.rows[0]);
    cr_expect_arr_eq(one.layer_rows, all->layer_rows + b * d->depth,
                     d->depth * sizeof(size_t), "%s, image %zu", name, b);
    cr_expect_arr_eq(one.map, all->map + b * most, d->tokens * sizeof(int32_t),
                     "%s, image %zu", name, b);
    for (size_t t = d->tokens; t < most; t++)
        cr_expect_eq(all->map[b * most + t], -1);
    tomevit_close(model);
}

static void check_batch(const char *name, int dtype, int threads,
                        const tomevit_merging *merging, int by_count)
{
    tomevit_model *model = open_model(name, dtype, MOST, NULL);
    const tomevit_description *d = tomevit_describe(model);
    tomevit_image images[IMAGES];
    results all;

    cr_assert_eq(d->preprocessing.max_patches, MOST);
    cr_assert_eq(d->tokens, d->prefix + MOST);
    cr_assert(d->classes <= CLASSES && d->depth <= DEPTH);
    make_images(images);
    cr_assert_eq(forward(model, threads, IMAGES, images, merging, &all), 0,
                 "%s", name);
    for (size_t b = 0; b < IMAGES; b++)
        if (merging->tile <= sides[b][0] / PATCH) /* else a model of one grid
                                                   * refuses it */
            compare(name, dtype, &images[b], b, merging, by_count, &all);
    tomevit_close(model);
}

static const size_t many[DEPTH] = {13, 7, 9}, none[DEPTH];

static void check_tier(const char *tier)
{
    tomevit_merging merging;

    (void)tier;
    tomevit_merging_init(&merging);
    for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
        for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++)
            for (int threads = 1; threads <= 3; threads += 2) {
                merging.r = none;
                check_batch(models[i], dtype, threads, &merging, 1);
                merging.r = many;
                check_batch(models[i], dtype, threads, &merging, 1);
            }
}

Test(aspects, give_the_bits_of_a_model_of_those_sides)
{
    each_tier(check_tier);
}

/* Methods that count; others look at their own numbers, and r only says
 * where. */
Test(aspects, merge_by_any_method)
{
    static const int methods[] = {
        TOMERGE_SEQUENTIAL, TOMERGE_RANDOM, TOMERGE_PITOME, TOMERGE_DIFFRATE,
        TOMERGE_TOPK, TOMERGE_THRESHOLD, TOMERGE_MUTUAL, TOMERGE_STRIDED};
    tomevit_merging merging;

    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        int counts = methods[i] != TOMERGE_STRIDED &&
                     (tomerge_method_needs(methods[i]) & TOMERGE_NEEDS_R);

        tomevit_merging_init(&merging);
        merging.r = many;
        merging.matching.method = methods[i];
        merging.matching.threshold = 0.7f;
        merging.matching.stride = methods[i] == TOMERGE_STRIDED ? 3 : 0;
        check_batch("timm_naflex/model", TOMEVIT_F32, 2, &merging, counts);
    }
    tomevit_merging_init(&merging);
    merging.r = many;
    merging.matching.method = TOMERGE_GIVEN;
    merging.tile = 2;
    check_batch("timm_naflex/model", TOMEVIT_F32, 2, &merging, 1);
}

/* Where the head reads one row of the last layer, what its r would leave. */
Test(aspects, count_the_rows_of_a_last_layer_that_is_cut_short)
{
    tomevit_model *model = open_model("timm_layer_scale", TOMEVIT_F32, MOST,
                                      NULL);
    const tomevit_description *d = tomevit_describe(model);
    size_t rows[IMAGES * DEPTH], own[DEPTH];
    float logits[IMAGES * CLASSES];
    tomevit_output out = {.logits = logits, .layer_rows = rows};
    tomevit_image images[IMAGES];
    tomevit_context *context;
    tomevit_merging merging;

    make_images(images);
    tomevit_merging_init(&merging);
    merging.r = many;
    cr_assert_eq(tomevit_context_create(model, IMAGES, 1, &context), 0);
    cr_assert_eq(tomevit_forward(context, &merging, IMAGES, images, &out), 0);
    for (size_t b = 0; b < IMAGES; b++) {
        size_t left = d->prefix + patches_of(b);

        share(many, b, own);
        for (size_t i = 0; i < d->depth; i++) {
            left -= own[i];
            cr_expect_eq(rows[b * d->depth + i], left, "image %zu, layer %zu: "
                         "%zu not %zu", b, i, rows[b * d->depth + i], left);
        }
    }
    tomevit_context_free(context);
    tomevit_close(model);
}

Test(aspects, refuse_other_sides)
{
    static const size_t wrong[][2] = {
        {24, 0}, {0, 24}, {23, 24}, {24, 26}, {4, 268}, {48, 48},
        {SIZE_MAX / 4 * 4, 4}, {SIZE_MAX / 8 * 4, SIZE_MAX / 8 * 4}};
    static float pixels[3 * 24 * 24];
    tomevit_model *own = open_model("timm_layer_scale", TOMEVIT_F32, MOST,
                                    NULL);
    tomevit_model *few = open_model("timm_layer_scale", TOMEVIT_F32, 35, NULL);
    tomevit_model *one = open_model("timm_layer_scale", TOMEVIT_F32, 0, NULL);
    tomevit_image image = {.data = pixels, .format = TOMEVIT_F32_CHW};
    tomevit_merging merging;
    results out;

    tomevit_merging_init(&merging);
    cr_expect_eq(forward(own, 1, 1, &image, &merging, &out), 0);
    cr_expect_eq(forward(few, 1, 1, &image, &merging, &out), TOMEVIT_EINVAL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        image.height = wrong[i][0];
        image.width = wrong[i][1];
        cr_expect_eq(forward(own, 1, 1, &image, &merging, &out),
                     TOMEVIT_EINVAL, "%zu", i);
        cr_expect_eq(forward(one, 1, 1, &image, &merging, &out),
                     TOMEVIT_EINVAL, "%zu", i);
    }
    image.height = image.width = 24;
    cr_expect_eq(forward(one, 1, 1, &image, &merging, &out), 0);
    image.width = 20;
    cr_expect_eq(forward(one, 1, 1, &image, &merging, &out), TOMEVIT_EINVAL);
    tomevit_close(own), tomevit_close(few), tomevit_close(one);
}

/* Positions that belong to a grid, whatever looks at them. */
Test(aspects, refuse_models_of_one_grid)
{
    static const char *const names[] = {
        "timm_eva02/model", "timm_beit/model", "timm_stages"};
    static const char *const whats[] = {
        "rotary positions", "relative positions", "stages of convolutions"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char *path = path_of(names[i]);
        tomevit_open_options options;
        tomevit_description d;
        tomevit_message why;

        tomevit_open_options_init(&options);
        options.max_patches = 64;
        cr_expect_eq(tomevit_read_description(path, &options, &d, &why),
                     TOMEVIT_EMODEL, "%s", names[i]);
        cr_expect(strstr(why.text, whats[i]), "%s", why.text);
        free(path);
    }
    for (size_t i = 0; i < 2; i++) {
        char *path = path_of("timm_layer_scale");
        tomevit_open_options options;
        tomevit_description d;
        tomevit_message why;

        tomevit_open_options_init(&options);
        options.max_patches = i ? SIZE_MAX : 65536;
        cr_expect_eq(tomevit_read_description(path, &options, &d, &why),
                     TOMEVIT_EMODEL);
        cr_expect(strstr(why.text, "1 to 65535 patches"), "%s", why.text);
        free(path);
    }
}

/* ---- pixels -------------------------------------------------------------- */

Test(aspects, have_the_sides_that_transformers_gives_them)
{
    char *from = folder();
    golden_file *file = golden_open(from, "aspects.safetensors");
    const golden_tensor *t = golden_get(file, "sides");
    const int32_t *row = t->data;

    cr_assert_eq(t->count, 400 * 6);
    for (size_t i = 0; i < 400; i++, row += 6) {
        tomevit_preprocessing pre = {.patch = (size_t)row[2],
                                     .max_patches = (size_t)row[3]};
        size_t width, height;

        cr_assert_eq(tomevit_crop_sides(&pre, (size_t)row[1], (size_t)row[0],
                                        &width, &height), 0);
        cr_expect(height == (size_t)row[4] && width == (size_t)row[5],
                  "%d x %d, at most %d patches of %d: %zu x %zu not %d x %d",
                  row[0], row[1], row[3], row[2], height, width, row[4],
                  row[5]);
    }
    golden_close(file);
    free(from);
}

Test(aspects, have_the_pixels_of_timm)
{
    static const size_t shapes[3][2] = {{19, 31}, {45, 16}, {3, 40}};
    static const char *const filters[] = {"bicubic", "bilinear"};
    char *from = folder(), name[64];
    golden_file *file = golden_open(from, "aspects.safetensors");

    for (size_t i = 0; i < 6; i++) {
        size_t height = shapes[i / 2][0], width = shapes[i / 2][1];
        tomevit_preprocessing pre = {
            .interpolation = (int)(i % 2), .pixels = TOMEVIT_PILLOW_13,
            .patch = 4, .max_patches = 30};
        uint8_t got[30 * 16 * 3];
        size_t across, down, first, count;
        const uint8_t *rgb;

        snprintf(name, sizeof(name), "rgb_%zu", i / 2);
        rgb = golden_u8(file, name, height * width * 3);
        snprintf(name, sizeof(name), "crop_%zu_%s", i / 2, filters[i % 2]);
        cr_assert_eq(tomevit_crop_sides(&pre, width, height, &across, &down),
                     0);
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, width, height, 3 * width,
                                         got), 0);
        cr_expect_arr_eq(got, golden_u8(file, name, across * down * 3),
                         across * down * 3, "%s", name);
        cr_assert_eq(tomevit_crop_rows(&pre, width, height, &first, &count), 0);
        cr_expect(first == 0 && count == height);
    }
    golden_close(file);
    free(from);
}

Test(aspects, refuse_preprocessing_without_a_patch)
{
    tomevit_preprocessing pre = {.size = 224, .crop_pct = 0.9,
                                 .max_patches = 64};
    size_t across, down;

    cr_expect_eq(tomevit_crop_sides(&pre, 20, 20, &across, &down),
                 TOMEVIT_EINVAL);
    pre.patch = ((size_t)1 << 24) / 64 + 1;
    cr_expect_eq(tomevit_crop_sides(&pre, 20, 20, &across, &down),
                 TOMEVIT_EINVAL);
    pre.patch = 16;
    cr_expect_eq(tomevit_resized_side(&pre), 0);
    cr_expect_eq(tomevit_crop_sides(&pre, 0, 20, &across, &down),
                 TOMEVIT_EINVAL);
    cr_expect_eq(tomevit_crop_sides(&pre, 20, 20, NULL, &down),
                 TOMEVIT_EINVAL);
    cr_expect_eq(tomevit_crop_sides(&pre, 20, 20, &across, NULL),
                 TOMEVIT_EINVAL);
    cr_expect_eq(tomevit_crop_sides(NULL, 20, 20, &across, &down),
                 TOMEVIT_EINVAL);
    /* So long that even one patch high it is too many. */
    cr_expect_eq(tomevit_crop_sides(&pre, (size_t)1 << 24, 1, &across, &down),
                 0);
    cr_expect_eq(down, 16);
    cr_expect(across <= 64 * 16);
    pre.max_patches = 0;
    cr_expect_eq(tomevit_crop_sides(&pre, 20, 20, &across, &down), 0);
    cr_expect(across == 224 && down == 224);
}
