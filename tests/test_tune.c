/* SPDX-License-Identifier: MIT */
/* The search for schedules on models of which the best is known; schedules in
 * files. */
#include "config.h"

#include "../src/base/args.h"
#include "../src/session/merging_args.h"
#include "../src/session/schedule_file.h"
#include "../src/tune_search.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH = 6, TOKENS = 100, IMAGES = 1000 };

/* A model where each token merged in layer i saves DEPTH - i and, beyond what
 * that layer bears, costs a thousandth. All images lose alike, or, where luck
 * is set, some twice as much and others nothing. */
typedef struct toy {
    double bears[DEPTH];
    int luck, fails;
    size_t calls, trials, steps;
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

static double toy_loss(const toy *t, const size_t *r)
{
    double lost = 0;

    for (size_t i = 0; i < DEPTH; i++)
        lost += fmax((double)r[i] - t->bears[i], 0) / 1000;
    return lost;
}

static int toy_measure(void *data, tune_trial *trials, size_t count)
{
    toy *t = data;

    t->calls++;
    t->trials += count;
    for (size_t k = 0; k < count; k++) {
        double gmacs = toy_gmacs(NULL, trials[k].r);
        double lost = toy_loss(t, trials[k].r);
        cr_expect_eq(gmacs, trials[k].gmacs, "%g is not that of the schedule",
                     trials[k].gmacs);
        trials[k].speedup = 1000 / gmacs;
        trials[k].images = IMAGES;
        for (size_t i = 0; i < IMAGES; i++)
            trials[k].lost[i] = trials[k].moved[i] =
                !t->luck ? lost : i % 2 ? 2 * lost : 0;
    }
    return t->fails ? -1 : 0;
}

static void toy_said(void *data, const char *step, const tune_trial *best)
{
    ((toy *)data)->steps++;
    cr_expect(step[0] != '\0' && best->gmacs > 0);
}

static tune_search search_of(toy *t, int goal, double limit, size_t rounds)
{
    tune_search s = {goal, limit, 0, DEPTH, TOKENS, IMAGES, rounds, toy_gmacs,
                     toy_measure, toy_said, t};
    return s;
}

/* The best's r into r[DEPTH]; its other memory is gone. */
static int find(const tune_search *s, size_t *r, tune_trial *best)
{
    tune_trial_begin(best, DEPTH, IMAGES);
    int found = tune_search_run(s, best);
    memcpy(r, best->r, DEPTH * sizeof(*r));
    tune_trial_end(best);
    return found;
}

static int allowed_toy(int goal, double limit, const tune_trial *trial)
{
    return goal == TUNE_MAX_DROP ? trial->drop <= limit
         : goal == TUNE_MIN_SPEEDUP ? trial->speedup >= limit
                                    : trial->gmacs <= limit;
}

/* Next to as good as every ramp there is, for any of the goals: sizes are
 * found to a sixty-fourth of what can be saved. */
Test(tune, ramps_are_searched)
{
    static const double limits[][2] = {
        {TUNE_MAX_DROP, 0.5}, {TUNE_MAX_DROP, 1.5}, {TUNE_MIN_SPEEDUP, 1.2},
        {TUNE_TARGET_GMACS, 800}, {TUNE_TARGET_GMACS, 913}
    };
    static const double inflections[] = {-1, -0.5, 0, 0.5, 1};
    toy t = {.bears = {2, 4, 8, 8, 4, 2}};

    for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
        int goal = (int)limits[k][0];
        size_t r[DEPTH], ramp[DEPTH];
        tune_trial best, trial = {.r = ramp};
        tune_search s = search_of(&t, goal, limits[k][1], 0);
        cr_assert_eq(find(&s, r, &best), 1);
        cr_expect(allowed_toy(goal, limits[k][1], &best));
        cr_expect_float_eq(best.drop, 100 * toy_loss(&t, r), 1e-9);
        for (size_t i = 0; i < 5; i++)
            for (size_t value = 0; value < TOKENS; value++) {
                tomerge_schedule(DEPTH, value, inflections[i], ramp);
                trial.gmacs = toy_gmacs(NULL, ramp);
                trial.drop = 100 * toy_loss(&t, ramp);
                trial.speedup = 1000 / trial.gmacs;
                if (!allowed_toy(goal, limits[k][1], &trial))
                    continue;
                cr_expect(goal == TUNE_MAX_DROP
                          ? best.gmacs <= trial.gmacs + 20
                          : best.drop <= trial.drop + 0.5,
                          "goal %d, limit %g: r = %zu, inflection %g is better",
                          goal, limits[k][1], value, inflections[i]);
            }
    }
}

Test(tune, layers_are_refined)
{
    /* No ramp is this shape. */
    toy t = {.bears = {0, 9, 0, 9, 0, 9}};
    size_t r[DEPTH];
    tune_trial ramp, best;
    tune_search s = search_of(&t, TUNE_MAX_DROP, 0.5, 0);

    cr_assert_eq(find(&s, r, &ramp), 1);
    s.rounds = 20;
    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_leq(best.drop, 0.5);
    cr_expect_lt(best.gmacs, ramp.gmacs - 30);
    /* All that the layers bear, at least. */
    cr_expect_leq(best.gmacs, 1000 - 9 * (5 + 3 + 1), "%g GMACs", best.gmacs);
    s = search_of(&t, TUNE_TARGET_GMACS, 919, 0);
    cr_assert_eq(find(&s, r, &ramp), 1);
    s.rounds = 20;
    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_lt(best.drop, ramp.drop / 2);
    cr_expect_leq(best.gmacs, 919);
}

/* The drop keeps its distance from the limit, in standard errors. */
Test(tune, drops_keep_a_margin)
{
    toy t = {.bears = {0}, .luck = 1};
    size_t r[DEPTH];
    tune_trial best;
    tune_search s = search_of(&t, TUNE_MAX_DROP, 1, 3);

    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_gt(best.drop, 0.75);
    s.margin = 20;
    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_gt(best.drop, 0);
    cr_expect_leq(best.drop + 20 * best.error, 1);
    cr_expect_float_eq(best.error, best.drop / sqrt(IMAGES - 1.0), 1e-9);
    cr_expect_geq(t.steps, 2);
}

/* Merging early changes a little less than the rest, for all images alike or,
 * with luck, much less for half of them and nearly as much more for others. */
static int slope_measure(void *data, tune_trial *trials, size_t count)
{
    const toy *t = data;

    for (size_t k = 0; k < count; k++) {
        int early = trials[k].r[0] > trials[k].r[DEPTH - 1];
        trials[k].images = IMAGES;
        trials[k].speedup = 1;
        for (size_t i = 0; i < IMAGES; i++)
            trials[k].moved[i] = !early ? 0.5
                : 0.495 + (!t->luck ? 0 : i % 2 ? 0.4 : -0.4);
    }
    return 0;
}

Test(tune, chance_is_not_chosen)
{
    toy t = {.luck = 0};
    size_t r[DEPTH];
    tune_trial best;
    tune_search s = search_of(&t, TUNE_TARGET_GMACS, 900, 0);

    s.measure = slope_measure;
    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_gt(r[0], r[DEPTH - 1] + 1);
    cr_expect_float_eq(best.change, 49.5, 1e-9);
    t.luck = 1;
    cr_assert_eq(find(&s, r, &best), 1);
    cr_expect_leq(r[0], r[DEPTH - 1] + 1);
    cr_expect_float_eq(best.change, 50, 1e-9);
}

Test(tune, what_cannot_be)
{
    toy t = {.bears = {0}};
    size_t r[DEPTH];
    tune_trial best;
    tune_search gmacs = search_of(&t, TUNE_TARGET_GMACS, 10, 2);
    tune_search speed = search_of(&t, TUNE_MIN_SPEEDUP, 50, 2);
    tune_search drop = search_of(&t, TUNE_MAX_DROP, 0, 2);

    cr_expect_eq(find(&gmacs, r, &best), 0);
    cr_expect_eq(find(&speed, r, &best), 0);
    cr_expect_eq(find(&drop, r, &best), 1);
    for (size_t i = 0; i < DEPTH; i++)
        cr_expect_eq(r[i], 0);
    cr_expect_eq(best.gmacs, 1000);
    t.fails = 1;
    drop.limit = 1;
    gmacs.limit = 900;
    cr_expect_eq(find(&drop, r, &best), -1);
    cr_expect_eq(find(&gmacs, r, &best), -1);
}

/* ---- files --------------------------------------------------------------- */

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
