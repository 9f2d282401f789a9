/* SPDX-License-Identifier: MIT */
/*
 * No call allocates, on any tier and with any option: the linker sends
 * allocations of the library's own objects through the counters below. Names
 * and error texts.
 */
#include "planning.h"
#include "tiers.h"

#include <stdatomic.h>
#include <string.h>

/* ---- allocation ---------------------------------------------------------- */

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

/* ---- arguments ----------------------------------------------------------- */

enum { T = 40, C = 12, S = 4, R = 7, SPACE = 1 << 16 };

typedef struct outputs {
    int32_t map[T], origin[T], trace[T];
    size_t rows, offsets[S + 1], bytes, schedule[12];
    float y[T * C], x[T * C], sums[T], bias[T], metric[T * C];
} outputs;

typedef struct arguments {
    float x[T * C], size[T];
    int32_t trace[T];
    size_t offsets[S + 1], r[S];
    tomerge_options options;
    char workspace[SPACE];
    outputs out;
} arguments;

static arguments valid;

static void prepare(void)
{
    uint64_t state = 41;

    tomerge_options_init(&valid.options);
    for (size_t i = 0; i < T * C; i++)
        valid.x[i] = random_float(&state);
    for (size_t i = 0; i < T; i++) {
        valid.size[i] = 1;
        valid.trace[i] = (int32_t)i;
    }
    for (size_t s = 0; s <= S; s++)
        valid.offsets[s] = s * T / S;
}

/* ---- names --------------------------------------------------------------- */

Test(api, names_round_trip)
{
    int value;

    for (int i = 0; i <= TOMERGE_MUTUAL; i++) {
        cr_assert_eq(tomerge_method_from_name(tomerge_method_name(i), &value),
                     0);
        cr_assert_eq(value, i);
    }
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(tomerge_similarity_from_name(tomerge_similarity_name(i),
                                                  &value), 0);
        cr_assert_eq(value, i);
    }
    for (int i = 0; i <= TOMERGE_MLERP_ORIGIN; i++) {
        cr_assert_eq(tomerge_combine_from_name(tomerge_combine_name(i),
                                               &value), 0);
        cr_assert_eq(value, i);
    }
    value = 77;
    cr_assert_null(tomerge_method_name(TOMERGE_MUTUAL + 1));
    cr_assert_null(tomerge_similarity_name(-1));
    cr_assert_null(tomerge_combine_name(TOMERGE_MLERP_ORIGIN + 1));
    cr_assert_eq(tomerge_method_from_name("even", &value), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_similarity_from_name(NULL, &value), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_combine_from_name("mean", NULL), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_combine_from_name("average", &value), TOMERGE_EINVAL);
    cr_assert_eq(value, 77);
}

Test(api, options_are_the_same_by_call_and_by_initialiser)
{
    tomerge_options called, initialised = TOMERGE_OPTIONS_INIT;

    memset(&called, 0, sizeof(called));
    tomerge_options_init(&called);
    cr_assert_eq(memcmp(&called, &initialised, sizeof(called)), 0);
}

Test(api, views_of_rows)
{
    for (int dtype = TOMERGE_F32; dtype <= TOMERGE_F16; dtype++) {
        size_t element = dtype == TOMERGE_F32 ? 4 : 2;
        char rows[64];
        tomerge_view view = tomerge_view_of(rows, 3, dtype);
        tomerge_const_view fixed = tomerge_const_view_of(rows, 3, dtype);

        cr_assert_eq(view.data, (void *)rows);
        cr_assert_eq(view.stride, 3);
        cr_assert_eq(view.dtype, dtype);
        cr_assert_eq(tomerge_view_const(view).data, fixed.data);
        cr_assert_eq(tomerge_view_const(view).stride, fixed.stride);
        cr_assert_eq(tomerge_view_const(view).dtype, fixed.dtype);
        cr_assert_eq((char *)tomerge_view_at(view, 2).data,
                     rows + 6 * element);
        view.stride = -3;
        view.data = rows + 6 * element;
        cr_assert_eq((char *)tomerge_view_at(view, 2).data, rows);
        cr_assert_eq((const char *)tomerge_const_view_at(fixed, 1).data,
                     rows + 3 * element);
    }
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

/* ---- layout -------------------------------------------------------------- */

/* What programs were compiled with stays as it is within version 1. (That is
 * how it is where pointers and size_t have 8 bytes.) */
Test(api, structs_keep_their_layout)
{
    if (sizeof(void *) != 8)
        cr_skip_test("pointers of %zu bytes", sizeof(void *));
    cr_assert_eq(sizeof(tomerge_view), 24);
    cr_assert_eq(sizeof(tomerge_const_view), 24);
    cr_assert_eq(offsetof(tomerge_view, dtype), 16);
    cr_assert_eq(sizeof(tomerge_plan), 32);
    cr_assert_eq(offsetof(tomerge_plan, origin), 24);
    cr_assert_eq(sizeof(tomerge_tensor), 88);
    cr_assert_eq(offsetof(tomerge_tensor, y_part), 80);
    cr_assert_eq(sizeof(tomerge_options), 128);
    cr_assert_eq(offsetof(tomerge_options, role), 40);
    cr_assert_eq(offsetof(tomerge_options, importance), 56);
    cr_assert_eq(offsetof(tomerge_options, size), 96);
}

/* ---- no call allocates --------------------------------------------------- */

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
    error |= tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 0.3,
                                    valid.out.schedule);
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
