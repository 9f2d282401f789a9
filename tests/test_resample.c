/* SPDX-License-Identifier: MIT */
/* Resize and crop: Pillow's bytes, and those of a plain full resize, on every
 * tier. */
#include "config.h"

#include "guarded.h"
#include "pixels.h"
#include "../vit/pixels/resample.h"
#include "tiers.h"
#include "tomevit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static tomevit_preprocessing settings(size_t size, double crop_pct,
                                      int interpolation)
{
    tomevit_preprocessing pre = {
        .size = size, .crop_pct = crop_pct, .interpolation = interpolation,
    };

    return pre;
}

/* Pictures of pixels_fill, resized and cropped by Pillow 11.3. */
static const struct golden {
    size_t width, height, size;
    double crop_pct;
    int interpolation;
    uint64_t hash;
} goldens[] = {
    { 1, 1, 4, 0.875, TOMEVIT_BICUBIC, UINT64_C(0x914427df84d74605) },
    { 5, 3, 8, 0.9, TOMEVIT_BICUBIC, UINT64_C(0xbc70f91ddd64467e) },
    { 3, 90, 16, 0.9, TOMEVIT_BICUBIC, UINT64_C(0x62d64676c0b3b473) },
    { 90, 3, 16, 0.9, TOMEVIT_BILINEAR, UINT64_C(0x31432dfe1043c264) },
    { 64, 48, 32, 0.875, TOMEVIT_BICUBIC, UINT64_C(0xd8b9ae6762858b86) },
    { 48, 64, 32, 0.875, TOMEVIT_BILINEAR, UINT64_C(0xb5bdc6239434cdd0) },
    { 100, 131, 32, 1.0, TOMEVIT_BICUBIC, UINT64_C(0xd0e1c58618959504) },
    { 131, 100, 33, 0.9, TOMEVIT_BILINEAR, UINT64_C(0xb2b693ac83e253eb) },
    { 500, 375, 224, 0.9, TOMEVIT_BICUBIC, UINT64_C(0xe92cfa784c36c03f) },
    { 375, 500, 224, 0.875, TOMEVIT_BICUBIC, UINT64_C(0xb2855bef4b4fbf90) },
    { 333, 500, 224, 0.95, TOMEVIT_BILINEAR, UINT64_C(0x09ed44cdaed81092) },
    { 35, 35, 32, 0.9, TOMEVIT_BICUBIC, UINT64_C(0xce1cd39f840517c3) },
    { 32, 32, 32, 1.0, TOMEVIT_BICUBIC, UINT64_C(0x070d8588d61d0dbd) },
    { 640, 427, 96, 0.5, TOMEVIT_BICUBIC, UINT64_C(0xca94c807f11b96b6) },
    { 31, 400, 7, 0.9, TOMEVIT_BICUBIC, UINT64_C(0xf8e984ffe22a556f) },
};

/* Makes tier `index` of the kernels the best allowed; 1 with its name, or 0
 * past the last. An absent one says so and is left out. */
static int next_tier(size_t *index, const char **name)
{
    const tomevit_resample_kernels *tier;
    uint32_t needs, mask;

    for (; (tier = tomevit_resample_tier(*index, &needs)); ++*index) {
        cr_assert_eq(tomerge_cpu_mask(tier->name, &mask), 0);
        cr_assert_eq(mask & needs, needs);
        if ((tomerge_cpu_detected() & mask) != mask) {
            note_absent(tier->name);
            continue;
        }
        tomerge_set_cpu_mask(mask);
        cr_assert_str_eq(tomevit_pixel_tier(), tier->name);
        *name = tier->name;
        ++*index;
        return 1;
    }
    return 0;
}

Test(resample, equals_pillow)
{
    const char *tier;

    for (size_t next = 0; next_tier(&next, &tier);)
        for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
            const struct golden *g = &goldens[i];
            tomevit_preprocessing pre = settings(g->size, g->crop_pct,
                                                 g->interpolation);
            uint8_t *rgb = malloc(3 * g->width * g->height);
            uint8_t *crop = malloc(3 * g->size * g->size);

            pixels_fill(rgb, g->width, g->height);
            cr_assert_eq(tomevit_resize_crop(&pre, rgb, g->width, g->height,
                                             3 * g->width, crop), 0);
            cr_assert_eq(pixels_hash(crop, 3 * g->size * g->size), g->hash,
                         "%zu x %zu to %zu, %s", g->width, g->height,
                         g->size, tier);
            free(rgb);
            free(crop);
        }
}

/* The same by Pillow 12.1, 12.3 and 13.0, which differ in what is resized first
 * where a picture is tall. */
static const struct ordered {
    size_t width, height, size;
    double crop_pct;
    int interpolation, crop_mode;
    uint64_t hash[3];
} ordered[] = {
    { 33, 320, 64, 1.0, TOMEVIT_BICUBIC, TOMEVIT_SQUASH,
      { UINT64_C(0xe07ac295759b5f38), UINT64_C(0xe07ac295759b5f38),
        UINT64_C(0xeca22fa42cac08bb) } },
    { 31, 400, 7, 0.9, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0xf8e984ffe22a556f), UINT64_C(0xf8e984ffe22a556f),
        UINT64_C(0xa335d6d5cdf8545f) } },
    { 3, 900, 16, 0.9, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0x18e51c0f05f29203), UINT64_C(0x18e51c0f05f29203),
        UINT64_C(0x18e51c0f05f29203) } },
    { 3, 900, 2, 1.0, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0xee6ed4cd707ec2ce), UINT64_C(0xdf072817c9ca815c),
        UINT64_C(0xdf072817c9ca815c) } },
    { 40, 100, 32, 0.9, TOMEVIT_BILINEAR, TOMEVIT_CENTER,
      { UINT64_C(0x768043b6f8d01251), UINT64_C(0x768043b6f8d01251),
        UINT64_C(0xce6d2e2acba8e57b) } },
    { 40, 90, 24, 0.875, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0x124a6b5a30a85c54), UINT64_C(0x124a6b5a30a85c54),
        UINT64_C(0xc270170f05bd2ef8) } },
    { 5, 600, 4, 1.0, TOMEVIT_BILINEAR, TOMEVIT_CENTER,
      { UINT64_C(0x359da65054f26ed2), UINT64_C(0x80e7246e2eea7b43),
        UINT64_C(0x80e7246e2eea7b43) } },
    { 100, 131, 32, 1.0, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0xd0e1c58618959504), UINT64_C(0xd0e1c58618959504),
        UINT64_C(0xd0e1c58618959504) } },
    { 375, 500, 64, 0.9, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0x98041f38677ff58b), UINT64_C(0x98041f38677ff58b),
        UINT64_C(0x98041f38677ff58b) } },
    { 48, 64, 32, 0.875, TOMEVIT_BILINEAR, TOMEVIT_CENTER,
      { UINT64_C(0xb5bdc6239434cdd0), UINT64_C(0xb5bdc6239434cdd0),
        UINT64_C(0xb5bdc6239434cdd0) } },
    { 10, 1001, 8, 1.0, TOMEVIT_BICUBIC, TOMEVIT_SQUASH,
      { UINT64_C(0x147a1162a089cd7c), UINT64_C(0xce6e10b0af1405b4),
        UINT64_C(0xce6e10b0af1405b4) } },
    { 400, 31, 7, 0.9, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0x03e95bd768887847), UINT64_C(0x03e95bd768887847),
        UINT64_C(0x03e95bd768887847) } },
    { 131, 300, 33, 0.5, TOMEVIT_BICUBIC, TOMEVIT_CENTER,
      { UINT64_C(0x4ee8d60315c9aa5e), UINT64_C(0x4ee8d60315c9aa5e),
        UINT64_C(0xbfa85b2549eaee52) } },
};

static void check_ordered(const struct ordered *g, int pixels, const char *tier)
{
    tomevit_preprocessing pre = settings(g->size, g->crop_pct,
                                         g->interpolation);
    uint8_t *rgb = malloc(3 * g->width * g->height);
    uint8_t *crop = malloc(3 * g->size * g->size);

    pre.crop_mode = g->crop_mode;
    pre.pixels = pixels;
    pixels_fill(rgb, g->width, g->height);
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, g->width, g->height,
                                     3 * g->width, crop), 0);
    cr_expect_eq(pixels_hash(crop, 3 * g->size * g->size), g->hash[pixels],
                 "%zu x %zu to %zu, pixels %d, %s", g->width, g->height,
                 g->size, pixels, tier);
    free(rgb);
    free(crop);
}

Test(resample, equals_each_pillow)
{
    const char *tier;

    for (size_t next = 0; next_tier(&next, &tier);)
        for (size_t i = 0; i < sizeof(ordered) / sizeof(*ordered); i++)
            for (int p = TOMEVIT_PILLOW_12; p <= TOMEVIT_PILLOW_13; p++)
                check_ordered(&ordered[i], p, tier);
}

/* The same with a border, by timm 1.0.31 with Pillow 13.0: ResizeKeepRatio with
 * longest=1, CenterCropOrPad filled with the mean. */
static const struct bordered {
    size_t width, height, size;
    double crop_pct;
    int interpolation;
    float mean[3];
    uint64_t hash;
} bordered[] = {
    { 40, 17, 12, 1.0, TOMEVIT_BICUBIC, { 0.5f, 0.5f, 0.5f },
      UINT64_C(0x33f94724d6eb514f) },
    { 17, 40, 12, 1.0, TOMEVIT_BILINEAR, { 0.485f, 0.456f, 0.406f },
      UINT64_C(0x4ebc3efe17e0ae08) },
    { 500, 375, 224, 1.0, TOMEVIT_BICUBIC, { 0.5f, 0.5f, 0.5f },
      UINT64_C(0x3172497bc7258491) },
    { 5, 3, 8, 0.9, TOMEVIT_BICUBIC, { 0.3f, 0.1f, 0.7f },
      UINT64_C(0x692566708a0adb2b) },
    { 333, 500, 64, 0.875, TOMEVIT_BILINEAR,
      { 0.48145466f, 0.4578275f, 0.40821073f }, UINT64_C(0x1f638fa662d9d7f4) },
    { 90, 3, 16, 1.0, TOMEVIT_BICUBIC, { 0.0f, 0.0f, 1.0f },
      UINT64_C(0xfbde103a0cae5ca6) },
    { 32, 32, 32, 1.0, TOMEVIT_BICUBIC, { 0.5f, 0.5f, 0.5f },
      UINT64_C(0x070d8588d61d0dbd) },
    { 1, 1, 4, 0.875, TOMEVIT_BICUBIC, { 0.5f, 0.5f, 0.5f },
      UINT64_C(0x914427df84d74605) },
    { 131, 100, 33, 0.5, TOMEVIT_BICUBIC, { 0.5f, 0.5f, 0.5f },
      UINT64_C(0xe8f4dd60b88b6fbf) },
};

static void check_bordered(const struct bordered *g, const char *tier)
{
    tomevit_preprocessing pre = settings(g->size, g->crop_pct,
                                         g->interpolation);
    uint8_t *rgb = malloc(3 * g->width * g->height);
    uint8_t *crop = malloc(3 * g->size * g->size);
    size_t first, count;

    pre.crop_mode = TOMEVIT_BORDER;
    pre.pixels = TOMEVIT_PILLOW_13;
    memcpy(pre.mean, g->mean, sizeof(pre.mean));
    pixels_fill(rgb, g->width, g->height);
    cr_assert_eq(tomevit_crop_rows(&pre, g->width, g->height, &first, &count),
                 0);
    cr_assert(first + count <= g->height);
    memset(rgb, 0, 3 * g->width * first);
    memset(rgb + 3 * g->width * (first + count), 0,
           3 * g->width * (g->height - first - count));
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, g->width, g->height,
                                     3 * g->width, crop), 0);
    cr_expect_eq(pixels_hash(crop, 3 * g->size * g->size), g->hash,
                 "%zu x %zu to %zu, %s", g->width, g->height, g->size, tier);
    free(rgb);
    free(crop);
}

Test(resample, equals_timm_with_a_border)
{
    const char *tier;

    for (size_t next = 0; next_tier(&next, &tier);)
        for (size_t i = 0; i < sizeof(bordered) / sizeof(*bordered); i++)
            check_bordered(&bordered[i], tier);
}

/* The side that gets thinner than a pixel keeps one. */
Test(resample, a_border_leaves_a_line)
{
    tomevit_preprocessing pre = settings(4, 1.0, TOMEVIT_BICUBIC);
    uint8_t rgb[3 * 100], crop[3 * 4 * 4];

    pre.crop_mode = TOMEVIT_BORDER;
    memset(rgb, 200, sizeof(rgb));
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, 100, 1, 300, crop), 0);
    for (size_t i = 0; i < sizeof(crop); i++)
        cr_expect_eq(crop[i], i / 12 == 1 ? 200 : 0, "byte %zu", i);
}

Test(resample, pixels_of_no_version_are_refused)
{
    tomevit_preprocessing pre = settings(4, 1.0, TOMEVIT_BICUBIC);
    uint8_t rgb[3 * 5 * 3] = {0}, crop[3 * 4 * 4];

    for (int p = -1; p <= 3; p += 4) {
        pre.pixels = p;
        cr_expect_eq(tomevit_resized_side(&pre), 0);
        cr_expect_eq(tomevit_resize_crop(&pre, rgb, 5, 3, 15, crop),
                     TOMEVIT_EINVAL);
    }
}

Test(resample, equals_pillow_byte_for_byte)
{
    static const uint8_t expected[] = {
        1, 90, 186, 7, 97, 195, 16, 109, 229, 32, 131, 192, 7, 98, 191, 16,
        111, 232, 28, 129, 183, 47, 152, 63, 20, 118, 218, 35, 136, 185, 53,
        158, 85, 77, 184, 14, 32, 135, 250, 51, 157, 83, 75, 179, 0, 103, 207,
        75,
    };
    tomevit_preprocessing pre = settings(4, 1.0, TOMEVIT_BICUBIC);
    uint8_t rgb[3 * 5 * 3], crop[3 * 4 * 4];

    pixels_fill(rgb, 5, 3);
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, 5, 3, 15, crop), 0);
    cr_assert_arr_eq(crop, expected, sizeof(expected));
}

/* ---- a full resize, plainly ---------------------------------------------- */

static double kernel(int interpolation, double x)
{
    double a = fabs(x);

    if (interpolation == TOMEVIT_BILINEAR)
        return a < 1 ? 1 - a : 0;
    if (a < 1)
        return (1.5 * a - 2.5) * a * a + 1;
    return a < 2 ? -0.5 * (((a - 5) * a + 8) * a - 4) : 0;
}

/* One output sample of one line: `in` samples, `step` bytes apart. */
static uint8_t sample(const uint8_t *line, size_t step, long in, long out,
                      long position, int interpolation)
{
    double scale = (double)in / (double)out, stretch = fmax(scale, 1);
    double centre = ((double)position + 0.5) * scale;
    double support = (interpolation == TOMEVIT_BILINEAR ? 1 : 2) * stretch;
    long from = (long)fmax(0, trunc(centre - support + 0.5));
    long to = (long)fmin((double)in, trunc(centre + support + 0.5));
    double total = 0;
    int64_t sum = 1 << 21;

    for (long i = from; i < to; i++)
        total += kernel(interpolation,
                        ((double)i - centre + 0.5) * (1 / stretch));
    for (long i = from; i < to; i++) {
        double weight = kernel(interpolation, ((double)i - centre + 0.5)
                                                  * (1 / stretch)) / total;

        sum += line[(size_t)i * step] * (int64_t)round(weight * (1 << 22));
    }
    sum >>= 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void full_resize(const uint8_t *rgb, size_t width, size_t height,
                        const tomevit_preprocessing *pre, uint8_t *crop)
{
    size_t side = tomevit_resized_side(pre), size = pre->size;
    size_t new_width = width <= height ? side : side * width / height;
    size_t new_height = width <= height ? side * height / width : side;
    size_t left = (size_t)nearbyint((double)(new_width - size) / 2);
    size_t top = (size_t)nearbyint((double)(new_height - size) / 2);
    uint8_t *wide = malloc(3 * new_width * height);

    for (size_t y = 0; y < height; y++)
        for (size_t i = 0; i < 3 * new_width; i++)
            wide[3 * new_width * y + i] =
                sample(rgb + 3 * width * y + i % 3, 3, (long)width,
                       (long)new_width, (long)(i / 3), pre->interpolation);
    for (size_t y = 0; y < size; y++)
        for (size_t i = 0; i < 3 * size; i++)
            crop[3 * size * y + i] =
                sample(wide + 3 * left + i, 3 * new_width, (long)height,
                       (long)new_height, (long)(top + y), pre->interpolation);
    free(wide);
}

/* Only what tomevit_crop_rows names is in the picture handed over, and behind
 * it and behind the crop lie pages that cannot be touched. */
static void check_against_full(size_t width, size_t height, size_t size,
                               double crop_pct, int interpolation)
{
    tomevit_preprocessing pre = settings(size, crop_pct, interpolation);
    size_t first, count, stride = 3 * width + 5;
    uint8_t *rgb = malloc(3 * width * height);
    uint8_t *expected = malloc(3 * size * size);
    guarded part, crop = guarded_new(3 * size * size);
    const char *tier;

    pixels_fill(rgb, width, height);
    full_resize(rgb, width, height, &pre, expected);
    cr_assert_eq(tomevit_crop_rows(&pre, width, height, &first, &count), 0);
    cr_assert(count > 0 && first + count <= height);
    part = guarded_new((first + count) * stride - 5);
    memset(part.data, 0x55, (first + count) * stride - 5);
    for (size_t y = first; y < first + count; y++)
        memcpy(part.data + y * stride, rgb + 3 * y * width, 3 * width);
    for (size_t next = 0; next_tier(&next, &tier);) {
        memset(crop.data, 0xaa, 3 * size * size);
        cr_assert_eq(tomevit_resize_crop(&pre, part.data, width, height,
                                         stride, crop.data), 0);
        cr_assert(memcmp(crop.data, expected, 3 * size * size) == 0,
                  "%zu x %zu to %zu at %g, kernel %d, %s", width, height,
                  size, crop_pct, interpolation, tier);
        cr_assert(guarded_intact(&crop));
    }
    guarded_free(&part);
    guarded_free(&crop);
    free(rgb);
    free(expected);
}

Test(resample, equals_full_resize)
{
    static const size_t sides[] = { 1, 2, 3, 7, 16, 31, 64, 97 };
    static const double pcts[] = { 1.0, 0.9, 0.875, 0.37 };

    for (size_t w = 0; w < 8; w++)
        for (size_t h = 0; h < 8; h++)
            for (size_t p = 0; p < 4; p++) {
                check_against_full(sides[w], sides[h], 1 + (w * 5 + h) % 23,
                                   pcts[p], TOMEVIT_BICUBIC);
                check_against_full(sides[w], sides[h], 1 + (w * 3 + h) % 19,
                                   pcts[p], TOMEVIT_BILINEAR);
            }
    check_against_full(900, 3, 10, 0.9, TOMEVIT_BICUBIC);
    check_against_full(3, 900, 10, 0.9, TOMEVIT_BICUBIC);
    check_against_full(400, 300, 64, 0.875, TOMEVIT_BICUBIC);
    check_against_full(61, 47, 40, 0.9, TOMEVIT_BICUBIC);
    /* As many groups of taps as kernels spell out, and more. */
    for (size_t width = 40; width < 400; width += 24)
        check_against_full(width, 50, 37, 0.9, TOMEVIT_BICUBIC);
}

/* Black and white columns make the cubic overshoot on both sides: the result
 * of the first pass must be clipped before the second. */
Test(resample, clips_between_the_passes)
{
    tomevit_preprocessing pre = settings(29, 0.9, TOMEVIT_BICUBIC);
    uint8_t rgb[3 * 17 * 13], crop[3 * 29 * 29], expected[3 * 29 * 29];
    const char *tier;

    for (size_t i = 0; i < sizeof(rgb); i++)
        rgb[i] = (i / 3 % 17 / 3 + i / 3 / 17 / 2) % 2 ? 255 : 0;
    full_resize(rgb, 17, 13, &pre, expected);
    for (size_t next = 0; next_tier(&next, &tier);) {
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, 17, 13, 3 * 17, crop), 0);
        cr_assert_arr_eq(crop, expected, sizeof(crop));
    }
}

/* ---- arguments ----------------------------------------------------------- */

Test(resample, resized_side)
{
    tomevit_preprocessing pre = settings(224, 0.9, TOMEVIT_BICUBIC);

    cr_assert_eq(tomevit_resized_side(&pre), 248);
    pre.crop_pct = 0.875;
    cr_assert_eq(tomevit_resized_side(&pre), 256);
    pre.crop_pct = 1.0;
    cr_assert_eq(tomevit_resized_side(&pre), 224);
    pre.crop_pct = 0.95;
    cr_assert_eq(tomevit_resized_side(&pre), 235);
    pre.crop_pct = 1e-9;
    cr_assert_eq(tomevit_resized_side(&pre), 0);
    pre.crop_pct = 1.01;
    cr_assert_eq(tomevit_resized_side(&pre), 0);
    pre.crop_pct = (double)NAN;
    cr_assert_eq(tomevit_resized_side(&pre), 0);
    cr_assert_eq(tomevit_resized_side(NULL), 0);
}

Test(resample, refuses_bad_arguments)
{
    static const size_t sides[][2] = {
        { 0, 4 }, { 4, 0 }, { ((size_t)1 << 24) + 1, 1 }, { 1, SIZE_MAX },
    };
    tomevit_preprocessing pre = settings(2, 0.9, TOMEVIT_BICUBIC);
    uint8_t rgb[3 * 4 * 4] = { 0 }, crop[3 * 2 * 2];
    size_t first, count;

    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(tomevit_resize_crop(&pre, rgb, sides[i][0], sides[i][1],
                                         SIZE_MAX, crop), TOMEVIT_EINVAL);
        cr_assert_eq(tomevit_crop_rows(&pre, sides[i][0], sides[i][1], &first,
                                       &count), TOMEVIT_EINVAL);
    }
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, 4, 4, 11, crop),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_resize_crop(&pre, NULL, 4, 4, 12, crop),
                 TOMEVIT_EINVAL);
    pre.interpolation = 7;
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, 4, 4, 12, crop),
                 TOMEVIT_EINVAL);
    pre = settings(0, 0.9, TOMEVIT_BICUBIC);
    cr_assert_eq(tomevit_resize_crop(&pre, rgb, 4, 4, 12, crop),
                 TOMEVIT_EINVAL);
}
