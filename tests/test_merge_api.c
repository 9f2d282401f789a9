/* SPDX-License-Identifier: MIT */
/*
 * The edge of the library: every argument that is out of its range gives its
 * error and no output is touched, and no call allocates. The linker sends
 * allocations of the library's own objects through the counters below.
 */
#include "planning.h"
#include "tiers.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* ---- allocation ----------------------------------------------------------- */

static atomic_int allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    allocations++;
    return __real_realloc(memory, bytes);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    allocations++;
    return __real_posix_memalign(memory, alignment, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

/* ---- a set of valid arguments ------------------------------------------------ */

enum { T = 40, C = 12, S = 4, R = 7, SPACE = 1 << 16, UNTOUCHED = 0x5a };

typedef struct outputs {
    int32_t map[T], origin[T], trace[T];
    size_t rows, offsets[S + 1], bytes, schedule[12];
    float y[T * C], x[T * C], sums[T], bias[T], metric[T * C];
} outputs;

typedef struct arguments {
    float x[T * C], size[T];
    int32_t map[T], origin[T], trace[T];
    size_t offsets[S + 1], offsets_out[S + 1], r[S], rows;
    tomerge_options options;
    char workspace[SPACE];
    outputs out;
} arguments;

static arguments valid;

static void reset_outputs(void)
{
    memset(&valid.out, UNTOUCHED, sizeof(valid.out));
}

static int untouched(void)
{
    const unsigned char *p = (const unsigned char *)&valid.out;

    for (size_t i = 0; i < sizeof(valid.out); i++)
        if (p[i] != UNTOUCHED)
            return 0;
    return 1;
}

static void prepare(void)
{
    uint64_t state = 41;
    tomerge_plan plan;

    tomerge_options_init(&valid.options);
    for (size_t i = 0; i < T * C; i++)
        valid.x[i] = random_float(&state);
    for (size_t i = 0; i < T; i++) {
        valid.size[i] = 1;
        valid.trace[i] = (int32_t)i;
    }
    plan = match_f32(&valid.options, T, C, valid.x, R);
    valid.rows = plan.rows;
    memcpy(valid.map, plan.map, sizeof(valid.map));
    memcpy(valid.origin, plan.origin, sizeof(valid.origin));
    free_plan(&plan);
    for (size_t s = 0; s <= S; s++)
        valid.offsets[s] = s * T / S;
    reset_outputs();
}

static const tomerge_plan plan_in = {T, T - R, valid.map, valid.origin};

/* The error comes, and nothing is written. */
#define REFUSED(expected, call)                                              \
    do {                                                                     \
        cr_expect_eq((call), expected, "%s", #call);                         \
        cr_expect(untouched(), "%s: an output was touched", #call);          \
        reset_outputs();                                                     \
    } while (0)

static tomerge_const_view in_view(void)
{
    return view_f32(valid.x, C);
}

static tomerge_view out_view(void)
{
    return view_f32_out(valid.out.y, C);
}

/* Views that are wrong, with their errors: for inputs and outputs alike. */
static const struct {
    int no_data, skew, stride, dtype, error;
} bad_views[] = {
    {1, 0, C, TOMERGE_F32, TOMERGE_EINVAL},
    {0, 1, C, TOMERGE_F32, TOMERGE_EINVAL},
    {0, 0, C - 1, TOMERGE_F32, TOMERGE_EINVAL},
    {0, 0, 1 - C, TOMERGE_F32, TOMERGE_EINVAL},
    {0, 0, 0, TOMERGE_F32, TOMERGE_EINVAL},
    {0, 0, C, 3, TOMERGE_EOPTION},
    {0, 0, C, -1, TOMERGE_EOPTION},
};
enum { BAD_VIEWS = sizeof(bad_views) / sizeof(bad_views[0]) };

static tomerge_view bad_out(int i, void *data)
{
    tomerge_view view = {bad_views[i].no_data
                             ? NULL : (char *)data + bad_views[i].skew,
                         bad_views[i].stride, bad_views[i].dtype};

    return view;
}

static tomerge_const_view bad_in(int i)
{
    tomerge_view view = bad_out(i, valid.x);
    tomerge_const_view out = {view.data, view.stride, view.dtype};

    return out;
}

/* ---- matching ------------------------------------------------------------------- */

static int match_with(const tomerge_options *options, size_t tokens,
                      size_t channels, tomerge_const_view metric,
                      void *workspace, size_t bytes)
{
    tomerge_plan plan = {tokens, 0, valid.out.map, valid.out.origin};
    int error = tomerge_match(options, channels, metric, R, &plan, workspace,
                              bytes);

    if (error == 0)
        valid.out.rows = plan.rows;
    return error;
}

Test(api, match_refuses, .init = prepare)
{
    const size_t space = SPACE;
    tomerge_plan no_map = {T, 0, NULL, NULL};
    tomerge_options o = valid.options;
    size_t bytes;

    REFUSED(TOMERGE_EINVAL, match_with(NULL, T, C, in_view(), valid.workspace,
                                       space));
    REFUSED(TOMERGE_EINVAL, match_with(&o, T, 0, in_view(), valid.workspace,
                                       space));
    REFUSED(TOMERGE_EINVAL, tomerge_match(&o, C, in_view(), R, NULL,
                                          valid.workspace, space));
    REFUSED(TOMERGE_EINVAL, tomerge_match(&o, C, in_view(), R, &no_map,
                                          valid.workspace, space));
    REFUSED(TOMERGE_ESPACE, match_with(&o, T, C, in_view(), NULL, space));
    cr_assert_eq(tomerge_match_workspace(&o, T, C, &bytes), 0);
    REFUSED(TOMERGE_ESPACE, match_with(&o, T, C, in_view(), valid.workspace,
                                       bytes - 1));
    REFUSED(TOMERGE_ERANGE, match_with(&o, (size_t)INT32_MAX + 1, C, in_view(),
                                       valid.workspace, space));
    REFUSED(TOMERGE_ERANGE, match_with(&o, T, SIZE_MAX / 8, in_view(),
                                       valid.workspace, space));
    for (int i = 0; i < BAD_VIEWS; i++)
        REFUSED(bad_views[i].error, match_with(&o, T, C, bad_in(i),
                                               valid.workspace, space));
}

Test(api, options_are_checked, .init = prepare)
{
    static const struct {
        size_t size, stride;
        int method, similarity, error;
    } bad[] = {
        {sizeof(tomerge_options) - 1, 2, 0, 0, TOMERGE_EOPTION},
        {sizeof(tomerge_options) + 8, 2, 0, 0, TOMERGE_EOPTION},
        {sizeof(tomerge_options), 2, 4, 0, TOMERGE_EOPTION},
        {sizeof(tomerge_options), 2, -1, 0, TOMERGE_EOPTION},
        {sizeof(tomerge_options), 2, 0, 4, TOMERGE_EOPTION},
        {sizeof(tomerge_options), 2, 0, -1, TOMERGE_EOPTION},
        {sizeof(tomerge_options), 1, TOMERGE_STRIDED, 0, TOMERGE_EINVAL},
        {sizeof(tomerge_options), 0, TOMERGE_STRIDED, 0, TOMERGE_EINVAL},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tomerge_options o = valid.options;

        o.struct_size = bad[i].size;
        o.stride = bad[i].stride;
        o.method = bad[i].method;
        o.similarity = bad[i].similarity;
        REFUSED(bad[i].error, match_with(&o, T, C, in_view(), valid.workspace,
                                         SPACE));
        REFUSED(bad[i].error, tomerge_match_workspace(&o, T, C,
                                                      &valid.out.bytes));
        REFUSED(bad[i].error, tomerge_match_batch_workspace(
            &o, S, valid.offsets, C, 1, &valid.out.bytes));
    }
    REFUSED(TOMERGE_EINVAL, tomerge_match_workspace(&valid.options, T, C, NULL));
    REFUSED(TOMERGE_EINVAL, tomerge_match_workspace(&valid.options, T, 0,
                                                    &valid.out.bytes));
}

/* ---- merging -------------------------------------------------------------------- */

static int merge_with(int combine, const tomerge_plan *plan, size_t channels,
                      tomerge_const_view x, const float *size, tomerge_view y,
                      void *workspace, size_t bytes)
{
    return tomerge_merge(combine, plan, channels, x, size, y, valid.out.sums,
                         workspace, bytes);
}

Test(api, merge_refuses, .init = prepare)
{
    const tomerge_plan no_map = {T, T - R, NULL, NULL};
    const tomerge_plan no_origin = {T, T - R, valid.map, NULL};
    const tomerge_plan many_rows = {T, T + 1, valid.map, NULL};
    const tomerge_plan huge = {(size_t)INT32_MAX + 1, 1, valid.map, NULL};
    const float bad_sizes[] = {0, -1, NAN, INFINITY};
    size_t bytes, space = SPACE;
    char *w = valid.workspace;

    REFUSED(TOMERGE_EOPTION, merge_with(6, &plan_in, C, in_view(), NULL,
                                        out_view(), w, space));
    REFUSED(TOMERGE_EOPTION, merge_with(-1, &plan_in, C, in_view(), NULL,
                                        out_view(), w, space));
    REFUSED(TOMERGE_EINVAL, merge_with(0, NULL, C, in_view(), NULL, out_view(),
                                       w, space));
    REFUSED(TOMERGE_EINVAL, merge_with(0, &no_map, C, in_view(), NULL,
                                       out_view(), w, space));
    REFUSED(TOMERGE_EINVAL, merge_with(0, &plan_in, 0, in_view(), NULL,
                                       out_view(), w, space));
    REFUSED(TOMERGE_EINVAL, merge_with(TOMERGE_KEEP, &no_origin, C, in_view(),
                                       NULL, out_view(), w, space));
    REFUSED(TOMERGE_EINVAL, merge_with(0, &many_rows, C, in_view(), NULL,
                                       out_view(), w, space));
    REFUSED(TOMERGE_ERANGE, merge_with(0, &huge, C, in_view(), NULL, out_view(),
                                       w, space));
    REFUSED(TOMERGE_ESPACE, merge_with(0, &plan_in, C, in_view(), NULL,
                                       out_view(), NULL, space));
    cr_assert_eq(tomerge_merge_workspace(T, &bytes), 0);
    REFUSED(TOMERGE_ESPACE, merge_with(0, &plan_in, C, in_view(), NULL,
                                       out_view(), w, bytes - 1));
    for (int i = 0; i < 4; i++) {
        valid.size[T - 1] = bad_sizes[i];
        REFUSED(TOMERGE_EINVAL, merge_with(0, &plan_in, C, in_view(),
                                           valid.size, out_view(), w, space));
        REFUSED(TOMERGE_EINVAL, tomerge_size_bias(T, valid.size,
                                                  valid.out.bias));
    }
    for (int i = 0; i < BAD_VIEWS; i++) {
        REFUSED(bad_views[i].error, merge_with(0, &plan_in, C, bad_in(i), NULL,
                                               out_view(), w, space));
        REFUSED(bad_views[i].error, merge_with(0, &plan_in, C, in_view(), NULL,
                                               bad_out(i, valid.out.y), w,
                                               space));
    }
    REFUSED(TOMERGE_EINVAL, tomerge_merge_workspace(T, NULL));
    REFUSED(TOMERGE_ERANGE, tomerge_merge_workspace((size_t)INT32_MAX + 1,
                                                    &valid.out.bytes));
}

/* One entry wrong at a time, for every function that reads a map. */
static void expect_bad_map(int only_merge)
{
    REFUSED(TOMERGE_EMAP, merge_with(0, &plan_in, C, in_view(), NULL,
                                     out_view(), valid.workspace, SPACE));
    if (only_merge)
        return;
    REFUSED(TOMERGE_EMAP, tomerge_unmerge(&plan_in, C, in_view(), out_view()));
    memcpy(valid.out.trace, valid.trace, sizeof(valid.trace));
    cr_expect_eq(tomerge_compose(&plan_in, T, valid.out.trace), TOMERGE_EMAP);
    cr_expect_arr_eq(valid.out.trace, valid.trace, sizeof(valid.trace));
    reset_outputs();
}

Test(api, maps_are_checked, .init = prepare)
{
    const tomerge_plan no_origin = {T, T - R, valid.map, NULL};
    const int32_t bad[] = {-2, T - R, INT32_MAX, INT32_MIN};
    int32_t saved = valid.map[T - 1];

    for (int i = 0; i < 4; i++) {
        valid.map[T - 1] = bad[i];
        expect_bad_map(0);
    }
    valid.map[T - 1] = saved;
    saved = valid.origin[3];
    for (int i = 0; i < 4; i++) {
        valid.origin[3] = i ? bad[i] : valid.origin[2];
        expect_bad_map(1);
    }
    valid.origin[3] = saved;
    /* A row that no token goes to. */
    for (size_t i = 0; i < T; i++)
        valid.map[i] = valid.map[i] == 5 ? 4 : valid.map[i];
    expect_bad_map(1);
    REFUSED(TOMERGE_EMAP, merge_with(0, &no_origin, C, in_view(), NULL,
                                     out_view(), valid.workspace, SPACE));
}

Test(api, unmerge_and_compose_refuse, .init = prepare)
{
    const tomerge_plan no_map = {T, T - R, NULL, NULL};
    const tomerge_plan many_rows = {T, T + 1, valid.map, NULL};
    const int32_t bad[] = {-2, T};

    REFUSED(TOMERGE_EINVAL, tomerge_unmerge(NULL, C, in_view(), out_view()));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge(&no_map, C, in_view(), out_view()));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge(&many_rows, C, in_view(),
                                            out_view()));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge(&plan_in, 0, in_view(),
                                            out_view()));
    for (int i = 0; i < BAD_VIEWS; i++) {
        REFUSED(bad_views[i].error, tomerge_unmerge(&plan_in, C, bad_in(i),
                                                    out_view()));
        REFUSED(bad_views[i].error, tomerge_unmerge(
            &plan_in, C, in_view(), bad_out(i, valid.out.y)));
    }
    REFUSED(TOMERGE_EINVAL, tomerge_compose(NULL, T, valid.out.trace));
    REFUSED(TOMERGE_EINVAL, tomerge_compose(&no_map, T, valid.out.trace));
    REFUSED(TOMERGE_EINVAL, tomerge_compose(&plan_in, T, NULL));
    for (int i = 0; i < 2; i++) {
        int32_t trace[] = {0, 1, bad[i]};

        cr_expect_eq(tomerge_compose(&plan_in, 3, trace), TOMERGE_EMAP);
        cr_expect(trace[0] == 0 && trace[1] == 1 && trace[2] == bad[i]);
    }
}

Test(api, attention_refuses, .init = prepare)
{
    float *bias = valid.out.bias;
    tomerge_view to = {valid.out.metric, C / 3, TOMERGE_F32};

    REFUSED(TOMERGE_EINVAL, tomerge_size_bias(T, NULL, bias));
    REFUSED(TOMERGE_EINVAL, tomerge_size_bias(T, valid.size, NULL));
    REFUSED(TOMERGE_EINVAL, tomerge_mean_heads(T, 0, 4, in_view(), 4, to));
    REFUSED(TOMERGE_EINVAL, tomerge_mean_heads(T, 3, 0, in_view(), 4, to));
    REFUSED(TOMERGE_EINVAL, tomerge_mean_heads(T, 3, 4, in_view(), 3, to));
    REFUSED(TOMERGE_EINVAL, tomerge_mean_heads(T, 3, 4, in_view(), -3, to));
    REFUSED(TOMERGE_ERANGE, tomerge_mean_heads(T, 3, 4, in_view(),
                                               PTRDIFF_MAX / 2, to));
    REFUSED(TOMERGE_ERANGE, tomerge_mean_heads(T, SIZE_MAX, 4, in_view(), 4,
                                               to));
    for (int i = 0; i < BAD_VIEWS; i++) {
        REFUSED(bad_views[i].error, tomerge_mean_heads(T, 1, C, bad_in(i), C,
                                                       out_view()));
        REFUSED(bad_views[i].error, tomerge_mean_heads(
            T, 1, C, in_view(), C, bad_out(i, valid.out.metric)));
    }
}

/* ---- batches --------------------------------------------------------------------- */

static int match_batch_with(size_t sequences, const size_t *offsets,
                            const size_t *r, int threads, void *workspace,
                            size_t bytes)
{
    return tomerge_match_batch(&valid.options, sequences, offsets, C, in_view(),
                               r, valid.out.map, valid.out.origin,
                               valid.out.offsets, threads, workspace, bytes);
}

static int merge_batch_with(const size_t *offsets, const size_t *offsets_out,
                            const int32_t *map, int threads, void *workspace,
                            size_t bytes)
{
    return tomerge_merge_batch(0, S, offsets, offsets_out, map, NULL, C,
                               in_view(), NULL, out_view(), valid.out.sums,
                               threads, workspace, bytes);
}

Test(api, batches_refuse, .init = prepare)
{
    const size_t falling[S + 1] = {0, 10, 5, 20, 40};
    const size_t huge[S + 1] = {0, 10, 20, 30, (size_t)INT32_MAX + 100};
    size_t bytes, same[S + 1];
    char *w = valid.workspace;
    int32_t map[T];

    memcpy(same, valid.offsets, sizeof(same));
    for (int32_t i = 0; i < T; i++)
        map[i] = i % (T / S);
    REFUSED(TOMERGE_EINVAL, match_batch_with(0, same, valid.r, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, match_batch_with(S, NULL, valid.r, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, match_batch_with(S, same, NULL, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, match_batch_with(S, same, valid.r, 0, w, SPACE));
    REFUSED(TOMERGE_EINVAL, match_batch_with(S, falling, valid.r, 1, w, SPACE));
    REFUSED(TOMERGE_ERANGE, match_batch_with(S, huge, valid.r, 1, w, SPACE));
    REFUSED(TOMERGE_ESPACE, match_batch_with(S, same, valid.r, 1, NULL, SPACE));
    cr_assert_eq(tomerge_match_batch_workspace(&valid.options, S, same, C, 2,
                                               &bytes), 0);
    REFUSED(TOMERGE_ESPACE, match_batch_with(S, same, valid.r, 2, w,
                                             bytes - 1));

    REFUSED(TOMERGE_EINVAL, merge_batch_with(NULL, same, map, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, merge_batch_with(same, NULL, map, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, merge_batch_with(same, same, NULL, 1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, merge_batch_with(same, same, map, -1, w, SPACE));
    REFUSED(TOMERGE_EINVAL, merge_batch_with(same, falling, map, 1, w, SPACE));
    REFUSED(TOMERGE_ESPACE, merge_batch_with(same, same, map, 1, w, 1));
    map[T - 1] = T / S; /* only the last sequence is wrong */
    REFUSED(TOMERGE_EMAP, merge_batch_with(same, same, map, 1, w, SPACE));
    REFUSED(TOMERGE_EMAP, tomerge_unmerge_batch(S, same, same, map, C,
                                                in_view(), out_view(), 1));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge_batch(S, same, falling, map, C,
                                                  in_view(), out_view(), 1));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge_batch(S, same, same, map, C,
                                                  in_view(), out_view(), 0));
    same[1]++; /* more rows than tokens in the first sequence */
    REFUSED(TOMERGE_EINVAL, merge_batch_with(valid.offsets, same, map, 1, w,
                                             SPACE));
    REFUSED(TOMERGE_EINVAL, tomerge_unmerge_batch(S, valid.offsets, same, map,
                                                  C, in_view(), out_view(), 1));
}

/* ---- names ----------------------------------------------------------------------- */

Test(api, names_round_trip)
{
    int value;

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(tomerge_method_from_name(tomerge_method_name(i), &value),
                     0);
        cr_assert_eq(value, i);
        cr_assert_eq(tomerge_similarity_from_name(tomerge_similarity_name(i),
                                                  &value), 0);
        cr_assert_eq(value, i);
    }
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(tomerge_combine_from_name(tomerge_combine_name(i),
                                               &value), 0);
        cr_assert_eq(value, i);
    }
    value = 77;
    cr_assert_null(tomerge_method_name(4));
    cr_assert_null(tomerge_similarity_name(-1));
    cr_assert_null(tomerge_combine_name(6));
    cr_assert_eq(tomerge_method_from_name("even", &value), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_similarity_from_name(NULL, &value), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_combine_from_name("mean", NULL), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_combine_from_name("average", &value), TOMERGE_EINVAL);
    cr_assert_eq(value, 77);
}

Test(api, errors_have_texts)
{
    for (int e = 0; e >= TOMERGE_EMAP; e--) {
        cr_assert_not_null(tomerge_strerror(e));
        cr_assert_str_neq(tomerge_strerror(e), tomerge_strerror(-99));
        for (int other = 0; other > e; other--)
            cr_assert_str_neq(tomerge_strerror(e), tomerge_strerror(other));
    }
}

/* ---- no call allocates -------------------------------------------------------------- */

static int every_call(int dtype)
{
    tomerge_plan plan = {T, 0, valid.out.map, valid.out.origin};
    tomerge_const_view x = {valid.x, C, dtype};
    tomerge_view y = {valid.out.y, C, dtype}, back = {valid.out.x, C, dtype};
    char *w = valid.workspace;
    int error = 0;

    error |= tomerge_match(&valid.options, C, x, R, &plan, w, SPACE);
    for (int combine = 0; combine < 6; combine++)
        error |= tomerge_merge(combine, &plan, C, x, valid.size, y,
                               valid.out.sums, w, SPACE);
    error |= tomerge_unmerge(&plan, C, (tomerge_const_view){y.data, C, dtype},
                             back);
    memcpy(valid.out.trace, valid.trace, sizeof(valid.trace));
    error |= tomerge_compose(&plan, T, valid.out.trace);
    error |= tomerge_size_bias(plan.rows, valid.out.sums, valid.out.bias);
    error |= tomerge_mean_heads(T, 3, C / 3, x, C / 3, back);
    error |= tomerge_match_batch(&valid.options, S, valid.offsets, C, x,
                                 valid.r, valid.out.map, valid.out.origin,
                                 valid.out.offsets, 2, w, SPACE);
    error |= tomerge_merge_batch(0, S, valid.offsets, valid.out.offsets,
                                 valid.out.map, NULL, C, x, valid.size, y,
                                 valid.out.sums, 2, w, SPACE);
    error |= tomerge_unmerge_batch(S, valid.offsets, valid.out.offsets,
                                   valid.out.map, C,
                                   (tomerge_const_view){y.data, C, dtype},
                                   back, 2);
    error |= tomerge_schedule_ratio(12, 197, 1, 0.3, valid.out.schedule);
    return error;
}

TIER_TEST(api, no_call_allocates)
{
    void *volatile counted;
    int before;

    prepare();
    before = atomic_load(&allocations);
    counted = malloc(1); /* the counter counts */
    free(counted);
    cr_assert(atomic_load(&allocations) == before + 1);
    for (int method = 0; method < 4; method++) {
        for (int similarity = 0; similarity < 4; similarity++) {
            for (int dtype = 0; dtype < 3; dtype++) {
                valid.options.method = method;
                valid.options.similarity = similarity;
                before = atomic_load(&allocations);
                cr_assert_eq(every_call(dtype), 0);
                cr_assert(atomic_load(&allocations) == before);
            }
        }
    }
}
