/* SPDX-License-Identifier: MIT */
/* Plots and pages: text that stays text, the Pareto front, labels that lie on
 * nothing; the most confused classes. */
#include "config.h"

#include "draws.h"
#include "../src/base/args.h"
#include "../src/evaluation/confusions.h"
#include "../src/plots/markup.h"
#include "../src/plots/plot.h"
#include "../src/plots/plot_labels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BAD "\xEF\xBF\xBD"

Test(markup, text_stays_text)
{
    static const char *const cases[][2] = {
        {"", ""}, {"plain 1.png", "plain 1.png"},
        {"<script>alert('a\" & b')</script>",
         "&lt;script&gt;alert(&#39;a&quot; &amp; b&#39;)&lt;/script&gt;"},
        {"tab\tline\n", "tab\tline\n"},
        {"\x01\x1B[0m\x7F", BAD BAD "[0m" BAD},
        {"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x90\x88",
         "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x90\x88"},
        {"\xFF" "a\x80", BAD "a" BAD},
        {"\xC3", BAD}, {"\xC3<", BAD "&lt;"}, {"\xE2\x82", BAD BAD},
        {"\xC0\xBC", BAD BAD},                   /* < in two bytes */
        {"\xE0\x80\xBC", BAD BAD BAD},           /* and in three */
        {"\xED\xA0\x80", BAD BAD BAD},           /* half of a pair */
        {"\xEF\xBF\xBE\xEF\xBF\xBF", BAD BAD BAD BAD BAD BAD},
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD},   /* past the last */
        {"\xC2\x85", BAD BAD}                    /* a control character */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        markup_text(out, cases[i][0]);
        fclose(out);
        cr_expect_str_eq(text, cases[i][1], "%zu: %s", i, text);
        free(text);
    }
}

Test(args, command_lines_read_back)
{
    char word[] = "sweep", blank[] = "a b", quote[] = "it's", empty[] = "",
         dollar[] = "$HOME/*", list[] = "--r=0,8:-1";
    char *words[] = {word, list, blank, quote, empty, dollar};
    char *line = args_quote(6, words);

    cr_expect_str_eq(line, "sweep --r=0,8:-1 'a b' 'it'\\''s' '' '$HOME/*'");
    free(line);
}

/* ---- the front ----------------------------------------------------------- */

static void expect_front(int less, const char *expected)
{
    plot_point points[] = {
        {.x = 1, .y = 80}, {.x = 2, .y = 79}, {.x = 2, .y = 70},
        {.x = 3, .y = 79}, {.x = 4, .y = 60}, {.x = 4, .y = 60}
    };
    plot p = {.less = less, .points = points, .count = 6};

    plot_front(&p);
    for (size_t i = 0; i < p.count; i++)
        cr_expect_eq(points[i].front, expected[i] - '0', "less %d: %zu", less,
                     i);
}

Test(plot, front_is_what_nothing_beats)
{
    expect_front(0, "100111"); /* equals do not beat one another */
    expect_front(1, "100000");
}

Test(plot, each_series_has_its_front)
{
    plot_point points[] = {
        {.x = 1, .y = 80}, {.x = 2, .y = 75}, {.x = 3, .y = 74},
        {.x = 1, .y = 79, .series = 1}, {.x = 2, .y = 78, .series = 1},
        {.x = 2, .y = 77, .series = 1}
    };
    plot p = {.points = points, .count = 6};

    plot_front(&p);
    for (size_t i = 0; i < p.count; i++) {
        cr_expect_eq(points[i].front, "111110"[i] - '0', "%zu", i);
        cr_expect_eq(points[i].overall, "101010"[i] - '0', "%zu", i);
    }
}

/* One that a browser could draw: every number is one. */
static char *written(plot *p)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    plot_write(out, p, 3, 4);
    fclose(out);
    cr_expect_null(strstr(text, "nan"), "%s", text);
    cr_expect_null(strstr(text, "inf"), "%s", text);
    return text;
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

Test(plot, odd_points_are_drawn)
{
    plot_point one = {.x = 5, .y = 100, .low = 72, .high = 100, .label = "<1>",
                      .text = "a&b", .front = 1};
    plot_point same[3] = {one, one, one};
    plot none = {"t", "x", "y", 0, 0, NULL, 0, NULL, 0},
         alone = {"t", "x", "y", 0, 0, &one, 1, NULL, 0},
         heap = {"t", "x", "y", 0, 0, same, 3, NULL, 0};

    free(written(&none));
    char *text = written(&alone);
    cr_expect_eq(occurrences(text, "class=\"point p"), 1);
    cr_expect_eq(occurrences(text, ">&lt;1&gt;<"), 1);
    cr_expect_eq(occurrences(text, "<title>a&amp;b</title>"), 1);
    cr_expect_eq(occurrences(text, "translate(3.0 4.0)"), 1);
    free(text);
    text = written(&heap);
    cr_expect_eq(occurrences(text, "class=\"point p"), 3);
    free(text);
    one.x = one.y = one.low = one.high = 0;
    free(written(&alone));
}

Test(plot, several_series_have_a_legend)
{
    static const char *const names[] = {"first", "<second>"};
    plot_point points[] = {
        {.x = 1, .y = 80, .low = 78, .high = 82, .label = "a"},
        {.x = 2, .y = 75, .low = 73, .high = 77, .label = "b"},
        {.x = 1.5, .y = 79, .low = 77, .high = 81, .label = "c", .series = 1},
        {.x = 3, .y = 70, .low = 68, .high = 72, .label = "d", .series = 1}
    };
    plot p = {"t", "x", "y", 0, 0, points, 4, names, 2};

    plot_front(&p);
    char *text = written(&p);
    cr_expect_eq(occurrences(text, ">first</text>"), 1);
    cr_expect_eq(occurrences(text, ">&lt;second&gt;</text>"), 1);
    cr_expect_eq(occurrences(text, "class=\"band\""), 2);
    cr_expect_eq(occurrences(text, "class=\"front\""), 4); /* legend as well */
    cr_expect_eq(occurrences(text, "class=\"overall\""), 2);
    cr_expect_eq(occurrences(text, "class=\"point p"), 4);
    /* Not told apart by colour alone. */
    cr_expect_eq(occurrences(text, "<circle class=\"dot\""), 3);
    cr_expect_eq(occurrences(text, "<path class=\"dot\""), 3);
    cr_expect_gt(plot_height(2), PLOT_HEIGHT);
    cr_expect_eq(plot_height(1), PLOT_HEIGHT);
    free(text);
    p.series_count = 1;
    text = written(&p);
    cr_expect_eq(occurrences(text, "first"), 0);
    free(text);
}

/* ---- labels -------------------------------------------------------------- */

static double uniform(uint32_t *state)
{
    return (double)(draw_32(state) >> 8) / (1 << 24);
}

static int apart(const plot_box *a, const plot_box *b)
{
    return a->right <= b->left || b->right <= a->left ||
           a->bottom <= b->top || b->bottom <= a->top;
}

Test(labels, lie_on_nothing)
{
    enum { POINTS = 14, TRIALS = 300 };
    const plot_box frame = {0, 0, 400, 250};
    uint32_t state = 5;
    size_t placed = 0;

    for (int trial = 0; trial < TRIALS; trial++) {
        plot_mark marks[POINTS] = {{0, 0, 0, 0, {0, 0, 0, 0}}};
        for (size_t i = 0; i < POINTS; i++) {
            marks[i].x = 400 * uniform(&state);
            marks[i].y = 250 * uniform(&state);
            marks[i].letters = 3 + (size_t)(6 * uniform(&state));
        }
        plot_segment line = {0, 250, 400, 0};
        plot_labels_place(marks, POINTS, &line, 1, &frame);
        for (size_t i = 0; i < POINTS; i++) {
            const plot_box *b = &marks[i].box;
            placed += (size_t)marks[i].placed;
            if (!marks[i].placed)
                continue;
            cr_assert(b->left >= 0 && b->top >= 0 && b->right <= 400 &&
                      b->bottom <= 250);
            cr_assert_geq(b->right - b->left, 7 * (double)marks[i].letters);
            for (size_t k = 0; k < POINTS; k++) {
                plot_box dot = {marks[k].x - 4, marks[k].y - 4, marks[k].x + 4,
                                marks[k].y + 4};
                cr_assert(apart(b, &dot));
                cr_assert(k == i || !marks[k].placed ||
                          apart(b, &marks[k].box));
            }
        }
    }
    cr_expect_geq(placed, TRIALS * POINTS * 98 / 100, "%zu placed", placed);
}

Test(labels, avoid_lines_where_they_can)
{
    const plot_box frame = {0, 0, 400, 250};
    const plot_segment rising = {100, 150, 300, 50};
    plot_mark mark = {100, 150, 3, 0, {0, 0, 0, 0}};

    plot_labels_place(&mark, 1, NULL, 0, &frame);
    cr_assert(mark.placed);
    cr_expect(mark.box.bottom < 150 && mark.box.left > 100, "best is above, "
              "to the right");
    plot_labels_place(&mark, 1, &rising, 1, &frame);
    cr_assert(mark.placed);
    cr_expect(mark.box.right <= 100 || mark.box.top >= 150 ||
              mark.box.bottom < 150 - (mark.box.right - 100) / 2,
              "%g..%g, %g..%g", mark.box.left, mark.box.right, mark.box.top,
              mark.box.bottom);
}

/* ---- confusions ---------------------------------------------------------- */

Test(confusions, most_frequent_first)
{
    folder_file files[5];
    folder list = {.files = files, .count = 5};
    static const int32_t labels[] = {0, 0, 1, 1, 2};
    static const int32_t said[2][5] = {{1, 1, 1, 0, 0}, {1, 0, 2, 0, 0}};
    outcomes o;
    size_t count;

    outcomes_begin(&o, 2, 1, 0);
    memset(files, 0, sizeof(files));
    for (size_t i = 0; i < 5; i++) {
        files[i].label = labels[i];
        outcome *out = outcomes_add_image(&o, i);
        memset(out, 0, 2 * sizeof(*out));
        out[0].index[0] = said[0][i];
        out[1].index[0] = said[1][i];
    }
    confusion *found = confusions_find(&o, &list, 3, &count);
    static const int32_t want[][3] = {{0, 1, 3}, {1, 0, 2}, {2, 0, 2}};
    cr_assert_eq(count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(found[i].label, want[i][0]);
        cr_expect_eq(found[i].answer, want[i][1]);
        cr_expect_eq(found[i].total, (size_t)want[i][2]);
    }
    cr_expect_eq(confusions_count(&o, &list, 0, &found[0]), 2);
    cr_expect_eq(confusions_count(&o, &list, 1, &found[0]), 1);
    free(found);
    outcomes_free(&o);
}
