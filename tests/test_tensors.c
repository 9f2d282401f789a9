/* SPDX-License-Identifier: MIT */
/*
 * One plan for several tensors and for tables: the same bits as one merge for
 * each part, and as one merge of the rows and one of the columns.
 */
#include "config.h"

#include "planning.h"
#include "rows.h"
#include "tiers.h"

#include <math.h>
#include <string.h>

enum { TOKENS = 23, HEADS = 3, COMBINATIONS = 6 };

static void *merge_space(size_t *bytes)
{
    cr_assert_eq(tomerge_merge_workspace(TOKENS, bytes), 0);
    return test_alloc(*bytes);
}

/* A tensor of heads in either layout: of `count` rows, in guarded memory. */
static rows new_heads(int dtype, size_t count, size_t channels, int by_head,
                      uint64_t *state)
{
    size_t outer = by_head ? HEADS : count, inner = by_head ? count : HEADS;

    return random_rows(dtype, outer, inner * channels,
                       (ptrdiff_t)(inner * channels + 3), state);
}

static void *head_at(const rows *r, int by_head, size_t channels, size_t head)
{
    return by_head ? at(r, head, 0) : at(r, 0, head * channels);
}

static ptrdiff_t head_stride(const rows *r, int by_head, size_t channels)
{
    return by_head ? r->stride : (ptrdiff_t)channels;
}

static ptrdiff_t token_stride(const rows *r, int by_head, size_t channels)
{
    return by_head ? (ptrdiff_t)channels : r->stride;
}

typedef struct tensor_case {
    rows x, y;
    int by_head;
    tomerge_tensor tensor;
} tensor_case;

static tensor_case new_tensor(int round, int which, size_t count,
                              uint64_t *state)
{
    size_t channels = 1 + random_bits(state) % 40;
    int by_head = which % 2;
    tensor_case t = {.by_head = by_head};
    tomerge_tensor *p = &t.tensor;

    t.x = new_heads(dtypes[round % 3], TOKENS, channels, by_head, state);
    t.y = new_heads(dtypes[round / 3 % 3], count, channels, by_head, state);
    p->combine = (round + which) % COMBINATIONS;
    p->channels = channels;
    p->parts = HEADS;
    p->x = (tomerge_const_view){t.x.first,
                                token_stride(&t.x, by_head, channels),
                                t.x.dtype};
    p->x_part = head_stride(&t.x, by_head, channels);
    p->y = (tomerge_view){t.y.first, token_stride(&t.y, by_head, channels),
                          t.y.dtype};
    p->y_part = head_stride(&t.y, by_head, channels);
    return t;
}

static void check_tensor(const tensor_case *t, const tomerge_plan *plan,
                         const float *size)
{
    size_t channels = t->tensor.channels,
           width = channels * element(t->y.dtype);

    for (size_t h = 0; h < HEADS; h++) {
        rows y = new_rows(t->y.dtype, plan->rows, channels,
                          (ptrdiff_t)channels);
        tomerge_const_view x = t->tensor.x;

        x.data = head_at(&t->x, t->by_head, channels, h);
        merge_view(t->tensor.combine, plan, channels, x, size, out(&y), NULL);
        for (size_t j = 0; j < plan->rows; j++) {
            const void *found = t->by_head ? at(&t->y, h, j * channels)
                                           : at(&t->y, j, h * channels);

            cr_assert_arr_eq(found, at(&y, j, 0), width);
        }
        guarded_free(&y.memory);
    }
    expect_gaps(&t->y);
}

TIER_TEST(tensors, merge_as_one_by_one)
{
    enum { COUNT = 4 };
    uint64_t state = 51;

    for (int round = 0; round < 36; round++) {
        size_t rows_out = 1 + random_bits(&state) % TOKENS, bytes;
        tomerge_plan plan = random_plan(TOKENS, rows_out, &state);
        tensor_case cases[COUNT];
        tomerge_tensor tensors[COUNT];
        float size[TOKENS], sums[TOKENS], expected[TOKENS], dummy[2 * TOKENS];
        void *workspace = merge_space(&bytes);

        for (size_t i = 0; i < TOKENS; i++)
            size[i] = (float)(1 + random_bits(&state) % 5);
        for (int i = 0; i < COUNT; i++) {
            cases[i] = new_tensor(round, i, rows_out, &state);
            tensors[i] = cases[i].tensor;
        }
        cr_assert_eq(tomerge_merge_tensors(&plan, COUNT, tensors, size, sums,
                                           workspace, bytes), 0);
        for (int i = 0; i < COUNT; i++)
            check_tensor(&cases[i], &plan, size);
        memset(dummy, 0, sizeof(dummy));
        merge_f32(TOMERGE_SUM, &plan, 1, dummy, size, dummy + TOKENS,
                  expected);
        cr_assert_arr_eq(sums, expected, rows_out * sizeof(*sums));
        for (int i = 0; i < COUNT; i++) {
            guarded_free(&cases[i].x.memory);
            guarded_free(&cases[i].y.memory);
        }
        free(workspace);
        free_plan(&plan);
    }
}

/* ---- tables -------------------------------------------------------------- */

enum { TABLES = 2 };

/* Rows, then columns, with what there is for rows: in f32 throughout. */
static void merge_twice(int combine, const tomerge_plan *plan, const rows *x,
                        const float *size, float *y)
{
    float between[TOKENS * TOKENS];
    size_t bytes;
    void *workspace = merge_space(&bytes);
    tomerge_tensor columns = {
        .combine = combine, .channels = 1, .parts = plan->rows,
        .x = {between, 1, TOMERGE_F32}, .x_part = TOKENS,
        .y = {y, 1, TOMERGE_F32}, .y_part = (ptrdiff_t)plan->rows,
    };

    merge_view(combine, plan, TOKENS, in(x), size,
               view_f32_out(between, TOKENS), NULL);
    cr_assert_eq(tomerge_merge_tensors(plan, 1, &columns, size, NULL,
                                       workspace, bytes), 0);
    free(workspace);
}

static void check_tables(int combine, int round, uint64_t *state)
{
    size_t count = 1 + random_bits(state) % TOKENS, bytes;
    tomerge_plan plan = random_plan(TOKENS, count, state);
    ptrdiff_t stride = TOKENS + 2, y_stride = (ptrdiff_t)count + round % 2;
    rows x = random_rows(dtypes[round % 3], TABLES * TOKENS, TOKENS, stride,
                         state);
    rows y = new_rows(dtypes[round / 3 % 3], TABLES * count, count, y_stride);
    float size[TOKENS];
    void *workspace;

    for (size_t i = 0; i < TOKENS; i++)
        size[i] = (float)(1 + random_bits(state) % 5);
    cr_assert_eq(tomerge_merge_table_workspace(TOKENS, &bytes), 0);
    workspace = test_alloc(bytes);
    cr_assert_eq(tomerge_merge_table(combine, &plan, TABLES, in(&x),
                                     TOKENS * stride, size, out(&y),
                                     (ptrdiff_t)count * y_stride, workspace,
                                     bytes), 0);
    for (size_t t = 0; t < TABLES; t++) {
        float expected[TOKENS * TOKENS];
        rows one = x;

        one.first = at(&x, t * TOKENS, 0);
        merge_twice(combine, &plan, &one, size, expected);
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < count; b++)
                cr_assert_eq(stored(y.dtype, get(&y, t * count + a, b)),
                             stored(y.dtype, expected[a * count + b]),
                             "%s, table %zu, %zu, %zu",
                             tomerge_combine_name(combine), t, a, b);
    }
    expect_gaps(&y);
    guarded_free(&x.memory);
    guarded_free(&y.memory);
    free(workspace);
    free_plan(&plan);
}

TIER_TEST(tensors, tables_merge_rows_and_columns)
{
    uint64_t state = 52;

    for (int combine = TOMERGE_WEIGHTED; combine <= TOMERGE_KEEP; combine++)
        for (int round = 0; round < 18; round++)
            check_tables(combine, round, &state);
}

/* What a table means: every pair of tokens counts once, sizes by product. */
Test(tensors, tables_sum_over_pairs)
{
    uint64_t state = 53;
    tomerge_plan plan = random_plan(TOKENS, 7, &state);
    float x[TOKENS * TOKENS], y[7 * 7], sum[7 * 7] = {0};
    size_t bytes;
    void *workspace;

    cr_assert_eq(tomerge_merge_table_workspace(TOKENS, &bytes), 0);
    workspace = test_alloc(bytes);
    for (size_t i = 0; i < TOKENS * TOKENS; i++)
        x[i] = random_whole(&state, 9);
    for (size_t i = 0; i < TOKENS; i++)
        for (size_t k = 0; k < TOKENS; k++)
            if (plan.map[i] >= 0 && plan.map[k] >= 0)
                sum[plan.map[i] * 7 + plan.map[k]] += x[i * TOKENS + k];
    cr_assert_eq(tomerge_merge_table(TOMERGE_SUM, &plan, 1,
                                     view_f32(x, TOKENS), 0, NULL,
                                     view_f32_out(y, 7), 0, workspace, bytes),
                 0);
    cr_assert_arr_eq(y, sum, sizeof(y));
    free(workspace);
    free_plan(&plan);
}
