/* SPDX-License-Identifier: MIT */
/* Pictures as cameras, editors and broken downloads leave them: what Pillow
 * makes of them, and a remark where they are damaged. */
#include "golden.h"
#include "pixels.h"
#include "../src/images/image.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct expected {
    char name[64], how[16], said[16];
    size_t width, height;
    uint64_t hash;
} expected;

static char folder[4096];

static size_t read_expected(expected *list, size_t capacity)
{
    const char *srcdir = getenv("srcdir");
    size_t count = 0;

    snprintf(folder, sizeof(folder), "%s/tests/fixtures/pictures",
             srcdir ? srcdir : ".");
    char *path = golden_path(folder, "expected.txt");
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    while (count < capacity &&
           fscanf(file, "%63s %15s %zu %zu %" SCNx64 " %15s",
                     list[count].name, list[count].how, &list[count].width,
                     &list[count].height, &list[count].hash,
                     list[count].said) == 6)
        count++;
    fclose(file);
    free(path);
    return count;
}

static int read_picture(const expected *e, const image_options *options,
                        image *out, char why[200])
{
    char *path = golden_path(folder, e->name);
    int failed = image_read(path, options, out, why);

    free(path);
    return failed;
}

static void want_middle(void *user, size_t width, size_t height,
                        image_region *region)
{
    (void)user;
    region->x = width / 3;
    region->y = height / 3;
    region->width = (width + 2) / 3;
    region->height = (height + 2) / 3;
}

/* A part has the pixels of the whole. */
static void check_part(const expected *e, image_options options,
                       const image *whole)
{
    image_region region = { 0, 0, 0, 0 };
    char why[200];
    image part;

    options.want = want_middle;
    cr_assert_eq(read_picture(e, &options, &part, why), 0, "%s: %s", e->name,
                 why);
    want_middle(NULL, whole->width, whole->height, &region);
    for (size_t y = region.y; y < region.y + region.height; y++) {
        size_t at = 3 * (y * whole->width + region.x);

        cr_assert_arr_eq(part.rgb + at, whole->rgb + at, 3 * region.width,
                         "%s: row %zu of a part", e->name, y);
    }
    image_free(&part);
}

static void check_picture(const expected *e)
{
    image_options options;
    char why[200] = "left from before";
    image out;

    image_options_init(&options);
    options.exif = strcmp(e->how, "exif") == 0;
    cr_assert_eq(read_picture(e, &options, &out, why), 0, "%s: %s", e->name,
                 why);
    cr_expect(out.width == e->width && out.height == e->height,
              "%s: %zu x %zu", e->name, out.width, out.height);
    cr_expect_eq(pixels_hash(out.rgb, 3 * out.width * out.height), e->hash,
                 "%s: other pixels", e->name);
    cr_expect_eq(strcmp(e->said, "damaged") == 0, why[0] != '\0', "%s: '%s'",
                 e->name, why);
    check_part(e, options, &out);
    image_free(&out);

    options.strict = 1;
    int refused = read_picture(e, &options, &out, why) != 0;
    cr_expect_eq(refused, strcmp(e->said, "damaged") == 0, "%s: strictly '%s'",
                 e->name, why);
    cr_expect(!refused || (why[0] != '\0' && out.rgb == NULL));
    image_free(&out);
}

Test(image_pillow, pixels_and_remarks)
{
    static expected list[256];
    size_t count = read_expected(list, 256);

    cr_assert_gt(count, 60);
    for (size_t i = 0; i < count; i++)
        check_picture(&list[i]);
}

/* Without --exif nothing is turned. */
Test(image_pillow, turned_only_when_asked)
{
    static expected list[256];
    size_t count = read_expected(list, 256);
    image_options options;
    char why[200];
    image out;

    image_options_init(&options);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(list[i].name, "exif-little", 11) != 0)
            continue;
        cr_assert_eq(read_picture(&list[i], &options, &out, why), 0);
        cr_expect_eq(out.width, 43);
        image_free(&out);
    }
}

/* ---- what is not read ---------------------------------------------------- */

static void check_called(const char *bytes, size_t count, const char *name)
{
    image_options options;
    char why[200] = "";
    image out;

    image_options_init(&options);
    cr_assert_eq(image_decode((const uint8_t *)bytes, count, &options, &out,
                              why), -1);
    cr_expect(strncmp(why, name, strlen(name)) == 0, "'%s' is not '%s'", why,
              name);
    cr_expect_eq(image_recognised((const uint8_t *)bytes, count), 0);
}

#define CALLED(bytes, name) check_called(bytes, sizeof(bytes) - 1, name)

Test(image_pillow, other_kinds_of_files_are_called_by_name)
{
    CALLED("GIF89a\1\0\1\0........", "a GIF");
    CALLED("GIF87a\1\0\1\0........", "a GIF");
    CALLED("\0\0\0\x1c" "ftypavif\0\0\0\0mif1", "an AVIF");
    CALLED("\0\0\0\x18" "ftypheic\0\0\0\0mif1", "a HEIC");
    CALLED("\0\0\0\x18" "ftypmif1\0\0\0\0heic", "a HEIF");
    CALLED("version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
           "a git-lfs pointer");
    CALLED("<!DOCTYPE html>\n<html><body>404", "an HTML page");
    CALLED("\xef\xbb\xbf\r\n  <HTML lang=en>", "an HTML page");
    CALLED("BM\x36\0\0\0\0\0\0\0\x36", "a BMP");
    CALLED("II*\0\x08\0\0\0", "a TIFF");
    CALLED("", "the file is empty");
    CALLED("RIFF\x24\0\0\0WAVEfmt ", "neither PNG nor JPEG nor WebP");
}

Test(image_pillow, webp_is_refused_when_cut_and_whole_when_not)
{
    static expected list[256];
    size_t count = read_expected(list, 256), files = 0;

    for (size_t i = 0; i < count; i++) {
        static uint8_t bytes[1 << 16];
        char *path = golden_path(folder, list[i].name), why[200];
        FILE *file = fopen(path, "rb");
        size_t size = fread(bytes, 1, sizeof(bytes), file), shown = 0;
        image_options options;
        image out;

        fclose(file);
        free(path);
        if (!strstr(list[i].name, ".webp"))
            continue;
        files++;
        for (size_t cut = 12; cut < size; cut++) {
            image_options_init(&options);
            cr_assert_eq(image_decode(bytes, cut, &options, &out, why), -1,
                         "%s at %zu", list[i].name, cut);
            cr_assert(why[0] != '\0' && out.rgb == NULL);
            options.lenient = 1;
            shown += image_decode(bytes, cut, &options, &out, why) == 0;
            image_free(&out);
        }
        cr_expect_gt(shown, size / 2, "%s", list[i].name);
    }
    cr_assert_gt(files, 5);
}
