/* SPDX-License-Identifier: MIT */
/* PNG: every colour type, depth and interlace; damage of every kind. */
#include "encode.h"
#include "pixels.h"
#include "../src/images/image.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { GRAY = 0, RGB = 2, PALETTE = 3, GRAY_ALPHA = 4, RGBA = 6 };

static size_t channels_of(int type)
{
    return type == RGB ? 3 : type == RGBA ? 4 : type == GRAY_ALPHA ? 2 : 1;
}

/* The picture's samples, of `depth` bits. */
static uint16_t *make_samples(const encode_png_options *o)
{
    size_t channels = channels_of(o->type);
    size_t count = o->width * o->height * channels;
    uint16_t *samples = malloc(count * sizeof(*samples));

    for (size_t i = 0; i < count; i++) {
        size_t p = i / channels, x = p % o->width, y = p / o->width;
        unsigned v = pixels_stripes(x, y, i % channels) * 257u
                     ^ pixels_stripes(y, x, i % channels);

        samples[i] = (uint16_t)(v >> (16 - o->depth));
    }
    return samples;
}

/* What one channel of a pixel must become. */
static uint8_t expected(const encode_png_options *o, const uint16_t *pixel,
                        size_t c)
{
    unsigned v = pixel[channels_of(o->type) >= 3 ? c : 0];

    if (o->type == PALETTE) {
        if (v >= o->colours)
            return 0;
        return (uint8_t)(c == 0 ? v : c == 1 ? 255 - v : 3 * v);
    }
    if (o->depth < 8)
        return (uint8_t)(v * 255 / ((1u << o->depth) - 1));
    if (o->depth == 16)
        return (uint8_t)(o->type == GRAY ? (v + 128) / 257 : v >> 8);
    return (uint8_t)v;
}

static void check(const encode_png_options *o)
{
    uint16_t *samples = make_samples(o);
    size_t count, channels = channels_of(o->type);
    uint8_t *bytes = encode_png(o, samples, &count);
    image_options options;
    image out;
    char why[200] = "";

    image_options_init(&options);
    cr_assert_eq(image_decode(bytes, count, &options, &out, why), 0,
                 "type %d depth %d: %s", o->type, o->depth, why);
    cr_assert_eq(out.width, o->width);
    cr_assert_eq(out.height, o->height);
    for (size_t i = 0; i < 3 * o->width * o->height; i++)
        cr_assert_eq(out.rgb[i], expected(o, samples + i / 3 * channels, i % 3),
                     "type %d depth %d interlaced %d tRNS %d, byte %zu",
                     o->type, o->depth, o->interlaced, o->transparency, i);
    image_free(&out);
    cr_assert_null(out.rgb);
    free(bytes);
    free(samples);
}

Test(image_png, every_type_depth_and_interlace)
{
    static const int kinds[][2] = {
        { GRAY, 1 }, { GRAY, 2 }, { GRAY, 4 }, { GRAY, 8 }, { GRAY, 16 },
        { RGB, 8 }, { RGB, 16 }, { PALETTE, 1 }, { PALETTE, 2 },
        { PALETTE, 4 }, { PALETTE, 8 }, { GRAY_ALPHA, 8 }, { GRAY_ALPHA, 16 },
        { RGBA, 8 }, { RGBA, 16 },
    };
    static const size_t sizes[][2] = {
        { 1, 1 }, { 13, 11 }, { 3, 40 }, { 64, 2 }, { 33, 9 },
    };

    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        for (size_t s = 0; s < 5; s++)
            for (int flags = 0; flags < 4; flags++) {
                encode_png_options o = {
                    .width = sizes[s][0], .height = sizes[s][1],
                    .type = kinds[k][0], .depth = kinds[k][1],
                    .interlaced = flags & 1,
                    .transparency = flags & 2 && kinds[k][0] < GRAY_ALPHA,
                    .colours = (size_t)1 << (kinds[k][1] & 15),
                };

                check(&o);
            }
}

Test(image_png, palette_shorter_than_its_indices)
{
    encode_png_options o = {
        .width = 13, .height = 11, .type = PALETTE, .depth = 8, .colours = 20,
    };

    check(&o);
    o.interlaced = 1;
    check(&o);
}

/* ---- damage -------------------------------------------------------------- */

static uint8_t *make_file(size_t *count)
{
    encode_png_options o = {
        .width = 21, .height = 17, .type = RGB, .depth = 8,
    };
    uint16_t *samples = make_samples(&o);
    uint8_t *bytes = encode_png(&o, samples, count);

    free(samples);
    return bytes;
}

/* A copy of its own size, so that AddressSanitizer sees reads past it. */
static int decode_copy(const uint8_t *bytes, size_t count, int lenient,
                       image *out, char why[200])
{
    uint8_t *copy = malloc(count ? count : 1);
    image_options options;
    int result;

    image_options_init(&options);
    options.strict = !lenient;
    options.lenient = lenient;
    memcpy(copy, bytes, count);
    result = image_decode(copy, count, &options, out, why);
    free(copy);
    return result;
}

Test(image_png, every_truncation_is_refused_strictly)
{
    size_t count;
    uint8_t *bytes = make_file(&count);
    size_t lenient = 0;

    for (size_t cut = 0; cut < count; cut++) {
        image out;
        char why[200] = "";

        cr_assert_eq(decode_copy(bytes, cut, 0, &out, why), -1, "at %zu", cut);
        cr_assert_null(out.rgb);
        cr_assert(strlen(why) > 10 && !strchr(why, '\n'));
        if (decode_copy(bytes, cut, 1, &out, why) == 0) {
            cr_assert_eq(out.width, 21);
            cr_assert_eq(out.height, 17);
            lenient++;
        }
        image_free(&out);
    }
    /* All but the header's part. */
    cr_assert_gt(lenient, count / 2);
    free(bytes);
}

/* What is cut off after the pixels is a remark, or refused with all damage. */
Test(image_png, cuts_after_the_pixels_leave_them)
{
    size_t count, read = 0;
    uint8_t *bytes = make_file(&count);
    image_options options;
    image whole, out;
    char why[200];

    image_options_init(&options);
    cr_assert_eq(image_decode(bytes, count, &options, &whole, why), 0);
    cr_expect_str_eq(why, "");
    for (size_t cut = 0; cut < count; cut++) {
        if (image_decode(bytes, cut, &options, &out, why) != 0)
            continue;
        read++;
        cr_expect_neq(why[0], '\0', "at %zu: no remark", cut);
        cr_expect_arr_eq(out.rgb, whole.rgb, 3 * whole.width * whole.height);
        image_free(&out);
    }
    /* The end, and the last chunk's checksum and the stream's own. */
    cr_expect(read >= 16 && read <= 21, "%zu", read);
    image_free(&whole);
    free(bytes);
}

Test(image_png, every_damaged_byte_is_refused_strictly)
{
    size_t count;
    uint8_t *bytes = make_file(&count);

    for (size_t i = 0; i < count; i++) {
        image out;
        char why[200] = "";

        bytes[i] ^= 0x10;
        cr_assert_eq(decode_copy(bytes, count, 0, &out, why), -1,
                     "byte %zu of %zu", i, count);
        cr_assert_null(out.rgb);
        decode_copy(bytes, count, 1, &out, why);
        image_free(&out);
        bytes[i] ^= 0x10;
    }
    free(bytes);
}

Test(image_png, size_is_checked_before_memory_is_asked_for)
{
    size_t count;
    uint8_t *bytes = make_file(&count);
    image_options options;
    image out;
    char why[200] = "";

    image_options_init(&options);
    options.max_pixels = 21 * 17 - 1;
    cr_assert_eq(image_decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "21 x 17"), "%s", why);
    options.max_pixels++;
    cr_assert_eq(image_decode(bytes, count, &options, &out, why), 0);
    image_free(&out);
    /* 16384 x 16384 within the default limit, but not within the file. */
    image_options_init(&options);
    memcpy(bytes + 16, "\0\0\x40\0\0\0\x40\0", 8);
    cr_assert_eq(image_decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "cannot hold"), "%s", why);
    memcpy(bytes + 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    cr_assert_eq(image_decode(bytes, count, &options, &out, why), -1);
    cr_assert_not_null(strstr(why, "limit"), "%s", why);
    free(bytes);
}
