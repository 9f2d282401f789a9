/* SPDX-License-Identifier: MIT */
/* Real images through real weights against the reference implementation's
 * results: groups of merged tokens and logits, on every tier. */
#include "golden.h"
#include "../src/images/image.h"
#include "tiers.h"
#include "tomevit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 25, CLASSES = 1000, TOKENS = 197, SIDE = 224 };

static const struct {
    const char *tag;
    size_t r;
    double inflection;
} schedules[] = {
    {"r0", 0, 0.0},   {"r2", 2, 0.0},      {"r4", 4, 0.0},   {"r8", 8, 0.0},
    {"r12", 12, 0.0}, {"r13", 13, 0.0},    {"r16", 16, 0.0}, {"r20", 20, 0.0},
    {"r8dec", 8, -1.0}, {"r13dec", 13, -1.0},
};
enum { SCHEDULES = sizeof(schedules) / sizeof(schedules[0]) };

typedef struct pictures {
    uint8_t *crops;        /* [IMAGES, SIDE, SIDE, 3] */
    tomevit_image images[IMAGES];
} pictures;

static pictures load_pictures(const json_t *index, const char *data,
                              const tomevit_preprocessing *pre)
{
    const json_t *files = json_object_get(index, "files");
    pictures p = {.crops = malloc(IMAGES * SIDE * SIDE * 3)};
    char *folder = golden_path(data, "imagenet-sample");
    image_options options;
    char why[200];

    cr_assert(p.crops && pre->size == SIDE);
    image_options_init(&options);
    for (size_t i = 0; i < IMAGES; i++) {
        const char *name = json_string_value(json_array_get(files, i));
        char *path = golden_path(folder, name);
        uint8_t *crop = p.crops + i * SIDE * SIDE * 3;
        image decoded;

        cr_assert_eq(image_read(path, &options, &decoded, why), 0, "%s: %s",
                     path, why);
        cr_assert_eq(tomevit_resize_crop(pre, decoded.rgb, decoded.width,
                                         decoded.height, decoded.width * 3,
                                         crop), 0);
        p.images[i] = (tomevit_image){.data = crop, .format = TOMEVIT_RGB8_HWC};
        image_free(&decoded);
        free(path);
    }
    free(folder);
    return p;
}

/* Images whose groups equal the reference's; for those, the logits' largest
 * difference goes up to *worst. */
static size_t agreeing(const golden_file *golden, const char *tag,
                       const int32_t *map, const float *logits, float *worst)
{
    char name[32];
    const int32_t *group = NULL;
    const float *want;
    size_t agree = 0;

    snprintf(name, sizeof(name), "group_%s", tag);
    if (golden_find(golden, name))
        group = golden_i32(golden, name, IMAGES * TOKENS);
    snprintf(name, sizeof(name), "logits_%s", tag);
    want = golden_f32(golden, name, IMAGES * CLASSES);
    for (size_t b = 0; b < IMAGES; b++) {
        if (group && memcmp(group + b * TOKENS, map + b * TOKENS,
                            TOKENS * sizeof(*map)))
            continue;
        agree++;
        for (size_t i = b * CLASSES; i < (b + 1) * CLASSES; i++)
            *worst = fmaxf(*worst, fabsf(logits[i] - want[i]));
    }
    return agree;
}

static void check_tier(const char *tier, const char *weights,
                       const golden_file *golden, const json_t *index,
                       const char *data)
{
    static float logits[IMAGES * CLASSES];
    static int32_t map[IMAGES * TOKENS];
    tomevit_output out = {.logits = logits, .map = map};
    tomevit_context *context;
    tomevit_message why;
    tomevit_model *model;
    pictures p;

    cr_assert_eq(tomevit_open(weights, NULL, &model, &why), 0, "%s", why.text);
    p = load_pictures(index, data, &tomevit_describe(model)->preprocessing);
    cr_assert_eq(tomevit_context_create(model, IMAGES, 2, &context), 0);
    for (size_t s = 0; s < SCHEDULES; s++) {
        float worst = 0.0f;
        tomevit_merging m;
        size_t r[12], agree;

        tomevit_merging_init(&m);
        cr_assert_eq(tomerge_schedule(12, schedules[s].r,
                                      schedules[s].inflection, r), 0);
        m.r = r;
        cr_assert_eq(tomevit_forward(context, &m, IMAGES, p.images, &out), 0);
        agree = agreeing(golden, schedules[s].tag, map, logits, &worst);
        cr_log_info("%s %s: %zu of %d groups, logits within %.2g", tier,
                    schedules[s].tag, agree, IMAGES, (double)worst);
        cr_assert_geq(agree, IMAGES - 1, "%s %s: %zu groups agree", tier,
                      schedules[s].tag, agree);
        cr_assert_leq(worst, 2e-3f, "%s %s: logits off by %g", tier,
                      schedules[s].tag, (double)worst);
    }
    tomevit_context_free(context);
    tomevit_close(model);
    free(p.crops);
}

Test(real, groups_and_logits_of_the_first_images)
{
    static const char *const tiers[] = {"scalar", "avx2", "avx512", "neon"};
    const char *real = golden_real_folder(), *data = golden_data_folder();
    uint32_t mask;
    golden_file *golden;
    json_t *index;
    char *weights;

    if (!real || !data)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    golden = golden_open(real, "first25.safetensors");
    index = golden_index(real);
    weights = golden_path(data,
                          "weights/vit_tiny_patch16_224.augreg.safetensors");
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        tomerge_cpu_mask(tiers[i], &mask);
        if ((tomerge_cpu_detected() & mask) != mask) {
            note_absent(tiers[i]);
            continue;
        }
        tomerge_set_cpu_mask(mask);
        check_tier(tiers[i], weights, golden, index, data);
    }
    free(weights);
    json_decref(index);
    golden_close(golden);
}
