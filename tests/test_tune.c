/* SPDX-License-Identifier: MIT */
/* The search for schedules on models of which the best is known; schedules in
 * files. */
#include "config.h"

#include "../src/args.h"
#include "../src/merging_args.h"
#include "../src/schedule_file.h"
#include "../src/tune_search.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH = 6, TOKENS = 100, IMAGES = 1000 };

/* A model where each token merged in layer i saves DEPTH - i and, beyond what
 * that layer bears, costs an image. */
typedef struct toy {
    size_t bears[DEPTH];
    size_t calls, trials;
    int fails;
} toy;

static double toy_gmacs(void *data, size_t *r)
{
    double saved = 0;
    size_t left = TOKENS;

    (void)data;
    for (size_t i = 0; i < DEPTH; i++) {
        r[i] = r[i] < left / 2 ? r[i] : left / 2;
        left -= r[i];
        saved += (double)(r[i] * (DEPTH - i));
    }
    return 1000 - saved;
}

static int toy_measure(void *data, tune_trial *trials, size_t count)
{
    toy *t = data;

    t->calls++;
    t->trials += count;
    for (size_t k = 0; k < count; k++) {
        size_t lost = 0;
        for (size_t i = 0; i < DEPTH; i++)
            if (trials[k].r[i] > t->bears[i])
                lost += trials[k].r[i] - t->bears[i];
        trials[k].correct = trials[k].agree = IMAGES - lost;
        trials[k].drop = 100.0 * (double)lost / IMAGES;
        trials[k].speedup = 1000 / trials[k].gmacs;
        double gmacs = toy_gmacs(NULL, trials[k].r);
        cr_expect_eq(gmacs, trials[k].gmacs, "%g is not that of the schedule",
                     trials[k].gmacs);
    }
    return t->fails ? -1 : 0;
}

static int find(toy *t, int goal, double limit, size_t rounds, size_t *r,
                tune_trial *best)
{
    tune_search s = {goal, limit, DEPTH, TOKENS, rounds, toy_gmacs,
                     toy_measure, t};

    memset(best, 0, sizeof(*best));
    memset(r, 0, DEPTH * sizeof(*r));
    best->r = r;
    return tune_search_run(&s, best);
}

static int allowed_toy(int goal, double limit, const tune_trial *trial)
{
    return goal == TUNE_MAX_DROP ? trial->drop <= limit
         : goal == TUNE_MIN_SPEEDUP ? trial->speedup >= limit
                                    : trial->gmacs <= limit;
}

/* As good as every ramp there is, for any of the goals; refined not worse. */
Test(tune, ramps_are_searched)
{
    static const double limits[][2] = {
        {TUNE_MAX_DROP, 0}, {TUNE_MAX_DROP, 1.5}, {TUNE_MIN_SPEEDUP, 1.2},
        {TUNE_TARGET_GMACS, 800}, {TUNE_TARGET_GMACS, 913}
    };
    static const double inflections[] = {-1, -0.5, 0, 0.5, 1};
    toy t = {.bears = {2, 4, 8, 8, 4, 2}};

    for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
        int goal = (int)limits[k][0];
        size_t r[DEPTH], ramp[DEPTH];
        tune_trial best, refined, trial = {.r = ramp};
        cr_assert_eq(find(&t, goal, limits[k][1], 0, r, &best), 1);
        cr_expect(allowed_toy(goal, limits[k][1], &best));
        for (size_t i = 0; i < 5; i++)
            for (size_t value = 0; value < TOKENS; value++) {
                tomerge_schedule(DEPTH, value, inflections[i], ramp);
                trial.gmacs = toy_gmacs(NULL, ramp);
                toy_measure(&t, &trial, 1);
                if (!allowed_toy(goal, limits[k][1], &trial))
                    continue;
                cr_expect(goal == TUNE_MAX_DROP ? best.gmacs <= trial.gmacs
                                                : best.correct >= trial.correct,
                          "goal %d, limit %g: r = %zu, inflection %g is better",
                          goal, limits[k][1], value, inflections[i]);
            }
        cr_assert_eq(find(&t, goal, limits[k][1], 20, r, &refined), 1);
        cr_expect(allowed_toy(goal, limits[k][1], &refined));
        cr_expect(goal == TUNE_MAX_DROP ? refined.gmacs <= best.gmacs
                                        : refined.correct >= best.correct);
    }
}

Test(tune, layers_are_refined)
{
    /* No ramp is this shape: all that the layers bear, and no more. */
    toy t = {.bears = {0, 9, 0, 9, 0, 9}};
    size_t r[DEPTH];
    tune_trial ramp, best;

    cr_assert_eq(find(&t, TUNE_MAX_DROP, 0, 0, r, &ramp), 1);
    cr_assert_eq(find(&t, TUNE_MAX_DROP, 0, 100, r, &best), 1);
    cr_expect_lt(best.gmacs, ramp.gmacs);
    for (size_t i = 0; i < DEPTH; i++)
        cr_expect_eq(r[i], t.bears[i], "layer %zu: %zu", i, r[i]);
    cr_assert_eq(find(&t, TUNE_TARGET_GMACS, 919, 0, r, &ramp), 1);
    cr_assert_eq(find(&t, TUNE_TARGET_GMACS, 919, 100, r, &best), 1);
    cr_expect_gt(best.correct, ramp.correct);
    cr_expect_leq(best.gmacs, 919);
}

Test(tune, what_cannot_be)
{
    toy t = {.bears = {0}};
    size_t r[DEPTH];
    tune_trial best;

    cr_expect_eq(find(&t, TUNE_TARGET_GMACS, 10, 2, r, &best), 0);
    cr_expect_eq(find(&t, TUNE_MIN_SPEEDUP, 50, 2, r, &best), 0);
    cr_expect_eq(find(&t, TUNE_MAX_DROP, 0, 2, r, &best), 1);
    for (size_t i = 0; i < DEPTH; i++)
        cr_expect_eq(r[i], 0);
    cr_expect_eq(best.gmacs, 1000);
    t.fails = 1;
    cr_expect_eq(find(&t, TUNE_MAX_DROP, 1, 2, r, &best), -1);
    cr_expect_eq(find(&t, TUNE_TARGET_GMACS, 900, 2, r, &best), -1);
}

/* ---- files --------------------------------------------------------------------------- */

static int parse(const char *content, size_t size, merging_args *args,
                 char *why)
{
    char path[] = "@tests/tune.XXXXXX";
    int fd = mkstemp(path + 1);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, size), (ssize_t)size);
    close(fd);
    merging_args_init(args);
    int result = merging_parse_schedule(path, args, why);
    unlink(path + 1);
    return result;
}

Test(schedule_file, reads_what_people_write)
{
    static const char *const cases[] = {
        "3,0,12\n", "3 0 12", "# a comment, 9\n3\n0\n12\n",
        "\r\n 3,\t0 ,,12 # the last\r\n", "3,0,12#", ",3,0,12,"
    };
    char why[ARGS_WHY];
    merging_args args;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(parse(cases[i], strlen(cases[i]), &args, why), 0,
                     "'%s': %s", cases[i], why);
        cr_assert_eq(args.count, 3);
        cr_expect_eq(args.entries[0].r, 3);
        cr_expect_eq(args.entries[1].r, 0);
        cr_expect_eq(args.entries[2].r, 12);
        merging_args_free(&args);
    }
}

Test(schedule_file, bad_files_say_why)
{
    static const char *const cases[][2] = {
        {"", "no schedule in it"}, {"# 3,4\n", "no schedule in it"},
        {"3,x", "'x' is not a whole number"}, {"3.5", "'3.5'"},
        {"-1", "'-1'"}, {"3:1", "'3:1'"}
    };
    char why[ARGS_WHY], zero[] = "3,4\0005", path[] = "@nowhere";
    merging_args args;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_neq(parse(cases[i][0], strlen(cases[i][0]), &args, why), 0);
        cr_expect_not_null(strstr(why, cases[i][1]), "%s", why);
        merging_args_free(&args);
    }
    cr_expect_neq(parse(zero, sizeof(zero) - 1, &args, why), 0);
    merging_args_free(&args);
    char *large = malloc(SCHEDULE_FILE_MOST);
    cr_assert_not_null(large);
    memset(large, ' ', SCHEDULE_FILE_MOST);
    large[0] = '1';
    cr_expect_neq(parse(large, SCHEDULE_FILE_MOST, &args, why), 0);
    cr_expect_not_null(strstr(why, "too long"), "%s", why);
    cr_expect_eq(parse(large, SCHEDULE_FILE_MOST - 1, &args, why), 0);
    merging_args_free(&args);
    free(large);
    merging_args_init(&args);
    cr_expect_neq(merging_parse_schedule(path, &args, why), 0);
    cr_expect_str_eq(why, "nowhere: No such file or directory");
}

Test(schedule_file, writes_what_it_reads)
{
    const size_t r[] = {16, 0, 7};
    char *text, why[ARGS_WHY];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    merging_args args;

    schedule_file_write(out, "a name\n9,9", r, 3);
    fclose(out);
    cr_expect_str_eq(text, "# a name 9,9\n16,0,7\n");
    cr_assert_eq(parse(text, size, &args, why), 0, "%s", why);
    cr_expect_eq(args.count, 3);
    cr_expect_eq(args.entries[2].r, 7);
    merging_args_free(&args);
    free(text);
}
