/* SPDX-License-Identifier: MIT */
/* Pictures of groups: every pixel of a small one; groups read back from any
 * map; colours; captions and their layout; PNG files whole or not at all. */
#include "config.h"

#include "draws.h"
#include "readback.h"

#include "../src/images/draw.h"
#include "../src/images/png_write.h"
#include "../src/pictures/groups.h"
#include "../src/pictures/sheet.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t grey[3] = {127, 127, 127};

static unsigned draw_number(uint32_t *state)
{
    return draw_32(state) >> 16;
}

/* A crop of noise around one of a few tints for each patch. */
static uint8_t *make_crop(size_t grid, size_t patch, unsigned seed)
{
    size_t side = grid * patch;
    uint8_t *crop = malloc(side * side * 3);

    for (size_t i = 0; i < side * side * 3; i++) {
        size_t x = i / 3 % side / patch, y = i / 3 / side / patch;
        crop[i] = (uint8_t)((x * 5 + y * 3 + i % 3) % 7 * 34 +
                            draw_number(&seed) % 50);
    }
    return crop;
}

/* `kinds` rows at most; with dropped patches if asked for. */
static void make_map(int32_t *map, size_t count, size_t kinds, int dropped,
                     unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        int32_t fresh = (int32_t)(draw_number(&seed) % kinds);
        /* Mostly like the patch before, so that areas form. */
        map[i] = i > 0 && draw_number(&seed) % 2 ? map[i - 1] : fresh;
        if (dropped && draw_number(&seed) % 5 == 0)
            map[i] = -1;
    }
}

static image paint(const groups *g, const uint8_t *crop, int style,
                   size_t scale)
{
    size_t side = g->columns * g->patch * scale;
    image out;

    draw_begin(&out, side + 5, side + 4, grey);
    groups_paint(g, crop, style, scale, &out, 3, 2);
    return out;
}

/* ---- pixels -------------------------------------------------------------- */

/* Patches of 2 x 2 pixels, drawn 8 x 8: A and a are the line and the fill of
 * the first group, B and b those of the second, . is a dropped patch. */
static const char *const expected[] = {
    "AAAAAAAAAAAAAAAABBBBBBBB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaaaaaaaaaABbbbbbbB",
    "AaaaaaaAAAAAAAAABBBBBBBB",
    "AaaaaaaABBBBBBBB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABbbbbbbB........",
    "AaaaaaaABBBBBBBB........",
    "AaaaaaaAAAAAAAAA........",
    "AaaaaaaaaaaaaaaA........",
    "AaaaaaaaaaaaaaaA........",
    "AaaaaaaaaaaaaaaA........",
    "AaaaaaaaaaaaaaaA........",
    "AaaaaaaaaaaaaaaA........",
    "AaaaaaaaaaaaaaaA........",
    "AAAAAAAAAAAAAAAA........",
};
enum { GRID = 3, PATCH = 2, SCALE = 4, SIDE = GRID * PATCH * SCALE };

static const int32_t small_map[] = {5, 5, 2, 5, 2, -1, 5, 5, -1};
static const uint8_t small_means[2][3] = {{21, 60, 91}, {203, 60, 91}};

/* Red: 20 and 22 by turns in the first group but for one pixel of 32, 203 in
 * the second; green 60; blue 90 and 92 but for some. */
static void small_crop(uint8_t *crop)
{
    for (size_t i = 0; i < GRID * PATCH * GRID * PATCH; i++) {
        size_t x = i % (GRID * PATCH), y = i / (GRID * PATCH);
        int32_t row = small_map[y / PATCH * GRID + x / PATCH];
        uint8_t even = (uint8_t)(2 * ((x + y) % 2));
        uint8_t pixel[3] = {(uint8_t)(row == 5 ? 20 + even : 203), 60,
                            (uint8_t)(90 + even)};
        if (row < 0)
            memset(pixel, 255, 3);
        memcpy(crop + i * 3, pixel, 3);
    }
    crop[0] += 3;          /* the mean rises by 3 / 24, which rounds down */
    crop[3] -= 3;
    crop[2] += 8;          /* and by 8 / 24 */
}

Test(groups, every_pixel_of_a_small_picture)
{
    uint8_t crop[GRID * PATCH * GRID * PATCH * 3];
    static const uint8_t dark[3] = {26, 26, 30};
    groups g;

    small_crop(crop);
    groups_make(&g, GRID, GRID, PATCH, crop, 6, small_map);
    cr_assert_eq(g.count, 2);
    cr_assert_eq(g.dropped, 2);
    cr_assert_eq(groups_line_width(PATCH * SCALE), 1);
    image out = paint(&g, crop, GROUPS_FILL, SCALE);
    for (size_t y = 0; y < out.height; y++) {
        for (size_t x = 0; x < out.width; x++) {
            char what = x < 3 || x >= 3 + SIDE || y < 2 || y >= 2 + SIDE
                ? ' ' : expected[y - 2][x - 3];
            const uint8_t *want = what == 'A' ? g.line[0].rgb
                : what == 'B' ? g.line[1].rgb
                : what == 'a' ? small_means[0]
                : what == 'b' ? small_means[1] : what == '.' ? dark : grey;
            cr_assert_eq(memcmp(out.rgb + (y * out.width + x) * 3, want, 3),
                         0, "pixel %zu, %zu is not '%c'", x, y, what);
        }
    }
    image_free(&out);
    groups_free(&g);
}

Test(groups, means_are_rounded_to_nearest)
{
    /* Sums of 4: 4 n + 1, 4 n + 2, 4 n + 3. */
    const uint8_t crop[] = {1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0};
    const int32_t map[] = {0};
    groups g;

    groups_make(&g, 1, 1, 2, crop, 1, map);
    cr_expect_eq(g.fill[0].rgb[0], 0);
    cr_expect_eq(g.fill[0].rgb[1], 1);
    cr_expect_eq(g.fill[0].rgb[2], 1);
    groups_free(&g);
}

Test(groups, an_overlay_keeps_the_pixels)
{
    enum { N = 5, P = 4, TIMES = 4, ALL = N * P * TIMES };
    uint8_t *crop = make_crop(N, P, 3);
    int32_t map[N * N];
    groups g;

    make_map(map, N * N, 4, 1, 9);
    groups_make(&g, N, N, P, crop, 4, map);
    image fill = paint(&g, crop, GROUPS_FILL, TIMES);
    image over = paint(&g, crop, GROUPS_OVERLAY, TIMES);
    for (size_t i = 0; i < (size_t)ALL * ALL; i++) {
        size_t x = i % ALL, y = i / ALL;
        size_t at = ((y + 2) * over.width + x + 3) * 3;
        int32_t group = g.group[y / (P * TIMES) * N + x / (P * TIMES)];
        const uint8_t *own = crop + (y / TIMES * N * P + x / TIMES) * 3;
        int line = group >= 0 &&
                   memcmp(fill.rgb + at, g.line[group].rgb, 3) == 0;
        for (size_t c = 0; c < 3; c++)
            cr_assert_eq(over.rgb[at + c], line ? g.line[group].rgb[c]
                         : group < 0 ? own[c] / 4 : own[c]);
    }
    image_free(&fill);
    image_free(&over);
    groups_free(&g);
    free(crop);
}

/* ---- any map ------------------------------------------------------------- */

static void check_readback(size_t grid, size_t patch, size_t scale,
                           size_t kinds, int dropped, unsigned seed)
{
    size_t count = grid * grid;
    uint8_t *crop = make_crop(grid, patch, seed);
    int32_t *map = calloc(count, sizeof(*map));
    groups g;

    make_map(map, count, kinds, dropped, seed);
    groups_make(&g, grid, grid, patch, crop, kinds, map);
    image out = paint(&g, crop, GROUPS_FILL, scale);
    readback r = readback_groups(&out, 3, 2, grid, patch * scale);
    cr_assert(readback_same(r.group, map, count),
              "grid %zu, patch %zu, scale %zu, kinds %zu, seed %u", grid,
              patch, scale, kinds, seed);
    free(r.group);
    image_free(&out);
    groups_free(&g);
    free(map);
    free(crop);
}

Test(groups, any_map_can_be_read_back)
{
    static const size_t grids[] = {1, 2, 3, 7, 14, 24};
    static const size_t kinds[] = {1, 2, 9, 60, 1000};

    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < 5; k++)
            for (unsigned seed = 0; seed < 4; seed++) {
                check_readback(grids[i], 16, 1 + seed % 3, kinds[k],
                               seed % 2, seed + 10 * k + 100 * i);
                check_readback(grids[i], 5, 1 + seed % 3, kinds[k], seed % 2,
                               seed + 10 * k + 100 * i + 7);
            }
}

/* ---- colours ------------------------------------------------------------- */

static int apart(groups_colour a, groups_colour b)
{
    int sum = 0;

    for (size_t c = 0; c < 3; c++)
        sum += abs(a.rgb[c] - b.rgb[c]);
    return sum;
}

static void check_colours(const groups *g)
{
    for (size_t i = 0; i < g->count; i++) {
        cr_assert_geq(apart(g->line[i], g->fill[i]), 30, "group %zu", i);
        for (size_t j = 0; j < i; j++)
            cr_assert_gt(apart(g->line[i], g->line[j]), 0);
    }
    for (size_t p = 0; p < g->rows * g->columns; p++) {
        size_t next[] = {p + 1, p + g->columns};
        int there[] = {p % g->columns + 1 < g->columns,
                       p / g->columns + 1 < g->rows};
        for (int k = 0; k < 2; k++) {
            if (!there[k] || g->group[p] < 0 || g->group[next[k]] < 0 ||
                g->group[p] == g->group[next[k]])
                continue;
            cr_assert_geq(apart(g->line[g->group[p]],
                                g->line[g->group[next[k]]]), 60,
                          "patches %zu and %zu", p, next[k]);
        }
    }
}

Test(groups, lines_differ_and_those_of_neighbours_clearly)
{
    static const size_t kinds[] = {2, 10, 40, 100, 2000};
    enum { N = 14 };
    int32_t map[N * N];
    groups g;

    for (unsigned seed = 0; seed < 50; seed++) {
        uint8_t *crop = make_crop(N, 4, seed);
        make_map(map, N * N, kinds[seed % 5], 0, seed);
        groups_make(&g, N, N, 4, crop, 2000, map);
        check_colours(&g);
        groups_free(&g);
        free(crop);
    }
}

Test(groups, a_large_crop_of_one_colour_still_has_a_line_colour_for_each)
{
    enum { N = 40 };
    uint8_t *crop = malloc(N * N * 3);
    int32_t map[N * N];
    groups g;

    memset(crop, 255, N * N * 3);
    for (int32_t i = 0; i < N * N; i++)
        map[i] = i;
    groups_make(&g, N, N, 1, crop, N * N, map);
    cr_assert_eq(g.count, N * N);
    check_colours(&g);
    groups_free(&g);
    free(crop);
}

Test(groups, the_picture_depends_on_which_patches_go_together_only)
{
    enum { N = 8, KINDS = 12 };
    uint8_t *crop = make_crop(N, 16, 1);
    int32_t map[N * N], renamed[N * N];
    groups a, b;

    make_map(map, N * N, KINDS, 1, 5);
    for (size_t i = 0; i < N * N; i++)
        renamed[i] = map[i] < 0 ? -1 : (map[i] * 5 + 3) % KINDS;
    groups_make(&a, N, N, 16, crop, KINDS, map);
    groups_make(&b, N, N, 16, crop, KINDS, renamed);
    image one = paint(&a, crop, GROUPS_FILL, 2);
    image two = paint(&b, crop, GROUPS_FILL, 2);
    cr_assert_eq(memcmp(one.rgb, two.rgb, one.width * one.height * 3), 0);
    image_free(&one);
    image_free(&two);
    groups_free(&a);
    groups_free(&b);
    free(crop);
}

/* ---- captions ------------------------------------------------------------ */

Test(draw, every_letter_of_a_caption_has_its_own_shape)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz.,:-%";
    enum { COUNT = sizeof(letters) - 1, WIDE = 12, HIGH = 20 };
    static uint8_t seen[COUNT][WIDE * HIGH * 3];
    static const uint8_t ink[3] = {0, 0, 0};

    for (size_t i = 0; i <= COUNT; i++) {
        char text[2] = {i < COUNT ? letters[i] : '?', '\0'};
        image out;
        draw_begin(&out, WIDE, HIGH, grey);
        cr_assert_leq(draw_text_width(text, 2), WIDE);
        draw_text(&out, 0, 0, text, 2, ink);
        for (size_t k = 0; k < i; k++)
            cr_assert_neq(memcmp(seen[k], out.rgb, sizeof(seen[k])), 0,
                          "'%s' looks like '%c'", text, letters[k]);
        if (i < COUNT)
            memcpy(seen[i], out.rgb, sizeof(seen[i]));
        image_free(&out);
    }
}

Test(draw, text_is_as_wide_as_it_says)
{
    static const char text[] = "r 13:-1, 41 of 197";
    static const uint8_t ink[3] = {0, 0, 0};
    size_t width = draw_text_width(text, 2), last = 0;
    image out;

    draw_begin(&out, width + 30, draw_text_height(2), grey);
    draw_text(&out, 0, 0, text, 2, ink);
    for (size_t i = 0; i < out.width * out.height; i++)
        if (memcmp(out.rgb + i * 3, grey, 3) != 0 && i % out.width > last)
            last = i % out.width;
    cr_expect_eq(last + 1, width);
    cr_expect_eq(draw_text_width("", 3), 0);
    image_free(&out);
}

Test(sheet, columns_leave_few_places_empty)
{
    static const size_t want[] = {0, 1, 2, 3, 2, 5, 3, 4, 4, 3, 5, 4, 4};

    for (size_t count = 1; count <= 12; count++)
        cr_expect_eq(sheet_columns(count), want[count], "%zu panels: %zu",
                     count, sheet_columns(count));
}

Test(sheet, panels_and_captions_lie_apart)
{
    enum { PANELS = 7 };
    static sheet_caption captions[PANELS];
    sheet s;
    image out;

    for (size_t i = 0; i < PANELS; i++) {
        snprintf(captions[i].title, SHEET_TEXT, "r %zu", i);
        snprintf(captions[i].detail, SHEET_TEXT,
                 "a caption that is wider than its panel");
    }
    sheet_lay_out(&s, PANELS, 50, 50, sheet_columns(PANELS), captions);
    cr_assert(sheet_fits(&s));
    sheet_begin(&s, &out);
    for (size_t i = 0; i < PANELS; i++) {
        size_t left, top;
        sheet_place(&s, i, &left, &top);
        cr_assert_leq(left + s.panel_width, out.width);
        cr_assert_leq(top + s.panel_width, out.height);
        /* No text, and no other panel, where this one goes. */
        for (size_t y = top; y < top + s.panel_width; y++)
            for (size_t x = left; x < left + s.panel_width; x++) {
                uint8_t *pixel = out.rgb + (y * out.width + x) * 3;
                cr_assert_eq(pixel[0] & pixel[1] & pixel[2], 255);
                memset(pixel, 0, 3);
            }
    }
    image_free(&out);
}

Test(sheet, what_is_too_large_is_known_before)
{
    static sheet_caption captions[2];
    sheet s;

    sheet_lay_out(&s, 2, 7500, 7500, 2, captions);
    cr_expect(sheet_fits(&s));
    sheet_lay_out(&s, 2, 9000, 9000, 2, captions);
    cr_expect_not(sheet_fits(&s));
    sheet_lay_out(&s, 2, SIZE_MAX / 2, 50, 2, captions);
    cr_expect_not(sheet_fits(&s));
}

/* ---- files --------------------------------------------------------------- */

static image make_picture(void)
{
    image out = {make_crop(7, 9, 4), 63, 63};
    return out;
}

Test(png_write, what_is_written_reads_back)
{
    image picture = make_picture(), back;
    image_options options;
    size_t count;
    char why[200];

    uint8_t *bytes = png_encode(&picture, &count, why);
    cr_assert_not_null(bytes, "%s", why);
    image_options_init(&options);
    cr_assert_eq(image_decode(bytes, count, &options, &back, why), 0, "%s",
                 why);
    cr_assert_eq(back.width, picture.width);
    cr_assert_eq(back.height, picture.height);
    cr_assert_eq(memcmp(back.rgb, picture.rgb,
                        picture.width * picture.height * 3), 0);
    image_free(&back);
    image_free(&picture);
    free(bytes);
}

Test(png_write, an_empty_picture_is_refused)
{
    image picture = {NULL, 0, 3};
    size_t count;
    char why[200] = "";

    cr_assert_null(png_encode(&picture, &count, why));
    cr_assert_neq(why[0], '\0');
}

static size_t files_in(const char *folder)
{
    DIR *d = opendir(folder);
    size_t count = 0;

    while (readdir(d))
        count++;
    closedir(d);
    return count - 2;
}

Test(png_write, a_file_appears_whole_or_not_at_all)
{
    char folder[] = "visualize.XXXXXX", path[64], link[64], why[200];
    image picture = make_picture(), nothing = {NULL, 0, 0};
    struct stat status;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.png", folder);
    snprintf(link, sizeof(link), "%s/link.png", folder);
    cr_assert_eq(png_write(path, &nothing, why), -1);
    cr_assert_eq(files_in(folder), 0);
    cr_assert_eq(symlink("a.png", link), 0);
    cr_assert_eq(png_write(path, &picture, why), 0, "%s", why);
    cr_assert_eq(png_write(link, &picture, why), 0, "%s", why);
    cr_assert_eq(lstat(link, &status), 0);
    cr_expect(S_ISLNK(status.st_mode), "the link was replaced");
    cr_assert_eq(png_write(path, &nothing, why), -1);
    cr_expect_eq(files_in(folder), 2);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_gt(status.st_size, 100, "a failure damaged what was there");
    unlink(path);
    unlink(link);
    cr_assert_eq(rmdir(folder), 0);
    image_free(&picture);
}
