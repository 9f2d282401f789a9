/* SPDX-License-Identifier: MIT */
/* JPEG: kinds, regions, orientation, damage of every kind. That the plain
 * kinds have Pillow's pixels is in test_image_files.c. */
#include "encode.h"
#include "pixels.h"
#include "../src/images/image.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static uint8_t *make_file(const encode_jpeg_options *o, size_t *count)
{
    size_t components = (size_t)o->components;
    uint8_t *samples = malloc(o->width * o->height * components);
    uint8_t *bytes;

    for (size_t i = 0; i < o->width * o->height * components; i++) {
        size_t x = i / components % o->width, y = i / components / o->width;

        samples[i] = (uint8_t)(pixels_stripes(x, y, i % components) / 2
                               + (x / 5 + y / 7) % 2 * 100);
    }
    bytes = encode_jpeg(o, samples, count);
    free(samples);
    return bytes;
}

/* A copy of its own size, so that AddressSanitizer sees reads past it. */
static int decode(const uint8_t *bytes, size_t count,
                  const image_options *options, image *out, char why[200])
{
    uint8_t *copy = malloc(count ? count : 1);
    int result;

    memcpy(copy, bytes, count);
    result = image_decode(copy, count, options, out, why);
    free(copy);
    return result;
}

/* The samples as libjpeg's plain use gives them. */
static uint8_t *plain_decode(const uint8_t *bytes, size_t count,
                             J_COLOR_SPACE space, size_t channels)
{
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    uint8_t *samples;

    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, count);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = space;
    jpeg_start_decompress(&info);
    samples = malloc(channels * info.output_width * info.output_height);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = samples + channels * info.output_width
                                 * info.output_scanline;

        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return samples;
}

/* ---- kinds and regions --------------------------------------------------- */

static void want(void *user, size_t width, size_t height, image_region *region)
{
    cr_assert_eq(region->x + region->y, 0);
    cr_assert_eq(region->width, width);
    cr_assert_eq(region->height, height);
    *region = *(image_region *)user;
}

static void check_region(const uint8_t *bytes, size_t count,
                         const uint8_t *expected, image_region region)
{
    image_options options;
    image out;
    char why[200] = "";

    image_options_init(&options);
    options.want = want;
    options.user = &region;
    cr_assert_eq(decode(bytes, count, &options, &out, why), 0, "%s", why);
    for (size_t y = region.y; y < region.y + region.height; y++)
        cr_assert(memcmp(out.rgb + 3 * (y * out.width + region.x),
                         expected + 3 * (y * out.width + region.x),
                         3 * region.width) == 0,
                  "row %zu of %zu x %zu at %zu, %zu", y, region.width,
                  region.height, region.x, region.y);
    image_free(&out);
}

/* The whole picture and parts of it, against libjpeg's own whole picture. */
static void check_bytes(const encode_jpeg_options *o, const uint8_t *bytes,
                        size_t count)
{
    static const size_t cuts[] = { 0, 1, 7, 8, 9, 15, 16, 17, 30, 47, 64 };
    uint8_t *expected = plain_decode(bytes, count, JCS_RGB, 3);
    image_options options;
    image out;
    char why[200] = "";

    image_options_init(&options);
    cr_assert_eq(decode(bytes, count, &options, &out, why), 0, "%s", why);
    cr_assert_eq(out.width, o->width);
    cr_assert_eq(out.height, o->height);
    cr_assert_arr_eq(out.rgb, expected, 3 * o->width * o->height);
    image_free(&out);
    for (size_t i = 0; i < 11; i++)
        for (size_t j = i + 1; j < 11; j++) {
            size_t x0 = cuts[i], x1 = cuts[j];
            size_t y0 = cuts[10 - j], y1 = cuts[10 - i];

            x1 = x1 < o->width ? x1 : o->width;
            if (x0 >= x1)
                continue;
            check_region(bytes, count, expected, (image_region){
                x0, y0, x1 - x0, (y1 < o->height ? y1 : o->height) - y0 });
        }
    free(expected);
}

static void check_kind(const encode_jpeg_options *o)
{
    size_t count;
    uint8_t *bytes = make_file(o, &count);

    check_bytes(o, bytes, count);
    free(bytes);
}

Test(image_jpeg, every_sampling_and_any_region)
{
    static const int factors[][2] = {
        { 1, 1 }, { 2, 1 }, { 1, 2 }, { 2, 2 }, { 4, 1 }, { 1, 4 }, { 4, 2 },
    };

    for (size_t f = 0; f < 7; f++)
        for (int kind = 0; kind < 4; kind++) {
            encode_jpeg_options o = {
                .width = 77 + f, .height = 67, .components = 3,
                .h = { factors[f][0] }, .v = { factors[f][1] }, .quality = 80,
                .progressive = kind == 1, .restart = kind == 2 ? 3 : 0,
            };

            if (kind == 3)
                o.width = 150;
            check_kind(&o);
        }
}

Test(image_jpeg, gray)
{
    encode_jpeg_options o = {
        .width = 70, .height = 66, .components = 1, .quality = 90,
    };

    check_kind(&o);
    o.progressive = 1;
    check_kind(&o);
}

/* A progressive file that ends after fewer scans than its writer meant is
 * smoothed across blocks, in parts as in the whole. */
static void check_fewer_scans(const encode_jpeg_options *o)
{
    size_t count, scans = 0;
    uint8_t *bytes = make_file(o, &count);
    uint8_t *fewer = malloc(count + 2);

    for (size_t i = 0; i + 1 < count; i++) {
        if (bytes[i] != 0xff || bytes[i + 1] != 0xda || scans++ == 0)
            continue;
        memcpy(fewer, bytes, i);
        memcpy(fewer + i, "\xff\xd9", 2);
        check_bytes(o, fewer, i + 2);
    }
    cr_assert_gt(scans, 5);
    free(fewer);
    free(bytes);
}

Test(image_jpeg, fewer_scans_than_meant)
{
    encode_jpeg_options o = {
        .width = 75, .height = 66, .components = 3, .quality = 80,
        .progressive = 1,
    };

    check_fewer_scans(&o);
    o.h[0] = 2;
    check_fewer_scans(&o);
    o.v[0] = 2;
    check_fewer_scans(&o);
    o.components = 1;
    o.h[0] = o.v[0] = 1;
    check_fewer_scans(&o);
}

/* Inverted ink on inverted black: R = (1 - C)(1 - K), in whole numbers
 * K' - round((255 - C') K' / 255) of what the file holds. */
Test(image_jpeg, cmyk_and_ycck)
{
    for (int ycck = 0; ycck < 2; ycck++) {
        encode_jpeg_options o = {
            .width = 41, .height = 30, .components = 4, .quality = 95,
            .ycck = ycck, .h = { 1 + ycck }, .v = { 1 + ycck },
        };
        size_t count;
        uint8_t *bytes = make_file(&o, &count);
        uint8_t *ink = plain_decode(bytes, count, JCS_CMYK, 4);
        image_options options;
        image out;
        char why[200] = "";

        image_options_init(&options);
        cr_assert_eq(decode(bytes, count, &options, &out, why), 0, "%s", why);
        for (size_t i = 0; i < 3 * o.width * o.height; i++) {
            unsigned c = ink[4 * (i / 3) + i % 3], k = ink[4 * (i / 3) + 3];

            cr_assert_eq(out.rgb[i], k - (2 * (255 - c) * k + 255) / 510);
        }
        image_free(&out);
        free(ink);
        free(bytes);
    }
}

/* ---- orientation --------------------------------------------------------- */

static void check_orientation(unsigned value, int big)
{
    uint8_t exif[32] = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    encode_jpeg_options o = {
        .width = 19, .height = 11, .components = 3, .quality = 90,
        .exif = exif, .exif_bytes = sizeof(exif),
    };
    size_t w = o.width, h = o.height, count;
    image_options options;
    image flat, turned;
    char why[200] = "";
    uint8_t *bytes;

    exif[24] = (uint8_t)value;
    if (big)
        memcpy(exif + 6, "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19);
    if (big)
        exif[24] = 0, exif[25] = (uint8_t)value;
    bytes = make_file(&o, &count);
    image_options_init(&options);
    cr_assert_eq(decode(bytes, count, &options, &flat, why), 0, "%s", why);
    options.exif = 1;
    cr_assert_eq(decode(bytes, count, &options, &turned, why), 0, "%s", why);
    cr_assert_eq(flat.width, w);
    cr_assert_eq(turned.width, value >= 5 && value <= 8 ? h : w);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            /* Where the first row and column are, by the EXIF standard. */
            size_t right = w - 1 - x, down = h - 1 - y, to;

            switch (value) {
            case 2: to = y * w + right; break;
            case 3: to = down * w + right; break;
            case 4: to = down * w + x; break;
            case 5: to = x * h + y; break;
            case 6: to = x * h + down; break;
            case 7: to = right * h + down; break;
            case 8: to = right * h + y; break;
            default: to = y * w + x;
            }
            cr_assert_arr_eq(turned.rgb + 3 * to, flat.rgb + 3 * (y * w + x),
                             3, "orientation %u at %zu, %zu", value, x, y);
        }
    image_free(&flat);
    image_free(&turned);
    free(bytes);
}

Test(image_jpeg, orientation_is_followed_when_asked)
{
    for (unsigned value = 0; value < 12; value++) {
        check_orientation(value, 0);
        check_orientation(value, 1);
    }
}

/* ---- damage -------------------------------------------------------------- */

static void check_truncations(const encode_jpeg_options *o)
{
    size_t count, lenient = 0;
    uint8_t *bytes = make_file(o, &count);
    image_region top = { 0, 0, o->width, 1 };
    image_options options;

    for (size_t cut = 0; cut < count; cut++) {
        image out;
        char why[200] = "";

        image_options_init(&options);
        cr_assert_eq(decode(bytes, cut, &options, &out, why), -1,
                     "at %zu of %zu", cut, count);
        cr_assert_null(out.rgb);
        cr_assert(strlen(why) > 10 && !strchr(why, '\n'));
        /* Also when the missing rows are none of those wanted. */
        options.want = want;
        options.user = &top;
        cr_assert_eq(decode(bytes, cut, &options, &out, why), -1,
                     "at %zu of %zu", cut, count);
        image_options_init(&options);
        options.lenient = 1;
        if (decode(bytes, cut, &options, &out, why) == 0) {
            cr_assert_eq(out.width, o->width);
            cr_assert_eq(out.height, o->height);
            lenient++;
        }
        image_free(&out);
    }
    cr_assert_gt(lenient, count / 3);
    free(bytes);
}

Test(image_jpeg, every_truncation_is_refused)
{
    encode_jpeg_options o = {
        .width = 45, .height = 50, .components = 3, .h = { 2 }, .v = { 2 },
        .quality = 60,
    };

    check_truncations(&o);
    o.progressive = 1;
    check_truncations(&o);
    o.progressive = 0;
    o.restart = 2;
    check_truncations(&o);
    o.components = 4;
    check_truncations(&o);
}

Test(image_jpeg, damaged_bytes_never_crash)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        encode_jpeg_options o = {
            .width = 33, .height = 29, .components = 3, .h = { 2 }, .v = { 2 },
            .quality = 70, .progressive = progressive,
        };
        size_t count, refused = 0;
        uint8_t *bytes = make_file(&o, &count);

        for (size_t i = 0; i < count; i++) {
            image_options options;
            image out;
            char why[200] = "";

            image_options_init(&options);
            bytes[i] ^= 0x24;
            if (decode(bytes, count, &options, &out, why)) {
                cr_assert(strlen(why) > 10 && !strchr(why, '\n'));
                cr_assert_null(out.rgb);
                refused++;
            }
            image_free(&out);
            options.lenient = 1;
            decode(bytes, count, &options, &out, why);
            image_free(&out);
            bytes[i] ^= 0x24;
        }
        cr_assert_gt(refused, 100);
        free(bytes);
    }
}

/* Real files have such bytes, and lose no pixel by them. */
Test(image_jpeg, stray_bytes_before_a_marker_are_harmless)
{
    encode_jpeg_options o = {
        .width = 33, .height = 29, .components = 3, .quality = 70,
    };
    size_t count;
    uint8_t *bytes = make_file(&o, &count);
    uint8_t *longer = malloc(count + 3);
    uint8_t *expected = plain_decode(bytes, count, JCS_RGB, 3);
    image_options options;
    image out;
    char why[200] = "";

    memcpy(longer, bytes, count - 2);
    memcpy(longer + count - 2, "\x12\x34\x56\xff\xd9", 5);
    image_options_init(&options);
    cr_assert_eq(decode(longer, count + 3, &options, &out, why), 0, "%s", why);
    cr_assert_arr_eq(out.rgb, expected, 3 * o.width * o.height);
    image_free(&out);
    free(longer);
    free(expected);
    free(bytes);
}

Test(image_jpeg, scans_are_counted)
{
    for (int scans = 100; scans <= 101; scans++) {
        encode_jpeg_options o = {
            .width = 33, .height = 29, .components = 1, .quality = 70,
            .scans = scans,
        };
        size_t count;
        uint8_t *bytes = make_file(&o, &count);
        image_options options;
        image out;
        char why[200] = "";
        int result;

        image_options_init(&options);
        result = decode(bytes, count, &options, &out, why);
        cr_assert_eq(result, scans > 100 ? -1 : 0, "%d: %s", scans, why);
        if (result)
            cr_assert_not_null(strstr(why, "100 scans"), "%s", why);
        image_free(&out);
        free(bytes);
    }
}

Test(image_jpeg, size_is_checked_before_memory_is_asked_for)
{
    encode_jpeg_options o = {
        .width = 33, .height = 29, .components = 3, .quality = 70,
    };
    size_t count, frame = 0;
    uint8_t *bytes = make_file(&o, &count);
    image_options options;
    image out;
    char why[200] = "";

    while (memcmp(bytes + frame, "\xff\xc0", 2) != 0)
        frame++;
    image_options_init(&options);
    options.max_pixels = 33 * 29 - 1;
    cr_assert_eq(decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "33 x 29"), "%s", why);
    image_options_init(&options);
    memcpy(bytes + frame + 5, "\x40\0\x40\0", 4);
    cr_assert_eq(decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "cannot hold"), "%s", why);
    memcpy(bytes + frame + 5, "\xff\xdc\xff\xdc", 4);
    cr_assert_eq(decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "limit"), "%s", why);
    free(bytes);
}
