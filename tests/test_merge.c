/* SPDX-License-Identifier: MIT */
/*
 * Merging and the way back against plain loops: every combination, type and
 * kind of stride, on every tier with the same bits.
 */
#include "config.h"

#include "planning.h"
#include "rows.h"
#include "tiers.h"

#include "../tomerge/numeric.h"

#include <math.h>
#include <string.h>

enum { TOKENS = 31, WIDEST = 1100 };

/* ---- a plain merge ------------------------------------------------------- */

static float plain(int combine, const tomerge_plan *plan, const rows *x,
                   const float *size, size_t j, size_t c)
{
    float acc = 0, total = 0;
    int count = 0;

    if (combine == TOMERGE_KEEP)
        return get(x, (size_t)plan->origin[j], c);
    for (size_t i = 0; i < plan->tokens; i++) {
        float value, weight = combine == TOMERGE_WEIGHTED && size ? size[i] : 1;

        if (plan->map[i] != (int32_t)j)
            continue;
        value = get(x, i, c);
        if (combine == TOMERGE_MAX)
            acc = count ? (value > acc ? value : acc) : value;
        else
            acc = count ? acc + value * weight : value * weight;
        total += weight;
        count++;
    }
    if (count == 1)
        for (size_t i = 0; i < plan->tokens; i++)
            if (plan->map[i] == (int32_t)j)
                return get(x, i, c);
    return combine == TOMERGE_WEIGHTED || combine == TOMERGE_MEAN
               ? acc / total : acc;
}

static void check_merge(int combine, int from, int to, size_t channels,
                        ptrdiff_t gap, uint64_t *state)
{
    size_t count = 1 + random_bits(state) % TOKENS;
    ptrdiff_t stride = (ptrdiff_t)channels + (gap < 0 ? -gap : gap);
    rows x = random_rows(from, TOKENS, channels, gap < 0 ? -stride : stride,
                         state);
    rows y = new_rows(to, count, channels, gap < 0 ? stride : -stride);
    tomerge_plan plan = random_plan(TOKENS, count, state);
    float size[TOKENS], sums[TOKENS];
    int unit = random_bits(state) % 3 == 0;

    for (size_t i = 0; i < TOKENS; i++)
        size[i] = (float)(1 + random_bits(state) % 5);
    merge_view(combine, &plan, channels, in(&x), unit ? NULL : size, out(&y),
               sums);
    for (size_t j = 0; j < count; j++) {
        float sum = 0;

        for (size_t i = 0; i < TOKENS; i++)
            if (plan.map[i] == (int32_t)j)
                sum += unit ? 1 : size[i];
        cr_assert_eq(sums[j], sum);
        for (size_t c = 0; c < channels; c++) {
            float e = plain(combine, &plan, &x, unit ? NULL : size, j, c);

            cr_assert_eq(stored(to, e), stored(to, get(&y, j, c)),
                         "%s, %d to %d, row %zu of %zu, channel %zu of %zu: "
                         "%g, not %g", tomerge_combine_name(combine), from, to,
                         j, count, c, channels, (double)get(&y, j, c),
                         (double)e);
        }
    }
    expect_gaps(&y);
    guarded_free(&x.memory);
    guarded_free(&y.memory);
    free_plan(&plan);
}

TIER_TEST(merge, equals_plain_loops)
{
    static const size_t channels[] = {1, 3, 16, 17, 64, 100, WIDEST};
    uint64_t state = 21;

    for (int combine = TOMERGE_WEIGHTED; combine <= TOMERGE_KEEP; combine++)
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++)
                for (size_t c = 0; c < 7; c++)
                    check_merge(combine, dtypes[from], dtypes[to], channels[c],
                                (ptrdiff_t)(c % 3) - 1, &state);
}

/* Not a bit changes in a row that is alone: NaN payloads, -0, denormals. */
TIER_TEST(merge, a_group_of_one_is_copied_exactly)
{
    uint32_t bits[4][5] = {{0x7f812345, 0x80000000, 1, 0xffc00001, 0x7f800000},
                           {1, 2, 3, 4, 5}, {6, 7, 8, 9, 10},
                           {0xff800001, 0x007fffff, 0, 77, 0x3f800000}};
    uint32_t y[3][5];
    int32_t map[] = {2, 1, 1, 0}, origin[] = {3, 1, 0};
    float size[] = {3, 1, 1, 7};
    tomerge_plan plan = {4, 3, map, origin};
    tomerge_const_view x = {bits, 5, TOMERGE_F32};
    tomerge_view to = {y, 5, TOMERGE_F32};

    for (int combine = TOMERGE_WEIGHTED; combine <= TOMERGE_KEEP; combine++) {
        memset(y, 0, sizeof(y));
        merge_view(combine, &plan, 5, x, size, to, NULL);
        cr_assert_arr_eq(y[0], bits[3], sizeof(y[0]));
        cr_assert_arr_eq(y[2], bits[0], sizeof(y[2]));
    }
}

TIER_TEST(merge, max_keeps_a_NaN)
{
    float x[3][2] = {{1, NAN}, {NAN, 2}, {3, 3}}, y[2];
    int32_t map[] = {0, 0, 0};
    tomerge_plan plan = {3, 1, map, NULL};

    merge_f32(TOMERGE_MAX, &plan, 2, x[0], NULL, y, NULL);
    cr_assert(isnan(y[0]) && isnan(y[1]));
}

/* Sums in the narrow type itself would stop at 256 and 2048. */
TIER_TEST(merge, narrow_types_are_summed_in_f32)
{
    enum { MANY = 4096 };
    uint16_t x[MANY], y;
    int32_t map[MANY] = {0};
    tomerge_plan plan = {MANY, 1, map, NULL};

    for (int t = 1; t < 3; t++) {
        int bf16 = dtypes[t] == TOMERGE_BF16;
        tomerge_const_view from = {x, 1, dtypes[t]};
        tomerge_view to = {&y, 1, dtypes[t]};

        for (int i = 0; i < MANY; i++)
            x[i] = (bf16 ? tomerge_to_bf16 : tomerge_to_f16)(1);
        merge_view(TOMERGE_SUM, &plan, 1, from, NULL, to, NULL);
        cr_assert_eq((bf16 ? tomerge_from_bf16 : tomerge_from_f16)(y), MANY);
    }
}

/* The direction of the weighted mean, the length of the longest row. */
TIER_TEST(merge, mlerp_keeps_the_longest_norm)
{
    uint64_t state = 28;

    for (int round = 0; round < 60; round++) {
        size_t channels = round % 5 ? 1 + random_bits(&state) % 70 : WIDEST;
        size_t count = 1 + random_bits(&state) % TOKENS;
        rows x = random_rows(dtypes[round % 3], TOKENS, channels,
                             (ptrdiff_t)channels + 1, &state);
        rows y = new_rows(TOMERGE_F32, count, channels, (ptrdiff_t)channels);
        rows mean = new_rows(TOMERGE_F32, count, channels,
                             (ptrdiff_t)channels);
        tomerge_plan plan = random_plan(TOKENS, count, &state);
        float size[TOKENS];

        for (size_t i = 0; i < TOKENS; i++)
            size[i] = (float)(1 + random_bits(&state) % 5);
        merge_view(TOMERGE_MLERP, &plan, channels, in(&x), size, out(&y),
                   NULL);
        merge_view(TOMERGE_WEIGHTED, &plan, channels, in(&x), size, out(&mean),
                   NULL);
        for (size_t j = 0; j < count; j++) {
            double longest = 0, length = 0, factor;

            for (size_t i = 0; i < TOKENS; i++) {
                double norm = 0;

                for (size_t c = 0; c < channels; c++)
                    norm += (double)get(&x, i, c) * (double)get(&x, i, c);
                if (plan.map[i] == (int32_t)j)
                    longest = fmax(longest, sqrt(norm));
            }
            for (size_t c = 0; c < channels; c++)
                length += (double)get(&mean, j, c) * (double)get(&mean, j, c);
            factor = longest / sqrt(length);
            for (size_t c = 0; c < channels; c++)
                cr_assert_float_eq((double)get(&y, j, c),
                                   factor * (double)get(&mean, j, c),
                                   1e-6 * (longest + factor));
        }
        guarded_free(&x.memory);
        guarded_free(&y.memory);
        guarded_free(&mean.memory);
        free_plan(&plan);
    }
}

/* Opposite rows have no direction in common, and huge ones no norm. */
TIER_TEST(merge, mlerp_is_the_mean_where_there_is_no_norm)
{
    float x[4][2] = {{1, 2}, {-1, -2}, {3e30f, 0}, {1e30f, 0}}, y[2][2];
    int32_t map[] = {0, 0, 1, 1};
    tomerge_plan plan = {4, 2, map, NULL};

    merge_f32(TOMERGE_MLERP, &plan, 2, x[0], NULL, y[0], NULL);
    cr_assert(y[0][0] == 0 && y[0][1] == 0);
    cr_assert(y[1][0] == (3e30f + 1e30f) / 2 && y[1][1] == 0);
}

/* ---- the way back -------------------------------------------------------- */

TIER_TEST(merge, unmerge_copies_every_row_back)
{
    uint64_t state = 22;

    for (int round = 0; round < 60; round++) {
        size_t channels = 1 + random_bits(&state) % 40;
        size_t count = 1 + random_bits(&state) % TOKENS;
        ptrdiff_t stride = (ptrdiff_t)channels + round % 3;
        tomerge_plan plan = random_plan(TOKENS, count, &state);
        rows y = random_rows(dtypes[round % 3], count, channels, -stride,
                             &state);
        rows x = new_rows(dtypes[round / 3 % 3], TOKENS, channels, stride);

        cr_assert_eq(tomerge_unmerge(&plan, channels, in(&y), out(&x)), 0);
        for (size_t i = 0; i < TOKENS; i++) {
            for (size_t c = 0; c < channels; c++) {
                float e = plan.map[i] < 0 ? 0
                                          : get(&y, (size_t)plan.map[i], c);

                cr_assert_eq(stored(x.dtype, e),
                             stored(x.dtype, get(&x, i, c)));
            }
        }
        expect_gaps(&x);
        guarded_free(&x.memory);
        guarded_free(&y.memory);
        free_plan(&plan);
    }
}

/* Merging what was unmerged gives the merged rows again, where a mean of
 * equals is exact. */
TIER_TEST(merge, merging_undoes_unmerging)
{
    uint64_t state = 23;
    tomerge_plan plan = random_plan(TOKENS, 12, &state);
    float y[12 * 7], x[TOKENS * 7], again[12 * 7];

    for (size_t i = 0; i < 12 * 7; i++)
        y[i] = random_whole(&state, 100);
    cr_assert_eq(tomerge_unmerge(&plan, 7, view_f32(y, 7), view_f32_out(x, 7)),
                 0);
    for (int combine = TOMERGE_WEIGHTED; combine <= TOMERGE_KEEP; combine++) {
        if (combine == TOMERGE_SUM)
            continue;
        merge_f32(combine, &plan, 7, x, NULL, again, NULL);
        cr_assert_arr_eq(again, y, sizeof(y));
    }
    free_plan(&plan);
}

/* Layers of real matching: the trace says where each token is, the sizes add
 * up, and a sum over layers is the sum of the tokens traced to a row. */
TIER_TEST(merge, layers_compose)
{
    enum { T = 53, C = 9, LAYERS = 5 };
    uint64_t state = 24;
    float x[T * C], y[T * C], first[T * C], size[T], sums[T];
    int32_t trace[T];
    size_t tokens = T;
    tomerge_options o;

    tomerge_options_init(&o);
    o.protect = 1;
    for (size_t i = 0; i < T * C; i++)
        first[i] = x[i] = random_whole(&state, 9);
    for (size_t i = 0; i < T; i++) {
        size[i] = 1;
        trace[i] = (int32_t)i;
    }
    for (int layer = 0; layer < LAYERS; layer++) {
        tomerge_plan plan = match_f32(&o, tokens, C, x, 6);
        float total = 0;

        merge_f32(TOMERGE_SUM, &plan, C, x, size, y, sums);
        cr_assert_eq(tomerge_compose(&plan, T, trace), 0);
        tokens = plan.rows;
        memcpy(x, y, tokens * C * sizeof(*x));
        memcpy(size, sums, tokens * sizeof(*size));
        for (size_t j = 0; j < tokens; j++) {
            float count = 0, sum = 0;

            for (size_t i = 0; i < T; i++) {
                count += trace[i] == (int32_t)j;
                sum += trace[i] == (int32_t)j ? first[i * C + 2] : 0;
            }
            cr_assert_eq(size[j], count);
            cr_assert_eq(x[j * C + 2], sum);
            total += size[j];
        }
        cr_assert_eq(total, T);
        free_plan(&plan);
    }
    cr_assert_eq(trace[0], 0);
    cr_assert_eq(tokens, T - 6 * LAYERS + 0);
}

Test(merge, composing_keeps_dropped_tokens_dropped)
{
    int32_t map[] = {1, -1, 0}, trace[] = {2, 1, -1, 0, 2};
    const int32_t expected[] = {0, -1, -1, 1, 0};
    tomerge_plan plan = {3, 2, map, NULL};

    cr_assert_eq(tomerge_compose(&plan, 5, trace), 0);
    cr_assert_arr_eq(trace, expected, sizeof(trace));
    cr_assert_eq(tomerge_compose(&plan, 0, NULL), 0);
}

/* ---- attention ----------------------------------------------------------- */

/* In any order, and sizes that are not whole too. */
Test(merge, size_bias_is_that_of_every_size)
{
    enum { N = 2000 };
    float size[N], bias[N];
    uint64_t state = 21;

    for (int i = 0; i < N; i++) {
        size[i] = (float)(1 + random_bits(&state) % 90);
        if (i % 5 == 0)
            size[i] *= 0.37f;
    }
    cr_assert_eq(tomerge_size_bias(N, size, bias), 0);
    for (int i = 0; i < N; i++)
        cr_assert_eq(bias[i], logf(size[i]), "of %g", (double)size[i]);
}

Test(merge, size_bias_is_the_logarithm)
{
    float size[] = {1, 2, 3, 196, 0.5f}, bias[5];

    cr_assert_eq(tomerge_size_bias(5, size, bias), 0);
    for (int i = 0; i < 5; i++)
        cr_assert_float_eq((double)bias[i], log((double)size[i]), 1e-6);
    cr_assert_eq(bias[0], 0);
    cr_assert_eq(tomerge_size_bias(5, size, size), 0);
    cr_assert_arr_eq(size, bias, sizeof(size));
}

/* [tokens, heads, channels], as a slice of a qkv buffer, and
 * [heads, tokens, channels]. */
TIER_TEST(merge, mean_of_heads)
{
    uint64_t state = 25;

    for (int round = 0; round < 54; round++) {
        size_t tokens = 7, heads = 1 + random_bits(&state) % 12;
        size_t channels = round % 6 ? 1 + random_bits(&state) % 70 : 700;
        int by_head = round % 2;
        rows k = random_rows(dtypes[round % 3], by_head ? heads : tokens,
                             by_head ? tokens * channels : heads * channels,
                             (ptrdiff_t)((by_head ? tokens : heads) * channels +
                                         5), &state);
        rows metric = new_rows(dtypes[round / 3 % 3], tokens, channels,
                               -(ptrdiff_t)channels);
        tomerge_const_view view = in(&k);
        ptrdiff_t head_stride = by_head ? k.stride : (ptrdiff_t)channels;

        if (by_head)
            view.stride = (ptrdiff_t)channels;
        cr_assert_eq(tomerge_mean_heads(tokens, heads, channels, view,
                                        head_stride, out(&metric)), 0);
        for (size_t t = 0; t < tokens; t++) {
            for (size_t c = 0; c < channels; c++) {
                float sum = 0;

                for (size_t h = 0; h < heads; h++)
                    sum += by_head ? get(&k, h, t * channels + c)
                                   : get(&k, t, h * channels + c);
                cr_assert_eq(stored(metric.dtype, sum / (float)heads),
                             stored(metric.dtype, get(&metric, t, c)));
            }
        }
        expect_gaps(&metric);
        guarded_free(&k.memory);
        guarded_free(&metric.memory);
    }
}
