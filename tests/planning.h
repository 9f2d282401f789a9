/* SPDX-License-Identifier: MIT */
/* Short ways to the library's calls for tests: they allocate what is needed
 * and fail the test where a call fails. */
#ifndef TOMERGE_TESTS_PLANNING_H
#define TOMERGE_TESTS_PLANNING_H

#include "draws.h"
#include "tomerge.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static inline void *test_alloc(size_t bytes)
{
    void *memory = calloc(bytes ? bytes : 1, 1);

    cr_assert_not_null(memory);
    return memory;
}

static inline tomerge_const_view view_f32(const float *data, size_t stride)
{
    tomerge_const_view view = {data, (ptrdiff_t)stride, TOMERGE_F32};

    return view;
}

static inline tomerge_view view_f32_out(float *data, size_t stride)
{
    tomerge_view view = {data, (ptrdiff_t)stride, TOMERGE_F32};

    return view;
}

static inline tomerge_plan new_plan(size_t tokens)
{
    tomerge_plan plan = {tokens, 0, test_alloc(tokens * sizeof(int32_t)),
                         test_alloc(tokens * sizeof(int32_t))};

    return plan;
}

static inline void free_plan(tomerge_plan *plan)
{
    free(plan->map);
    free(plan->origin);
}

static inline tomerge_plan match_view(const tomerge_options *options,
                                      size_t tokens, size_t channels,
                                      tomerge_const_view metric, size_t r)
{
    tomerge_plan plan = new_plan(tokens);
    void *workspace;
    size_t bytes;

    cr_assert_eq(tomerge_match_workspace(options, tokens, channels, &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_match(options, channels, metric, r, &plan, workspace,
                               bytes), 0);
    free(workspace);
    return plan;
}

static inline tomerge_plan match_f32(const tomerge_options *options,
                                     size_t tokens, size_t channels,
                                     const float *metric, size_t r)
{
    return match_view(options, tokens, channels, view_f32(metric, channels), r);
}

static inline void merge_view(int combine, const tomerge_plan *plan,
                              size_t channels, tomerge_const_view x,
                              const float *size, tomerge_view y,
                              float *size_out)
{
    void *workspace;
    size_t bytes;

    cr_assert_eq(tomerge_merge_workspace(plan->tokens, &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_merge(combine, plan, channels, x, size, y, size_out,
                               workspace, bytes), 0);
    free(workspace);
}

static inline void merge_f32(int combine, const tomerge_plan *plan,
                             size_t channels, const float *x,
                             const float *size, float *y, float *size_out)
{
    merge_view(combine, plan, channels, view_f32(x, channels), size,
               view_f32_out(y, channels), size_out);
}

/* A generator of test inputs. */
static inline uint32_t random_bits(uint64_t *state)
{
    return (uint32_t)(draw_64(state) >> 32);
}

/* In [-1, 1). */
static inline float random_float(uint64_t *state)
{
    return (float)(int32_t)random_bits(state) * 0x1p-31f;
}

/* A whole number in [-limit, limit]. */
static inline float random_whole(uint64_t *state, int limit)
{
    return (float)((int)(random_bits(state) % (2u * (unsigned)limit + 1)) -
                   limit);
}

#endif
