/* SPDX-License-Identifier: MIT */
/* Schedules: the reference's, and those of a merge ratio. */
#include "golden.h"
#include "tomerge.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { MOST_LAYERS = 64 };

static size_t read_list(const json_t *array, size_t out[MOST_LAYERS])
{
    const json_t *value;
    size_t i;

    cr_assert(json_is_array(array));
    cr_assert_leq(json_array_size(array), MOST_LAYERS);
    json_array_foreach(array, i, value)
        out[i] = (size_t)json_integer_value(value);
    return json_array_size(array);
}

Test(schedule, equals_the_reference)
{
    json_t *index = golden_index(golden_folder()), *entry;
    size_t i, lists = 0;

    json_array_foreach(json_object_get(index, "schedule"), i, entry) {
        size_t layers = golden_size(entry, "layers");
        size_t expected[MOST_LAYERS], found[MOST_LAYERS], list[MOST_LAYERS];
        const json_t *given = json_object_get(entry, "list");

        cr_assert_eq(read_list(json_object_get(entry, "out"), expected),
                     layers);
        if (given) {
            size_t count = read_list(given, list);

            cr_assert_eq(tomerge_schedule_list(layers, count, list, found), 0);
            lists++;
        } else {
            double inflection =
                json_number_value(json_object_get(entry, "inflection"));

            cr_assert_eq(tomerge_schedule(layers, golden_size(entry, "r"),
                                          inflection, found), 0);
        }
        cr_assert_arr_eq(found, expected, layers * sizeof(found[0]),
                         "schedule %zu", i);
    }
    cr_assert_eq(i, 141);
    cr_assert_geq(lists, 1);
    json_decref(index);
}

Test(schedule, one_layer_merges_r)
{
    size_t out;

    cr_assert_eq(tomerge_schedule(1, 7, -1, &out), 0);
    cr_assert_eq(out, 7);
}

/* Tokens left after the last layer, as published for these models. */
Test(schedule, tokens_are_the_published_ones)
{
    static const struct {
        size_t layers, tokens, r, left;
    } known[] = {{12, 197, 8, 101}, {12, 197, 13, 41}, {12, 197, 16, 11},
                 {24, 197, 8, 7}, {24, 577, 23, 25}, {24, 1025, 40, 65}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t r[24], left[24];
        double ratio, merged = 0;

        cr_assert_eq(tomerge_schedule(known[i].layers, known[i].r, 0, r), 0);
        cr_assert_eq(tomerge_schedule_tokens(TOMERGE_ALTERNATING,
                                             known[i].layers, known[i].tokens,
                                             1, r, left, &ratio),
                     0);
        cr_assert_eq(left[known[i].layers - 1], known[i].left);
        for (size_t l = 0; l < known[i].layers; l++)
            merged += 1 - (double)left[l] / (double)known[i].tokens;
        cr_assert_float_eq(ratio, merged / (double)known[i].layers, 1e-12);
        cr_assert_eq(tomerge_schedule_tokens(TOMERGE_ALTERNATING,
                                             known[i].layers, known[i].tokens,
                                             1, r, NULL, NULL),
                     0);
    }
}

/* What no layer has to give is not in the list, the numbers are as even as
 * that allows, and the ratio is met to half a token a layer; to half a token
 * in all where no layer runs out. */
static void check_ratio(size_t layers, size_t tokens, size_t protect,
                        double ratio)
{
    size_t r[MOST_LAYERS], all[MOST_LAYERS], low = SIZE_MAX, high = 0;
    size_t left = tokens;
    double most, found, miss;
    int error, full = 0;

    for (size_t l = 0; l < layers; l++)
        all[l] = tokens;
    cr_assert_eq(tomerge_schedule_tokens(TOMERGE_ALTERNATING, layers, tokens,
                                         protect, all, NULL, &most),
                 0);
    error = tomerge_schedule_ratio(TOMERGE_ALTERNATING, layers, tokens, protect,
                                   ratio, r);
    if (error) {
        cr_assert_eq(error, TOMERGE_ERANGE);
        cr_assert_gt(ratio, most + 0.5 / (double)tokens - 1e-12);
        return;
    }
    cr_assert_eq(tomerge_schedule_tokens(TOMERGE_ALTERNATING, layers, tokens,
                                         protect, r, NULL, &found),
                 0);
    for (size_t l = 0; l < layers; l++) {
        int at_most = r[l] == tomerge_max_r(TOMERGE_ALTERNATING, left, protect);

        cr_assert_leq(r[l], tomerge_max_r(TOMERGE_ALTERNATING, left, protect));
        left -= r[l];
        high = r[l] > high ? r[l] : high;
        if (!at_most && r[l] < low)
            low = r[l];
        full |= at_most;
    }
    if (low != SIZE_MAX)
        cr_assert_leq(high, low + 1, "layers %zu tokens %zu ratio %g: %zu..%zu",
                      layers, tokens, ratio, low, high);
    miss = fabs(found - ratio) * (double)tokens;
    cr_assert_leq(miss, full ? 0.5 + 1e-9 : 0.5 / (double)layers + 1e-9,
                  "layers %zu tokens %zu protect %zu: %g, not %g", layers,
                  tokens, protect, found, ratio);
}

Test(schedule, ratio_is_met)
{
    static const size_t layers[] = {1, 2, 3, 12, 24, 32};
    static const size_t tokens[] = {1, 2, 3, 17, 197, 198, 577};

    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 7; j++)
            for (size_t protect = 0; protect <= 5; protect++)
                for (int percent = 0; percent < 100; percent++)
                    check_ratio(layers[i], tokens[j], protect,
                                percent / 100.0);
}

Test(schedule, ratio_of_nothing_and_too_much)
{
    size_t r[12];

    cr_assert_eq(tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 0, r),
                 0);
    for (int l = 0; l < 12; l++)
        cr_assert_eq(r[l], 0);
    cr_assert_eq(
        tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 0.4, r), 0);
    cr_assert(r[0] == 12 || r[0] == 13);
    memset(r, 0x5a, sizeof(r));
    cr_assert_eq(
        tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 0.99, r),
        TOMERGE_ERANGE);
    cr_assert_eq(
        tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 1.0, r),
        TOMERGE_EINVAL);
    cr_assert_eq(
        tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, -0.1, r),
        TOMERGE_EINVAL);
    cr_assert_eq(
        tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, (double)NAN, r),
        TOMERGE_EINVAL);
    cr_assert_eq(r[0], (size_t)0x5a5a5a5a5a5a5a5a);
}

Test(schedule, refuses_bad_arguments)
{
    size_t r[4] = {9, 9, 9, 9}, list[5] = {1, 2, 3, 4, 5};

    cr_assert_eq(tomerge_schedule(0, 1, 0, r), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule(4, 1, 0, NULL), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule(4, 1, 1.01, r), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule(4, 1, (double)NAN, r), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule(4, SIZE_MAX, 0, r), TOMERGE_ERANGE);
    cr_assert_eq(tomerge_schedule_list(4, 5, list, r), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule_list(4, 1, NULL, r), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule_list(4, 1, list, NULL), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_schedule_list(0, 0, NULL, r), TOMERGE_EINVAL);
    cr_assert_eq(
        tomerge_schedule_tokens(TOMERGE_ALTERNATING, 4, 0, 0, r, NULL, NULL),
        TOMERGE_EINVAL);
    cr_assert_eq(
        tomerge_schedule_tokens(TOMERGE_ALTERNATING, 4, 9, 0, NULL, r, NULL),
        TOMERGE_EINVAL);
    cr_assert_eq(r[0], 9);
    cr_assert_eq(tomerge_schedule_list(4, 0, NULL, r), 0);
    cr_assert_eq(r[3], 0);
}
