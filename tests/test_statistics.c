/* SPDX-License-Identifier: MIT */
/* Intervals, tests and errors of evaluation against published and computed
 * values; the counts of outcomes; the lists of labels. */
#include "config.h"

#include "../src/base/memory.h"
#include "../src/base/statistics.h"
#include "../src/evaluation/divergence.h"
#include "../src/evaluation/drift.h"
#include "../src/evaluation/nearest.h"
#include "../src/evaluation/outcomes.h"
#include "../src/folders/valid_labels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Newcombe, Statistics in Medicine 17 (1998), table I, method 3; the rest by
 * scipy 1.15's binomtest(...).proportion_ci(method="wilson"). */
Test(statistics, wilson)
{
    static const struct {
        size_t part, whole;
        double low, high, tolerance;
    } cases[] = {
        {81, 263, 0.2553, 0.3662, 5e-5}, {15, 148, 0.0624, 0.1605, 5e-5},
        {0, 20, 0, 0.1611, 5e-5}, {1, 29, 0.0061, 0.1718, 5e-5},
        {0, 10, 0, 0.27753279986288926, 1e-14},
        {10, 10, 0.7224672001371109, 1, 1e-14},
        {415, 500, 0.7945883013993367, 0.8603796338960388, 1e-14},
        {49999, 50000, 0.9998867102986088, 0.9999964695001772, 1e-14}
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        interval got = statistics_wilson(cases[i].part, cases[i].whole);
        cr_expect_float_eq(got.low, cases[i].low, cases[i].tolerance,
                           "%zu of %zu: %.17g", cases[i].part,
                           cases[i].whole, got.low);
        cr_expect_float_eq(got.high, cases[i].high, cases[i].tolerance,
                           "%zu of %zu: %.17g", cases[i].part,
                           cases[i].whole, got.high);
    }
}

/* scipy's binomtest(min(b, c), b + c).pvalue; the first by hand. */
Test(statistics, mcnemar)
{
    static const struct {
        size_t gained, lost;
        double p;
    } cases[] = {
        {1, 5, 14 / 64.0}, {0, 0, 1}, {0, 1, 1}, {7, 7, 1},
        {6, 16, 0.052478790283203125}, {10, 3, 0.09228515625},
        {59, 6, 4.964650327128616e-12}, {0, 40, 1.8189894035458565e-12},
        {500, 450, 0.11183864514157894}, {30000, 29500, 0.04078494287471078}
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double got = statistics_mcnemar(cases[i].gained, cases[i].lost);
        double same = statistics_mcnemar(cases[i].lost, cases[i].gained);
        cr_expect_leq(fabs(got - cases[i].p), 1e-9 * cases[i].p,
                      "%zu, %zu: %.17g", cases[i].gained, cases[i].lost, got);
        cr_expect_eq(got, same);
    }
    double far = statistics_mcnemar(0, 2000);
    cr_expect(far >= 0 && far < 1e-300, "%g", far);
}

Test(statistics, calibration_error)
{
    calibration c;

    memset(&c, 0, sizeof(c));
    cr_expect_eq(calibration_error(&c), 0);
    /* An edge belongs to the bin below it: 0.2 = 3/15 to the third. */
    calibration_add(&c, 0.2, 1);
    calibration_add(&c, 0.19, 0);
    cr_expect_eq(c.count[2], 2);
    calibration_add(&c, 1, 1);
    calibration_add(&c, 0.95, 0);
    cr_expect_eq(c.count[14], 2);
    calibration_add(&c, 0, 0);
    calibration_add(&c, (double)NAN, 0);
    cr_expect_eq(c.count[0], 2);
    /* |1 - 0.39| + |1 - 1.95| of six. */
    cr_expect_float_eq(calibration_error(&c), (0.61 + 0.95) / 6, 1e-15);
}

Test(statistics, percentiles_are_values)
{
    double values[] = {15, 20, 35, 40, 50}, one[] = {7};
    static const double cases[][2] = {
        {0, 15}, {5, 15}, {30, 20}, {40, 20}, {50, 35}, {99, 50}, {100, 50}
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(statistics_percentile(values, 5, cases[i][0]),
                     cases[i][1], "%g", cases[i][0]);
    cr_expect_eq(statistics_percentile(one, 1, 99), 7);
}

/* By hand. */
Test(statistics, paired)
{
    interval i = statistics_paired(0, 0, 98);

    cr_expect_float_eq(i.low, -i.high, 1e-15);
    cr_expect_float_eq(i.high, 1.959963984540054 * sqrt(0.02 / 100), 1e-15);
    i = statistics_paired(4, 9, 98);      /* 0.10 - 0.05, variance 0.1475 */
    cr_expect_float_eq(i.low, 0.05 - 1.959963984540054 * sqrt(0.001475), 1e-15);
    cr_expect_float_eq(i.high, 0.05 + 1.959963984540054 * sqrt(0.001475),
                       1e-15);
    i = statistics_paired(1, 0, 1);       /* cut to what can be */
    cr_expect_eq(i.low, -1);
}

Test(statistics, mean_and_error)
{
    static const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    double error;

    cr_expect_eq(statistics_mean(values, 8, &error), 5);
    cr_expect_float_eq(error, sqrt(32 / 7.0 / 8), 1e-15);
    cr_expect_eq(statistics_mean(values, 1, &error), 2);
    cr_expect_eq(error, 0);
    cr_expect_eq(statistics_mean(values, 0, &error), 0);
    cr_expect_eq(error, 0);
}

Test(statistics, normal)
{
    cr_expect_float_eq(statistics_normal(0.5), 0, 1e-12);
    cr_expect_float_eq(statistics_normal(0.975), 1.959963984540054, 1e-12);
    cr_expect_float_eq(statistics_normal(0.05), -1.6448536269514722, 1e-12);
    cr_expect_float_eq(statistics_normal(0.9999), 3.719016485455709, 1e-9);
}

/* ---- counts -------------------------------------------------------------- */

static char *temporary(const char *text)
{
    static char path[] = "tests/statistics.XXXXXX";

    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static int32_t any_label = 1;

static void say(outcomes *o, size_t file, const char *first, const char *then)
{
    const char *said[] = {first, then};
    outcome *out = outcomes_add_image(o, file);

    for (size_t run = 0; run < 2; run++) {
        top_class top[OUTCOME_TOP] = {{0, 0}};
        for (size_t k = 0; k < OUTCOME_TOP; k++) {
            top[k].index = said[run][k] - '0';
            top[k].probability = k == 0 ? 0.5 : 0.1;
        }
        outcome_set(&out[run], top);
        out[run].cosine = 1.0f / (float)(1 + file + run);
        out[run].divergence = (float)(2 * file + run);
        out[run].tokens = (uint32_t)(50 - 3 * file - run);
    }
}

Test(outcomes, are_counted)
{
    char name[] = "n01440764/ILSVRC2012_val_00000002.JPEG", other[] = "b.png",
         empty[] = "ILSVRC2012_val_00000001.JPEG",
         past[] = "ILSVRC2012_val_00000004.JPEG";
    folder_file files[] = {
        {.path = name, .name = name, .label = any_label},
        {.path = other, .name = other, .label = any_label},
        {.path = empty, .name = empty, .label = any_label},
        {.path = past, .name = past, .label = any_label}
    };
    folder list = {.files = files, .count = 4};
    real_labels real;
    char why[REAL_LABELS_WHY];
    outcomes o;

    char *path = temporary("[[], [4, 2], [1]]");
    cr_assert_eq(real_labels_read(path, 7, &real, why), 0, "%s", why);
    unlink(path);
    outcomes_begin(&o, 2, 1, 0);
    say(&o, 0, "12340", "21340"); /* lost, though ReaL has both wrong, right */
    say(&o, 1, "01234", "12340"); /* gained */
    say(&o, 2, "10234", "13024"); /* both right, and the same */
    say(&o, 3, "20345", "30245"); /* both wrong, not among five either */
    double *seconds = outcomes_add_batch(&o);
    seconds[0] = 2;
    seconds[1] = 1;
    tally t = outcomes_tally(&o, &list, &real, 1, 0);
    cr_expect_eq(t.images, 4);
    cr_expect_eq(t.correct1, 2);
    cr_expect_eq(t.correct5, 3);
    cr_expect_eq(t.agree, 1);
    cr_expect_eq(t.gained, 1);
    cr_expect_eq(t.lost, 1);
    cr_expect_eq(t.real_images, 1, "%zu", t.real_images);
    cr_expect_eq(t.real_correct, 1);
    cr_expect_eq(t.forward, 1);
    cr_expect_float_eq(t.calibration, 0, 1e-12);
    t = outcomes_tally(&o, &list, &real, 0, 0);
    cr_expect_eq(t.agree, 4);
    cr_expect_eq(t.gained + t.lost, 0);
    cr_expect_eq(t.real_correct, 0);
    cr_expect_eq(outcomes_latency(&o, 0, 99), 2);
    outcomes_free(&o);
    cr_expect(isnan(outcomes_latency(&o, 0, 50)));
    real_labels_free(&real);
}

/* Images of which no two cost the same, and sums that doubles would round. */
static void work(outcomes *o, size_t i)
{
    for (size_t run = 0; run < 2; run++) {
        size_t rows[2] = {60 - 3 * i, 50 - 5 * i + run};
        outcomes_add_work(o, run, 2, rows, 0x1p52 + (double)(7 * i + run));
    }
}

/* Files from .. to - 1 of a folder of ten, of which every fourth is refused, in
 * one batch. */
static void find(outcomes *o, size_t from, size_t to)
{
    char text[OUTCOME_TOP + 1] = "01234";

    outcomes_begin(o, 2, 2, 0);
    outcomes_clear(o, from);
    for (size_t i = from; i < to; i++) {
        text[0] = (char)('5' + i % 3);
        if (i % 4 == 3)
            outcomes_refuse(o, i, "a reason");
        else
            say(o, i, text, "12340");
        if (i % 4 != 3)
            work(o, i);
    }
    double *seconds = outcomes_add_batch(o);
    seconds[0] = (double)from;
    seconds[1] = (double)to;
    o->to = o->end = to;
    o->wall = (double)(to - from);
    o->decode = 2 * o->wall;
    o->preprocess = 3 * o->wall;
}

static void expect_same_work(const outcomes *a, const outcomes *b)
{
    for (size_t run = 0; run < 2; run++) {
        const outcome_work *x = &a->work[run], *y = &b->work[run];

        cr_expect(x->images == y->images && x->macs == y->macs);
        cr_expect(x->least == y->least && x->most == y->most);
        cr_expect(x->tokens_least == y->tokens_least &&
                  x->tokens_most == y->tokens_most);
    }
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(a->tokens[i], b->tokens[i]);
}

/* Images 0, 1, 2, 4, 5, 6, 8 and 9, 35 together. */
Test(outcomes, work_is_summed_with_its_least_and_most)
{
    outcomes all;

    find(&all, 0, 10);
    cr_assert_eq(all.work[1].images, 8);
    cr_expect_eq(all.work[1].macs, (UINT64_C(8) << 52) + 7 * 35 + 8);
    cr_expect_eq(all.work[1].least, (UINT64_C(1) << 52) + 1);
    cr_expect_eq(all.work[1].most, (UINT64_C(1) << 52) + 64);
    cr_expect_eq(all.work[1].tokens_least, 6);
    cr_expect_eq(all.work[1].tokens_most, 51);
    cr_expect_eq(all.tokens[2], 8 * 60 - 3 * 35);
    cr_expect_eq(all.tokens[3], 8 * 51 - 5 * 35);
    outcomes_clear(&all, 0);
    cr_expect(all.work[1].images == 0 && all.tokens[3] == 0);
    outcomes_free(&all);
}

/* Whoever finds the parts, together they are the whole. */
Test(outcomes, parts_are_put_together)
{
    static const size_t ends[][4] = {{10}, {1, 10}, {3, 4, 8, 10}, {9, 10}};
    outcomes whole, all, part;

    find(&whole, 0, 10);
    for (size_t k = 0; k < 4; k++) {
        size_t from = 0, parts = 0;
        outcomes_begin(&all, 2, 2, 0);
        while (from < 10) {
            find(&part, from, ends[k][parts]);
            cr_assert_eq(outcomes_append(&all, &part), 0);
            outcomes_free(&part);
            from = ends[k][parts++];
        }
        cr_assert_eq(all.images, whole.images);
        cr_expect_arr_eq(all.file, whole.file,
                         whole.images * sizeof(*whole.file));
        cr_expect_arr_eq(all.items, whole.items,
                         2 * whole.images * sizeof(*whole.items));
        cr_assert_eq(all.refused_count, whole.refused_count);
        for (size_t i = 0; i < all.refused_count; i++) {
            cr_expect_eq(all.refused[i].file, whole.refused[i].file);
            cr_expect_str_eq(all.refused[i].why, "a reason");
        }
        cr_expect_eq(all.batches, parts);
        cr_expect_eq(all.seconds[0], 0);
        cr_expect_eq(all.seconds[2 * parts - 1], 10);
        cr_expect_eq(all.to, 10);
        cr_expect_not(outcomes_are_partial(&all));
        cr_expect_eq(all.wall, whole.wall);
        cr_expect_eq(all.decode, whole.decode);
        cr_expect_eq(all.preprocess, whole.preprocess);
        expect_same_work(&all, &whole);
        outcomes_free(&all);
    }
    outcomes_free(&whole);
}

Test(outcomes, gaps_and_overlaps_are_refused)
{
    outcomes all, part, one;

    find(&all, 0, 4);
    for (size_t from = 0; from < 8; from++) {
        find(&part, from, 9);
        if (from != 4) {
            cr_expect_eq(outcomes_append(&all, &part), -1, "from %zu", from);
            cr_expect_eq(all.to, 4);
            cr_expect_eq(all.images, 3);
        }
        outcomes_free(&part);
    }
    outcomes_begin(&one, 1, 1, 0);
    outcomes_clear(&one, 4);
    one.to = 5;
    cr_expect_eq(outcomes_append(&all, &one), -1, "another number of runs");
    outcomes_free(&one);
    /* What was asked for and not reached is known of the whole. */
    find(&part, 4, 6);
    part.end = 9;
    cr_expect_eq(outcomes_append(&all, &part), 0);
    cr_expect(outcomes_are_partial(&all));
    outcomes_free(&part);
    outcomes_free(&all);
}

/* They come from loading and from running, which is another order. */
Test(outcomes, refusals_are_in_order)
{
    static const size_t files[] = {5, 2, 9, 3};
    static const size_t sorted[] = {2, 3, 5, 9};
    outcomes o;

    outcomes_begin(&o, 1, 1, 0);
    for (size_t i = 0; i < 4; i++)
        outcomes_refuse(&o, files[i], "x");
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(o.refused[i].file, sorted[i]);
    outcomes_free(&o);
}

Test(outcomes, scores_are_right_by_degrees)
{
    const outcome first = {.index = {3, 1, 2, 0, 4},
        .probability = {0.6F, 0.2F, 0.1F, 0.06F, 0.04F}};
    const outcome two = {.index = {1, 0, -1, -1, -1},
        .probability = {0.7F, 0.3F, 0, 0, 0}};
    const outcome one = {.index = {0, -1, -1, -1, -1},
        .probability = {1, 0, 0, 0, 0}};
    const outcome none = {.index = {0, 1, -1, -1, -1},
        .probability = {NAN, NAN, 0, 0, 0}};

    cr_expect_float_eq(outcome_score(&first, 3), 0.75, 1e-6);
    cr_expect_float_eq(outcome_score(&first, 1), 0.25, 1e-6);
    cr_expect_float_eq(outcome_score(&first, 4), 0.0625, 1e-6);
    cr_expect_float_eq(outcome_score(&first, 9), 0.0625, 1e-6);
    cr_expect_float_eq(outcome_score(&two, 1), 0.7, 1e-6);
    cr_expect_float_eq(outcome_score(&two, 0), 0.3, 1e-6);
    cr_expect_eq(outcome_score(&one, 0), 1);
    cr_expect_eq(outcome_score(&none, 1), 0);
}

Test(outcomes, distances)
{
    const outcome a = {.index = {3, 1, 2, 0, 4},
        .probability = {0.6F, 0.2F, 0.1F, 0.06F, 0.04F}};
    const outcome b = {.index = {3, 1, 5, 6, 7},
        .probability = {0.5F, 0.3F, 0.1F, 0.06F, 0.04F}};
    const outcome c = {.index = {1, 0, -1, -1, -1},
        .probability = {0.7F, 0.3F, 0, 0, 0}};
    const outcome none = {.index = {0, 1, -1, -1, -1},
        .probability = {NAN, NAN, 0, 0, 0}};

    cr_expect_eq(outcome_distance(&a, &a), 0);
    cr_expect_float_eq(outcome_distance(&a, &b), 0.3, 1e-6);
    cr_expect_float_eq(outcome_distance(&b, &a), 0.3, 1e-6);
    /* 0.6 + 0.5 + 0.1 + 0.24 + 0.04 */
    cr_expect_float_eq(outcome_distance(&a, &c), 0.74, 1e-6);
    cr_expect_eq(outcome_distance(&none, &c), 1);
}

/* ---- labels -------------------------------------------------------------- */

Test(real_labels, bad_files_say_why)
{
    static const char *const cases[][2] = {
        {"", "line 1"}, {"{}", "expected a list"}, {"[]", "expected a list"},
        {"[[1], 2]", "image 2: expected a list"},
        {"[[1], [7]]", "image 2: expected class indices below 7"},
        {"[[-1]]", "below 7"}, {"[[1.5]]", "below 7"}, {"[[\"1\"]]", "below 7"},
        {"[[1]", "line 1"}
    };
    real_labels real;
    char why[REAL_LABELS_WHY];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = temporary(cases[i][0]);
        cr_expect_neq(real_labels_read(path, 7, &real, why), 0, "%s",
                      cases[i][0]);
        unlink(path);
        cr_expect(strstr(why, cases[i][1]) && strstr(why, path), "%s: %s",
                  cases[i][0], why);
    }
    cr_expect_neq(real_labels_read("nowhere", 7, &real, why), 0);
    cr_expect_not_null(strstr(why, "nowhere"), "%s", why);
}

/* `count` times `part` between what the file begins and ends with. */
static char *repeated(const char *begin, const char *part, size_t count,
                      const char *end)
{
    size_t length = strlen(part), at = strlen(begin);
    char *text = malloc(at + length * count + strlen(end) + 1), *path;

    cr_assert_not_null(text);
    strcpy(text, begin);
    for (size_t i = 0; i < count; i++, at += length)
        memcpy(text + at, part, length);
    strcpy(text + at, end);
    path = temporary(text);
    free(text);
    return path;
}

Test(real_labels, a_file_takes_no_more_than_it_may)
{
    static const struct {
        const char *begin, *part, *end, *words;
        size_t count;
    } cases[] = {
        {"[[1]", ",[1]", "]", NULL, 400000},
        {"[[1]", ",[1]", "]", "more than a million values", 600000},
        {"[[1]", "   ,[1]  ", "]", "longer than 16 MiB", 1900000},
        {"\xef\xbb\xbf", "[", "", "deeper than 16 levels", 1000},
        /* brackets and commas in a string are none, whatever ends it */
        {"[[1],[\"\\\"", "[,", "\"]]", "image 2: expected class", 1100000},
    };
    real_labels real;
    char why[REAL_LABELS_WHY];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = repeated(cases[i].begin, cases[i].part, cases[i].count,
                              cases[i].end);
        int code = real_labels_read(path, 7, &real, why);

        unlink(path);
        cr_expect_eq(code, cases[i].words ? -1 : 0, "%zu: %s", i, why);
        if (code == 0)
            real_labels_free(&real);
        else
            cr_expect(cases[i].words && strstr(why, cases[i].words) &&
                      strstr(why, path), "%zu: %s", i, why);
    }
}

Test(real_labels, only_their_own_names)
{
    static const char *const strangers[] = {
        "", "val_00000001.JPEG", "ILSVRC2012_val_0000001.JPEG",
        "ILSVRC2012_val_000000001.JPEG", "ILSVRC2012_val_00000001x.JPEG",
        "ILSVRC2012_val_00000000.JPEG", "ILSVRC2012_val_00000002.JPEG",
        "ILSVRC2012_val_00000001.JPEG/other.png", "ILSVRC2012_val_99999999"
    };
    char *path = temporary("[[3]]"), why[REAL_LABELS_WHY];
    real_labels real;

    cr_assert_eq(real_labels_read(path, 7, &real, why), 0, "%s", why);
    unlink(path);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        cr_expect_not(real_labels_knows(&real, strangers[i]), "%s",
                      strangers[i]);
    cr_expect(real_labels_knows(&real, "ILSVRC2012_val_00000001.JPEG"));
    cr_expect(real_labels_knows(&real, "a/b/ILSVRC2012_val_00000001"));
    cr_expect_eq(real_labels_has(&real, "ILSVRC2012_val_00000001.png", 3), 1);
    cr_expect_eq(real_labels_has(&real, "ILSVRC2012_val_00000001.png", 2), 0);
    cr_expect_eq(real_labels_has(&real, strangers[0], 3), -1);
    real_labels_free(&real);
}

Test(valid_labels, keep_their_order)
{
    char *path = temporary("# some\n5\n\nn01443537\ngoldfinch\n");
    classes c = {.count = IMAGENET_CLASSES};
    char why[CLASSES_WHY];

    cr_assert_eq(valid_labels_read(path, &c, why), 0, "%s", why);
    unlink(path);
    cr_assert_eq(c.valid_count, 3);
    cr_expect_eq(c.valid[0], 5);
    cr_expect_eq(c.valid[1], 1);
    cr_expect_eq(c.valid[2], 11);
    valid_labels_free(&c);
}

Test(valid_labels, bad_files_say_why)
{
    static const char *const cases[][2] = {
        {"", "line 0: expected a class"}, {"0\n7\n", "line 2: class 7"},
        {"0\n# no\n0\n", "line 3: class 0 is on line 1"},
        {"x\n", "line 1: 'x' is not a class"}
    };
    classes c = {.count = 7};
    char why[CLASSES_WHY];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = temporary(cases[i][0]);
        cr_expect_neq(valid_labels_read(path, &c, why), 0, "%s", cases[i][0]);
        unlink(path);
        cr_expect_not_null(strstr(why, cases[i][1]), "%s: %s", cases[i][0],
                           why);
        cr_expect_null(c.valid);
        cr_expect_eq(c.valid_count, 0);
    }
}

/* ---- drift --------------------------------------------------------------- */

Test(drift, keeps_one_of_every_stretch)
{
    static const size_t counts[] = {1, 999, 1000, 1001, 1999, 50000, 1281167};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        size_t kept = 0, last = 0, gap = 0;

        for (size_t i = 0; i < counts[c]; i++) {
            if (!drift_keeps(i, counts[c]))
                continue;
            gap = i - last > gap ? i - last : gap;
            last = i;
            kept++;
        }
        cr_expect_eq(kept, counts[c] < 1000 ? counts[c] : 1000, "%zu of %zu",
                     kept, counts[c]);
        cr_expect_leq(gap, counts[c] / 1000 + 1);
    }
}

Test(drift, cosines)
{
    const float a[] = {3, 4, 0}, b[] = {-4, 3, 0}, c[] = {0, 0, 0};
    const float d[] = {6, 8, 0}, e[] = {-30, -40, 0}, f[] = {0.1F, 0.7F, 0.3F};

    cr_expect_eq(nearest_cosine(a, b, 3), 0);
    cr_expect_eq(nearest_cosine(a, c, 3), 0);
    cr_expect_eq(nearest_cosine(c, c, 3), 0);
    cr_expect_eq(nearest_cosine(a, d, 3), 1);
    cr_expect_eq(nearest_cosine(a, e, 3), -1);
    cr_expect_eq(nearest_cosine(f, f, 3), 1);
    cr_expect_float_eq(nearest_cosine(a, f, 3), 3.1 / 5 / sqrt(0.59), 1e-7);
}

/* Eleven numbers, so that some are beyond the last whole lanes. */
Test(drift, finds_the_nearest_first)
{
    float x[4][16] = {{0}};
    size_t index[4];
    double cosine[4];
    nearest_rows rows;

    for (size_t i = 0; i < 4; i++) {
        x[i][0] = 1;
        x[i][10] = (float)(i == 3 ? 1 : i); /* the last is as the second */
        x[i][11] = 99;                      /* beyond the width */
    }
    nearest_begin(&rows, x[0], 4, 16, 11);
    cr_assert_eq(nearest_find(&rows, x[1], SIZE_MAX, 4, index, cosine), 4);
    cr_expect(index[0] == 1 && index[1] == 3 && index[2] == 2 && index[3] == 0);
    cr_expect_float_eq(cosine[0], 1, 1e-15);
    cr_expect_float_eq(cosine[3], sqrt(0.5), 1e-15);
    cr_assert_eq(nearest_find(&rows, x[1], 1, 2, index, cosine), 2);
    cr_expect(index[0] == 3 && index[1] == 2);
    cr_expect_eq(nearest_find(&rows, x[1], 1, 9, index, cosine), 3);
    cr_expect_eq(nearest_find(&rows, x[1], 1, 0, index, cosine), 0);
    nearest_end(&rows);
}

/* Fourteen images on an arc, of which the second run takes the last to the
 * other end: every image's ten nearest of thirteen are known. */
Test(drift, of_a_run)
{
    enum { IMAGES = 14 };
    outcomes o;

    outcomes_begin(&o, 2, 1, 3);
    for (size_t i = 0; i < IMAGES; i++) {
        outcome *said = outcomes_add_image(&o, i);
        float *kept = outcomes_keep(&o);
        double n = (double)i, at = 0.1 * n + 0.004 * n * n;
        double moved = i == 13 ? -0.1 : at;

        memset(said, 0, 2 * sizeof(*said));
        said[0].cosine = 1;
        said[1].cosine = (float)cos(moved - at);
        kept[0] = (float)cos(at), kept[1] = (float)sin(at), kept[2] = 7;
        kept[3] = (float)cos(moved), kept[4] = (float)sin(moved), kept[5] = 5;
    }
    drift d = drift_of(&o, 0, 0, 2);
    cr_expect(d.mean == 1 && d.p1 == 1 && d.kept == 1 && d.images == IMAGES);
    d = drift_of(&o, 1, 0, 2);
    cr_expect_float_eq(d.mean, (13 + cos(2.076)) / 14, 1e-7);
    cr_expect_float_eq(d.p1, cos(2.076), 1e-7);
    /* Number 13 has 3 to 12, then 0 to 9; those that had it, or have it now,
     * lose one: which are 10. */
    cr_expect_float_eq(d.kept, (140.0 - 13) / 140, 1e-12);
    outcomes_free(&o);
    outcomes_begin(&o, 2, 1, 3);
    d = drift_of(&o, 1, 0, 2);
    cr_expect(isnan(d.mean) && isnan(d.p1) && isnan(d.kept) && !d.images);
    outcomes_free(&o);
}

/* Two classes of which the softmax is known, with the logits moved together. */
Test(divergence, of_known_answers)
{
    const float base[] = {0, (float)log(3)}, own[] = {100, 100};
    const float far[] = {0, 1000}, other[] = {1000, 0};

    cr_expect_float_eq(divergence_of(base, own, 2),
                       0.25 * log(0.5) + 0.75 * log(1.5), 1e-7);
    cr_expect_float_eq(divergence_of(own, base, 2),
                       0.5 * log(2) + 0.5 * log(2.0 / 3), 1e-6);
    cr_expect_eq(divergence_of(base, base, 2), 0);
    cr_expect_eq(divergence_of(far, other, 2), 1000);
    cr_expect_eq(divergence_of(base, own, 0), 0);
}

Test(divergence, over_images)
{
    outcomes o;

    outcomes_begin(&o, 2, 1, 0);
    divergence d = divergence_over(&o, 1);
    cr_expect(isnan(d.mean) && isnan(d.median));
    for (size_t i = 0; i < 4; i++) {
        outcome *said = outcomes_add_image(&o, i);

        memset(said, 0, 2 * sizeof(*said));
        said[1].divergence = (float)(i * i);
    }
    d = divergence_over(&o, 1);
    cr_expect(d.mean == 3.5 && d.median == 2.5);
    d = divergence_over(&o, 0);
    cr_expect(d.mean == 0 && d.median == 0);
    outcomes_free(&o);
}
