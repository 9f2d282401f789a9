/* SPDX-License-Identifier: MIT */
/* Files on disk: Pillow's pixels for those kept here and for the reference
 * data, and one line for whatever cannot be read. */
#include "golden.h"
#include "pixels.h"
#include "tomevit.h"
#include "../src/images/image.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *corpus_folder(void)
{
    static char folder[4096];
    const char *srcdir = getenv("srcdir");

    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/image",
             srcdir ? srcdir : ".");
    return folder;
}

/* Refused with one line, and nothing allocated. */
static void check_refused(const char *path, const char *expected)
{
    image_options options;
    image out = { NULL, 1, 1 };
    char why[200] = "";

    image_options_init(&options);
    cr_assert_eq(image_read(path, &options, &out, why), -1, "%s", path);
    cr_assert_not_null(strstr(why, expected), "%s: %s", path, why);
    cr_assert(!strchr(why, '\n'));
    cr_assert_null(out.rgb);
}

/* Hashes of the pixels that Pillow 11.3 gives after convert("RGB"). */
Test(image_files, have_pillows_pixels)
{
    static const struct {
        const char *name;
        size_t width, height;
        uint64_t hash;
    } files[] = {
        { "baseline-420.jpg", 37, 29, UINT64_C(0xcff6c70283f1af09) },
        { "baseline-422.jpg", 37, 29, UINT64_C(0x549950ee18ac14a0) },
        { "baseline-444.jpg", 37, 29, UINT64_C(0xd5c8c57426225869) },
        { "cmyk.jpg", 37, 29, UINT64_C(0x88747d1c13b6d7c5) },
        { "exif-6.jpg", 37, 29, UINT64_C(0x588f8695814580b5) },
        { "gray.jpg", 37, 29, UINT64_C(0x6cb93d122ae299c4) },
        { "gray.png", 37, 29, UINT64_C(0x2a1bfda0280e9287) },
        { "one-bit.png", 37, 29, UINT64_C(0xfe39f6c7c68ff761) },
        { "palette.png", 37, 29, UINT64_C(0xa86cdf112788b820) },
        { "progressive-420.jpg", 37, 29, UINT64_C(0xcff6c70283f1af09) },
        { "restarts.jpg", 37, 29, UINT64_C(0x98b2f583c801f203) },
        { "rgb.png", 37, 29, UINT64_C(0xcbb633215542bb4a) },
        { "rgba.png", 37, 29, UINT64_C(0xcbb633215542bb4a) },
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char *path = golden_path(corpus_folder(), files[i].name);
        image_options options;
        image out;
        char why[200] = "";

        image_options_init(&options);
        cr_assert_eq(image_read(path, &options, &out, why), 0, "%s: %s", path,
                     why);
        cr_assert_eq(out.width, files[i].width);
        cr_assert_eq(out.height, files[i].height);
        cr_assert_eq(pixels_hash(out.rgb, 3 * out.width * out.height),
                     files[i].hash, "%s", files[i].name);
        image_free(&out);
        free(path);
    }
}

Test(image_files, what_is_no_image_is_refused)
{
    static const uint8_t text[] = "hello, world";
    image_options options;
    image out;
    char why[200];

    image_options_init(&options);
    cr_assert_eq(image_decode(text, 0, &options, &out, why), -1);
    cr_assert_str_eq(why, "the file is empty");
    cr_assert_eq(image_decode(text, 12, &options, &out, why), -1);
    cr_assert_str_eq(why, "neither PNG nor JPEG nor WebP: the file starts with "
                          "68 65 6c 6c 6f 2c 20 77");
    check_refused("/nonexistent/file", "cannot be opened: No such file");
    check_refused("/", "a folder, not a file");
    check_refused("/dev/null", "a device or pipe, not a file");
}

Test(image_files, are_recognised_by_content)
{
    static const uint8_t png[8] = "\x89PNG\r\n\x1a\n";
    static const uint8_t jpeg[3] = "\xff\xd8\xff";

    cr_assert_eq(image_recognised(png, 8), 1);
    cr_assert_eq(image_recognised(png, 7), 0);
    cr_assert_eq(image_recognised(jpeg, 3), 1);
    cr_assert_eq(image_recognised(jpeg, 2), 0);
    cr_assert_eq(image_recognised(NULL, 0), 0);
}

/* ---- the reference data -------------------------------------------------- */

static void check_good(const char *folder, const char *name,
                       const golden_file *pixels)
{
    const golden_tensor *tensor = golden_get(pixels, name);
    char *path = golden_path(folder, name);
    image_options options;
    image out;
    char why[200] = "";

    image_options_init(&options);
    cr_assert_eq(image_read(path, &options, &out, why), 0, "%s: %s", name, why);
    cr_assert_eq(tensor->shape[0], out.height, "%s", name);
    cr_assert_eq(tensor->shape[1], out.width, "%s", name);
    cr_assert(memcmp(golden_u8(pixels, name, 3 * out.width * out.height),
                     out.rgb, 3 * out.width * out.height) == 0, "%s", name);
    image_free(&out);
    free(path);
}

Test(image_files, shared_formats)
{
    static const char *const lines[][2] = {
        { "bad-truncated.jpg", "Premature end" },
        { "bad-truncated.png", "truncated" },
        { "bad-empty.jpg", "empty" },
        { "bad-text.png", "neither PNG nor JPEG" },
        { "bad-crc.png", "IDAT" },
        { "bad-huge-header.png", "200000 x 200000" },
    };
    const char *data = golden_data_folder(), *name;
    char *folder;
    golden_file *pixels;
    json_t *index, *note;
    size_t good = 0, bad = 0;

    if (!data)
        cr_skip_test("no reference data at $TOMERGE_SHARED");
    folder = golden_path(data, "formats");
    index = golden_index(folder);
    pixels = golden_open(folder, "expected-rgb.safetensors");
    json_object_foreach(index, name, note)
        if (strncmp(name, "good-", 5) == 0) {
            check_good(folder, name, pixels);
            good++;
        }
    for (size_t i = 0; i < 6; i++, bad++) {
        char *path = golden_path(folder, lines[i][0]);

        check_refused(path, lines[i][1]);
        free(path);
    }
    cr_assert_eq(good + bad, json_object_size(index));
    golden_close(pixels);
    json_decref(index);
    free(folder);
}

/* ---- from a file to the model's input ------------------------------------ */

static const tomevit_preprocessing augreg = {
    .size = 224, .crop_pct = 0.9, .interpolation = TOMEVIT_BICUBIC,
};

/* An axis of the picture is cropped like any other, so that the columns are
 * found as the rows of the transposed picture. */
static void want_crop(void *user, size_t width, size_t height,
                      image_region *region)
{
    const tomevit_preprocessing *pre = user;

    cr_assert_eq(tomevit_crop_rows(pre, width, height, &region->y,
                                   &region->height), 0);
    cr_assert_eq(tomevit_crop_rows(pre, height, width, &region->x,
                                   &region->width), 0);
}

static void check_crop(const char *folder, const char *name,
                       const uint8_t *expected)
{
    static uint8_t crop[3 * 224 * 224];
    tomevit_preprocessing pre = augreg;
    char *path = golden_path(folder, name);
    image_options options;
    image out;
    char why[200] = "";

    for (int region = 0; region < 2; region++) {
        image_options_init(&options);
        options.want = region ? want_crop : NULL;
        options.user = &pre;
        cr_assert_eq(image_read(path, &options, &out, why), 0, "%s: %s", name,
                     why);
        cr_assert_eq(tomevit_resize_crop(&pre, out.rgb, out.width, out.height,
                                         3 * out.width, crop), 0);
        cr_assert(!expected || memcmp(crop, expected, sizeof(crop)) == 0,
                  "%s, region %d", name, region);
        image_free(&out);
    }
    free(path);
}

Test(image_files, shared_crops)
{
    const char *real = golden_real_folder(), *data = golden_data_folder();
    golden_file *crops;
    json_t *index, *file;
    char *folder;
    size_t i, checked = 0;

    if (!real || !data)
        cr_skip_test("no reference data at $TOMERGE_SHARED");
    folder = golden_path(data, "imagenet-sample");
    index = golden_index(real);
    crops = golden_open(real, "crops_u8.safetensors");
    json_array_foreach(json_object_get(index, "files"), i, file) {
        const char *name = json_string_value(file);

        if (!golden_find(crops, name))
            continue;
        check_crop(folder, name, golden_u8(crops, name, 3 * 224 * 224));
        checked++;
    }
    cr_assert_eq(checked, 24);
    golden_close(crops);
    json_decref(index);
    free(folder);
}
