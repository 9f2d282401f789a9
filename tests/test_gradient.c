/* SPDX-License-Identifier: MIT */
/*
 * Gradients against numeric differentiation of the same merge in double
 * precision, for every combination and type; and the same bits on every tier.
 */
#include "config.h"

#include "planning.h"
#include "rows.h"
#include "tiers.h"

#include <math.h>
#include <string.h>

enum { TOKENS = 14, WIDEST = 1030, COMBINATIONS = 8 };

/* ---- a merge in double --------------------------------------------------- */

typedef struct oracle {
    int combine;
    const tomerge_plan *plan;
    size_t channels;
    double *x, *g;         /* [tokens, channels], [rows, channels] */
    double size[TOKENS], h[TOKENS];
} oracle;

static double norm_of(const double *x, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += x[c] * x[c];
    return sqrt(sum);
}

static double *row_of(const oracle *o, size_t token)
{
    return o->x + token * o->channels;
}

static double entry(const oracle *o, size_t row, size_t c, double total)
{
    double value = o->combine == TOMERGE_MAX ? -HUGE_VAL : 0;

    if (o->combine == TOMERGE_KEEP)
        return row_of(o, (size_t)o->plan->origin[row])[c];
    for (size_t i = 0; i < TOKENS; i++) {
        double x = row_of(o, i)[c];

        if (o->plan->map[i] != (int32_t)row)
            continue;
        if (o->combine == TOMERGE_MAX)
            value = fmax(value, x);
        else if (o->combine == TOMERGE_SUM)
            value += x;
        else if (o->combine == TOMERGE_MEAN ||
                 o->combine == TOMERGE_MLERP_ORIGIN)
            value += x / total;
        else
            value += x * o->size[i] / total;
    }
    return value;
}

/* What a row adds to the loss, g.y + h size_out; and MLERP's factor. */
static double loss(const oracle *o, size_t row, double *factor)
{
    double y[WIDEST], total = 0, count = 0, longest = 0, sum = 0, divisor;

    for (size_t i = 0; i < TOKENS; i++) {
        if (o->plan->map[i] != (int32_t)row)
            continue;
        total += o->size[i];
        count++;
        longest = fmax(longest, norm_of(row_of(o, i), o->channels));
    }
    divisor = total;
    if (o->combine == TOMERGE_MEAN || o->combine == TOMERGE_MLERP_ORIGIN)
        divisor = count;
    else if (o->combine == TOMERGE_WEIGHTED_SUM && count > 1)
        divisor = 1; /* a single token is copied */
    for (size_t c = 0; c < o->channels; c++)
        y[c] = entry(o, row, c, divisor);
    *factor = 1;
    if (o->combine == TOMERGE_MLERP)
        *factor = longest / norm_of(y, o->channels);
    if (o->combine == TOMERGE_MLERP_ORIGIN)
        *factor = longest / norm_of(row_of(o, (size_t)o->plan->origin[row]),
                                    o->channels);
    for (size_t c = 0; c < o->channels; c++)
        sum += *factor * y[c] * o->g[row * o->channels + c];
    return sum + o->h[row] * total;
}

/* dL/d(*at), where only `row` depends on it. */
static double slope(const oracle *o, size_t row, double *at, double *factor)
{
    double saved = *at, step = 1e-5, up, down;

    *at = saved + step;
    up = loss(o, row, factor);
    *at = saved - step;
    down = loss(o, row, factor);
    *at = saved;
    return (up - down) / (2 * step);
}

/* ---- a case -------------------------------------------------------------- */

typedef struct gradient_case {
    int combine;
    size_t channels, count;
    tomerge_plan plan;
    rows x, g, dx;
    float size[TOKENS], h[TOKENS], dsize[TOKENS];
} gradient_case;

/* No two tokens of a channel are the same, whatever the type: a permutation
 * of multiples of 1 / 8. */
static void fill_distinct(rows *r, uint64_t *state)
{
    for (size_t c = 0; c < r->channels; c++) {
        int value[TOKENS];

        for (int i = 0; i < TOKENS; i++)
            value[i] = i - TOKENS / 2;
        for (size_t i = TOKENS; i-- > 1;) {
            size_t j = random_bits(state) % (i + 1);
            int moving = value[i];

            value[i] = value[j];
            value[j] = moving;
        }
        for (size_t i = 0; i < TOKENS; i++)
            put(r, i, c, (float)value[i] / 8);
    }
}

static gradient_case new_case(int combine, size_t channels, int types,
                              uint64_t *state)
{
    gradient_case k = {.combine = combine, .channels = channels};
    ptrdiff_t stride = (ptrdiff_t)channels + 1;

    k.count = 2 + random_bits(state) % (TOKENS / 2);
    k.plan = random_plan(TOKENS, k.count, state);
    k.x = random_rows(dtypes[types % 3], TOKENS, channels, stride, state);
    k.g = random_rows(dtypes[types / 3 % 3], k.count, channels, -stride,
                      state);
    k.dx = new_rows(dtypes[types / 9], TOKENS, channels, stride);
    if (combine == TOMERGE_MAX)
        fill_distinct(&k.x, state);
    for (size_t i = 0; i < TOKENS; i++) {
        k.size[i] = (float)(1 + random_bits(state) % 5);
        k.h[i] = random_float(state);
    }
    return k;
}

static void free_case(gradient_case *k)
{
    guarded_free(&k->x.memory);
    guarded_free(&k->g.memory);
    guarded_free(&k->dx.memory);
    free_plan(&k->plan);
}

static void backward(gradient_case *k, const float *size)
{
    size_t bytes;
    void *workspace;

    cr_assert_eq(tomerge_merge_workspace(TOKENS, &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_merge_backward(k->combine, &k->plan, k->channels,
                                        in(&k->x), size, in(&k->g), k->h,
                                        out(&k->dx), k->dsize, workspace,
                                        bytes), 0);
    free(workspace);
}

/* ---- numbers ------------------------------------------------------------- */

/* What rounding to a type may add. */
static double unit_of(int dtype)
{
    return dtype == TOMERGE_F32 ? 0 : dtype == TOMERGE_F16 ? 0x1p-11 : 0x1p-8;
}

static void check_token(const gradient_case *k, oracle *o, size_t i)
{
    int32_t row = k->plan.map[i];
    double factor = 1, ds = row < 0 ? 0 : slope(o, (size_t)row, &o->size[i],
                                                &factor), bound;

    for (size_t c = 0; c < k->channels; c++) {
        double e = row < 0 ? 0 : slope(o, (size_t)row, row_of(o, i) + c,
                                       &factor);

        /* Where rows nearly cancel, MLERP stretches what is lost in f32. */
        bound = (4e-6 + unit_of(k->dx.dtype) * fabs(e) + 0x1p-24) *
                (1 + factor * factor);
        cr_assert_float_eq((double)get(&k->dx, i, c), e, bound,
                           "%s, dL/dx[%zu][%zu] of %zu channels: %g, not %g",
                           tomerge_combine_name(k->combine), i, c, k->channels,
                           (double)get(&k->dx, i, c), e);
    }
    bound = 4e-6 * (1 + factor * factor) * (1 + sqrt((double)k->channels));
    cr_assert_float_eq((double)k->dsize[i], ds, bound,
                       "%s, dL/dsize[%zu] of %zu channels: %g, not %g",
                       tomerge_combine_name(k->combine), i, k->channels,
                       (double)k->dsize[i], ds);
}

static void check_numbers(int combine, size_t channels, int types, int unit,
                          uint64_t *state)
{
    gradient_case k = new_case(combine, channels, types, state);
    oracle o = {.combine = combine, .plan = &k.plan, .channels = channels};

    o.x = test_alloc(TOKENS * channels * sizeof(*o.x));
    o.g = test_alloc(k.count * channels * sizeof(*o.g));
    for (size_t i = 0; i < TOKENS; i++) {
        for (size_t c = 0; c < channels; c++)
            o.x[i * channels + c] = (double)get(&k.x, i, c);
        o.size[i] = unit ? 1 : (double)k.size[i];
        o.h[i] = (double)k.h[i];
    }
    for (size_t j = 0; j < k.count; j++)
        for (size_t c = 0; c < channels; c++)
            o.g[j * channels + c] = (double)get(&k.g, j, c);
    backward(&k, unit ? NULL : k.size);
    for (size_t i = 0; i < TOKENS; i++)
        check_token(&k, &o, i);
    expect_gaps(&k.dx);
    free(o.x);
    free(o.g);
    free_case(&k);
}

TIER_TEST(gradient, equals_numeric_differentiation)
{
    uint64_t state = 61;

    for (int combine = 0; combine < COMBINATIONS; combine++)
        for (size_t channels = 2; channels < 40; channels += 9)
            for (int types = 0; types < 27; types++)
                check_numbers(combine, channels, types, types % 2, &state);
}

/* More channels than are worked on at a time. */
TIER_TEST(gradient, equals_numeric_differentiation_in_long_rows)
{
    uint64_t state = 62;

    for (int combine = 0; combine < COMBINATIONS; combine++)
        check_numbers(combine, WIDEST, combine % 3, combine % 2, &state);
}

TIER_TEST(gradient, has_the_scalar_bits)
{
    uint32_t mask = tomerge_cpu_flags();
    uint64_t state = 63;

    for (int round = 0; round < 27 * COMBINATIONS; round++) {
        size_t channels = 1 + random_bits(&state) % 600;
        gradient_case k = new_case(round % COMBINATIONS, channels,
                                   round / COMBINATIONS, &state);
        size_t bytes = TOKENS * (channels + 1) * element(k.dx.dtype) -
                       element(k.dx.dtype);
        void *first = test_alloc(bytes);
        float dsize[TOKENS];

        backward(&k, k.size);
        memcpy(first, k.dx.first, bytes);
        memcpy(dsize, k.dsize, sizeof(dsize));
        tomerge_set_cpu_mask(0);
        backward(&k, k.size);
        tomerge_set_cpu_mask(mask);
        cr_assert_arr_eq(first, k.dx.first, bytes);
        cr_assert_arr_eq(dsize, k.dsize, sizeof(dsize));
        free(first);
        free_case(&k);
    }
}

/* ---- rules --------------------------------------------------------------- */

static void backward_f32(int combine, const tomerge_plan *plan,
                         size_t channels, const float *x, const float *g,
                         float *dx, float *dsize)
{
    size_t bytes;
    void *workspace;

    cr_assert_eq(tomerge_merge_workspace(plan->tokens, &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_merge_backward(combine, plan, channels,
                                        view_f32(x, channels), NULL,
                                        view_f32(g, channels), NULL,
                                        view_f32_out(dx, channels), dsize,
                                        workspace, bytes), 0);
    free(workspace);
}

TIER_TEST(gradient, of_a_maximum_goes_to_the_first)
{
    float x[3][3] = {{1, 5, 2}, {4, 5, NAN}, {4, 1, NAN}}, dx[3][3];
    float g[] = {7, 8, 9}, dsize[3];
    const float expected[3][3] = {{0, 8, 0}, {7, 0, 9}, {0, 0, 0}};
    int32_t map[] = {0, 0, 0};
    tomerge_plan plan = {3, 1, map, NULL};

    backward_f32(TOMERGE_MAX, &plan, 3, x[0], g, dx[0], dsize);
    cr_assert_arr_eq(dx, expected, sizeof(dx));
    cr_assert(dsize[0] == 0 && dsize[1] == 0 && dsize[2] == 0);
}

/* Two rows of one length: the first takes the gradient of the length. */
TIER_TEST(gradient, of_a_norm_goes_to_the_first)
{
    float x[2][2] = {{3, 0}, {0, 3}}, g[] = {1, 1}, dx[2][2];
    int32_t map[] = {0, 0};
    tomerge_plan plan = {2, 1, map, NULL};

    /* y is 3 (1, 1) / sqrt(2), so dL/dl is sqrt(2); along y nothing else. */
    backward_f32(TOMERGE_MLERP, &plan, 2, x[0], g, dx[0], NULL);
    cr_assert_float_eq((double)dx[0][0], sqrt(2), 1e-6);
    cr_assert_float_eq((double)dx[0][1], 0, 1e-6);
    cr_assert_float_eq((double)dx[1][0], 0, 1e-6);
    cr_assert_float_eq((double)dx[1][1], 0, 1e-6);
}

/* Not a bit changes where nothing has merged, and dropped tokens get none. */
TIER_TEST(gradient, of_a_group_of_one_is_passed_on)
{
    const uint32_t g[2][2] = {{0x7f812345, 0x80000000}, {1, 0xffc00001}};
    float x[3][2] = {{0}}, copy[2][2];
    uint32_t dx[3][2];
    int32_t map[] = {1, -1, 0}, origin[] = {2, 0};
    tomerge_plan plan = {3, 2, map, origin};
    tomerge_view to = {dx, 2, TOMERGE_F32};

    memcpy(copy, g, sizeof(g));
    for (int combine = 0; combine < COMBINATIONS; combine++) {
        size_t bytes;
        void *workspace;

        memset(dx, 0xff, sizeof(dx));
        cr_assert_eq(tomerge_merge_workspace(3, &bytes), 0);
        workspace = test_alloc(bytes);
        cr_assert_eq(tomerge_merge_backward(combine, &plan, 2,
                                            view_f32(x[0], 2), NULL,
                                            view_f32(copy[0], 2), NULL, to,
                                            NULL, workspace, bytes), 0);
        cr_assert_arr_eq(dx[0], g[1], sizeof(g[1]));
        cr_assert_arr_eq(dx[2], g[0], sizeof(g[0]));
        cr_assert(dx[1][0] == 0 && dx[1][1] == 0);
        free(workspace);
    }
}

/* ---- unmerging ----------------------------------------------------------- */

TIER_TEST(gradient, of_unmerging_is_the_sum)
{
    uint64_t state = 64;

    for (int round = 0; round < 54; round++) {
        size_t channels = 1 + random_bits(&state) % 40;
        size_t count = 1 + random_bits(&state) % TOKENS, bytes;
        ptrdiff_t stride = (ptrdiff_t)channels + round % 2;
        tomerge_plan plan = random_plan(TOKENS, count, &state);
        rows g = random_rows(dtypes[round % 3], TOKENS, channels, stride,
                             &state);
        rows dy = new_rows(dtypes[round / 3 % 3], count, channels, -stride);
        void *workspace;

        /* A row may have lost all of its tokens. */
        for (size_t i = 0; i < TOKENS && round % 4 == 0; i++)
            plan.map[i] = plan.map[i] == 0 ? -1 : plan.map[i];
        cr_assert_eq(tomerge_merge_workspace(TOKENS, &bytes), 0);
        workspace = test_alloc(bytes);
        cr_assert_eq(tomerge_unmerge_backward(&plan, channels, in(&g), out(&dy),
                                              workspace, bytes), 0);
        for (size_t j = 0; j < count; j++) {
            for (size_t c = 0; c < channels; c++) {
                float sum = 0;

                for (size_t i = 0; i < TOKENS; i++)
                    if (plan.map[i] == (int32_t)j)
                        sum += get(&g, i, c);
                cr_assert_eq(stored(dy.dtype, get(&dy, j, c)),
                             stored(dy.dtype, sum));
            }
        }
        expect_gaps(&dy);
        guarded_free(&g.memory);
        guarded_free(&dy.memory);
        free_plan(&plan);
        free(workspace);
    }
}

/* ---- batches ------------------------------------------------------------- */

enum { SEQUENCES = 4, FROM = 3, FROM_OUT = 2, MOST = 40, WIDTH = 7 };

/* Sequences of several lengths, one of them empty, that begin somewhere in
 * their buffers. */
typedef struct batch {
    size_t offsets[SEQUENCES + 1], offsets_out[SEQUENCES + 1];
    int32_t map[MOST], origin[MOST];
    float x[MOST * WIDTH], g[MOST * WIDTH], size[MOST], h[MOST];
} batch;

/* What both ways write, into as much memory. */
typedef struct gradients {
    float x[MOST * WIDTH], size[MOST], y[MOST * WIDTH];
} gradients;

static tomerge_const_view of(const float *data, size_t first)
{
    return (tomerge_const_view){data + first * WIDTH, WIDTH, TOMERGE_F32};
}

static tomerge_view to(float *data, size_t first)
{
    return (tomerge_view){data + first * WIDTH, WIDTH, TOMERGE_F32};
}

static batch new_batch(uint64_t *state)
{
    const size_t lengths[SEQUENCES] = {5, 0, TOKENS, 9};
    batch b = {.offsets = {FROM}, .offsets_out = {FROM_OUT}};

    for (size_t s = 0; s < SEQUENCES; s++) {
        size_t n = lengths[s];
        size_t count = n ? 1 + random_bits(state) % n : 0;

        b.offsets[s + 1] = b.offsets[s] + n;
        b.offsets_out[s + 1] = b.offsets_out[s] + count;
        if (n) {
            tomerge_plan plan = random_plan(n, count, state);

            memcpy(b.map + b.offsets[s], plan.map, n * sizeof(int32_t));
            memcpy(b.origin + b.offsets[s], plan.origin,
                   count * sizeof(int32_t));
            free_plan(&plan);
        }
    }
    for (size_t i = 0; i < MOST * WIDTH; i++) {
        b.x[i] = random_float(state);
        b.g[i] = random_float(state);
    }
    for (size_t i = 0; i < MOST; i++) {
        b.size[i] = (float)(1 + random_bits(state) % 4);
        b.h[i] = random_float(state);
    }
    return b;
}

static void one_by_one(const batch *b, int combine, const float *size,
                       gradients *d)
{
    char workspace[4096];

    for (size_t s = 0; s < SEQUENCES; s++) {
        size_t i = b->offsets[s], j = b->offsets_out[s];
        batch copy = *b;
        tomerge_plan plan = {b->offsets[s + 1] - i, b->offsets_out[s + 1] - j,
                             copy.map + i, copy.origin + i};

        cr_assert_eq(tomerge_merge_backward(
            combine, &plan, WIDTH, of(b->x, i), size ? size + i : NULL,
            of(b->g, j), b->h + j, to(d->x, i), d->size + i, workspace,
            sizeof(workspace)), 0);
        cr_assert_eq(tomerge_unmerge_backward(&plan, WIDTH, of(b->x, i),
                                              to(d->y, j), workspace,
                                              sizeof(workspace)), 0);
    }
}

static void all_at_once(const batch *b, int combine, const float *size,
                        int threads, gradients *d)
{
    size_t bytes;
    void *workspace;

    cr_assert_eq(tomerge_merge_batch_workspace(SEQUENCES, b->offsets, threads,
                                               &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_merge_backward_batch(
        combine, SEQUENCES, b->offsets, b->offsets_out, b->map, b->origin,
        WIDTH, of(b->x, 0), size, of(b->g, 0), b->h, to(d->x, 0), d->size,
        threads, workspace, bytes), 0);
    cr_assert_eq(tomerge_unmerge_backward_batch(
        SEQUENCES, b->offsets, b->offsets_out, b->map, WIDTH, of(b->x, 0),
        to(d->y, 0), threads, workspace, bytes), 0);
    free(workspace);
}

TIER_TEST(gradient, of_batches_are_those_of_their_sequences)
{
    uint64_t state = 65;

    for (int round = 0; round < 60; round++) {
        int combine = round % COMBINATIONS, threads = 1 + round % 3;
        batch b = new_batch(&state);
        const float *size = round % 4 ? b.size : NULL;
        gradients want, got;

        memset(&want, 0x5a, sizeof(want));
        memset(&got, 0x5a, sizeof(got));
        one_by_one(&b, combine, size, &want);
        all_at_once(&b, combine, size, threads, &got);
        cr_assert_arr_eq(got.x, want.x, sizeof(want.x), "round %d", round);
        cr_assert_arr_eq(got.size, want.size, sizeof(want.size));
        cr_assert_arr_eq(got.y, want.y, sizeof(want.y));
    }
}

/* Of what is not wanted, nothing is written; of what is not given, nothing
 * read. */
Test(gradient, of_batches_may_leave_sizes_out)
{
    uint64_t state = 66;
    batch b = new_batch(&state);
    char workspace[8192];
    gradients want, got;

    memset(b.h, 0, sizeof(b.h));
    memset(&want, 0x5a, sizeof(want));
    one_by_one(&b, TOMERGE_WEIGHTED, b.size, &want);
    memset(&got, 0x5a, sizeof(got));
    cr_assert_eq(tomerge_merge_backward_batch(
        TOMERGE_WEIGHTED, SEQUENCES, b.offsets, b.offsets_out, b.map, NULL,
        WIDTH, of(b.x, 0), b.size, of(b.g, 0), NULL, to(got.x, 0), NULL, 2,
        workspace, sizeof(workspace)), 0);
    cr_assert_arr_eq(got.x, want.x, sizeof(want.x));
}
