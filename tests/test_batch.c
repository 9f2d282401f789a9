/* SPDX-License-Identifier: MIT */
/*
 * Packed batches are the single calls, for any number of threads, and calls
 * from many threads at once do not see each other.
 */
#include "planning.h"
#include "tiers.h"

#include <pthread.h>
#include <string.h>

enum { SEQUENCES = 9, CHANNELS = 24, FIRST = 3 };

/* Packed from row FIRST on; two sequences are empty. */
static const size_t lengths[SEQUENCES] = {17, 0, 1, 64, 33, 2, 197, 0, 5};

typedef struct batch {
    size_t offsets[SEQUENCES + 1], r[SEQUENCES], rows;
    float *x, *size;
} batch;

static batch new_batch(void)
{
    batch b = {.offsets = {FIRST}};
    uint64_t state = 31;

    for (size_t s = 0; s < SEQUENCES; s++) {
        b.offsets[s + 1] = b.offsets[s] + lengths[s];
        b.r[s] = lengths[s] / 3 + s % 2;
    }
    b.rows = b.offsets[SEQUENCES];
    b.x = test_alloc(b.rows * CHANNELS * sizeof(*b.x));
    b.size = test_alloc(b.rows * sizeof(*b.size));
    for (size_t i = 0; i < b.rows * CHANNELS; i++)
        b.x[i] = random_float(&state);
    for (size_t i = 0; i < b.rows; i++)
        b.size[i] = (float)(1 + random_bits(&state) % 4);
    return b;
}

static void free_batch(batch *b)
{
    free(b->x);
    free(b->size);
}

typedef struct results {
    int32_t *map, *origin;
    size_t offsets[SEQUENCES + 1];
    float *y, *sums, *back;
} results;

static results new_results(const batch *b)
{
    results r = {.map = test_alloc(b->rows * sizeof(int32_t)),
                 .origin = test_alloc(b->rows * sizeof(int32_t)),
                 .y = test_alloc(b->rows * CHANNELS * sizeof(float)),
                 .sums = test_alloc(b->rows * sizeof(float)),
                 .back = test_alloc(b->rows * CHANNELS * sizeof(float))};

    return r;
}

static void free_results(results *r)
{
    free(r->map);
    free(r->origin);
    free(r->y);
    free(r->sums);
    free(r->back);
}

static void run_batch(const tomerge_options *o, const batch *b, int threads,
                      results *r)
{
    size_t match_bytes, merge_bytes;
    void *workspace;

    cr_assert_eq(tomerge_match_batch_workspace(o, SEQUENCES, b->offsets,
                                               CHANNELS, threads,
                                               &match_bytes), 0);
    cr_assert_eq(tomerge_merge_batch_workspace(SEQUENCES, b->offsets, threads,
                                               &merge_bytes), 0);
    workspace = test_alloc(match_bytes + merge_bytes);
    cr_assert_eq(tomerge_match_batch(o, SEQUENCES, b->offsets, CHANNELS,
                                     view_f32(b->x, CHANNELS), b->r, r->map,
                                     r->origin, r->offsets, threads, workspace,
                                     match_bytes), 0);
    cr_assert_eq(tomerge_merge_batch(TOMERGE_WEIGHTED, SEQUENCES, b->offsets,
                                     r->offsets, r->map, r->origin, CHANNELS,
                                     view_f32(b->x, CHANNELS), b->size,
                                     view_f32_out(r->y, CHANNELS), r->sums,
                                     threads, workspace, merge_bytes), 0);
    cr_assert_eq(tomerge_unmerge_batch(SEQUENCES, b->offsets, r->offsets,
                                       r->map, CHANNELS,
                                       view_f32(r->y, CHANNELS),
                                       view_f32_out(r->back, CHANNELS),
                                       threads), 0);
    free(workspace);
}

static void expect_single(const tomerge_options *o, const batch *b,
                          const results *r, size_t s)
{
    size_t from = b->offsets[s], to = r->offsets[s], n = lengths[s];
    tomerge_plan plan = match_f32(o, n, CHANNELS, b->x + from * CHANNELS,
                                  b->r[s]);
    float *y = test_alloc(n * CHANNELS * sizeof(*y));
    float *sums = test_alloc(n * sizeof(*sums));

    cr_assert_eq(r->offsets[s + 1] - to, plan.rows);
    cr_assert_arr_eq(r->map + from, plan.map, n * sizeof(int32_t));
    cr_assert_arr_eq(r->origin + from, plan.origin,
                     plan.rows * sizeof(int32_t));
    merge_f32(TOMERGE_WEIGHTED, &plan, CHANNELS, b->x + from * CHANNELS,
              b->size + from, y, sums);
    cr_assert_arr_eq(r->y + to * CHANNELS, y,
                     plan.rows * CHANNELS * sizeof(*y));
    cr_assert_arr_eq(r->sums + to, sums, plan.rows * sizeof(*sums));
    for (size_t i = 0; i < n; i++)
        if (plan.map[i] >= 0)
            cr_assert_arr_eq(r->back + (from + i) * CHANNELS,
                             y + (size_t)plan.map[i] * CHANNELS,
                             CHANNELS * sizeof(*y));
    free(y);
    free(sums);
    free_plan(&plan);
}

TIER_TEST(batch, is_the_single_calls)
{
    static const int teams[] = {1, 2, 3, 20};
    batch b = new_batch();
    tomerge_options o;

    tomerge_options_init(&o);
    o.protect = 1;
    o.stride = 3;
    for (o.method = 0; o.method < 4; o.method++) {
        for (int t = 0; t < 4; t++) {
            results r = new_results(&b);

            run_batch(&o, &b, teams[t], &r);
            cr_assert_eq(r.offsets[0], 0);
            for (size_t s = 0; s < SEQUENCES; s++)
                expect_single(&o, &b, &r, s);
            free_results(&r);
        }
    }
    free_batch(&b);
}

Test(batch, workspace_is_a_part_for_each_thread)
{
    batch b = new_batch();
    tomerge_options o;
    size_t single, bytes;

    tomerge_options_init(&o);
    cr_assert_eq(tomerge_match_workspace(&o, 197, CHANNELS, &single), 0);
    for (int threads = 1; threads < 5; threads++) {
        cr_assert_eq(tomerge_match_batch_workspace(&o, SEQUENCES, b.offsets,
                                                   CHANNELS, threads, &bytes),
                     0);
        cr_assert_eq(bytes, (single + 63) / 64 * 64 * (size_t)threads);
    }
    free_batch(&b);
}

/* ---- callers' threads ---------------------------------------------------- */

enum { CALLERS = 4, ROUNDS = 40 };

typedef struct caller {
    const batch *b;
    const results *expected;
    int wrong;
} caller;

/* Criterion's assertions are for the test's own thread: wrong results are
 * counted here. */
static void *call(void *argument)
{
    caller *me = argument;
    size_t bytes, n = lengths[6], from = me->b->offsets[6];
    int32_t map[197];
    tomerge_plan plan = {n, 0, map, NULL};
    tomerge_options o;
    void *workspace;

    tomerge_options_init(&o);
    if (tomerge_match_workspace(&o, n, CHANNELS, &bytes)) {
        me->wrong = ROUNDS;
        return NULL;
    }
    workspace = malloc(bytes);
    for (int i = 0; i < ROUNDS; i++) {
        int error = tomerge_match(&o, CHANNELS,
                                  view_f32(me->b->x + from * CHANNELS,
                                           CHANNELS), me->b->r[6], &plan,
                                  workspace, bytes);

        if (error || memcmp(map, me->expected->map + from, sizeof(map)))
            me->wrong++;
    }
    free(workspace);
    return NULL;
}

/* Another thread changes the mask all the while: every tier has the same
 * bits, and a call keeps the tier it began with. */
Test(batch, many_threads_and_a_changing_mask)
{
    batch b = new_batch();
    results expected = new_results(&b);
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    tomerge_options o;

    tomerge_options_init(&o);
    run_batch(&o, &b, 1, &expected);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){&b, &expected, 0};
        cr_assert_eq(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < 2000; i++)
        tomerge_set_cpu_mask(i % 4);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(callers[i].wrong, 0);
    }
    free_results(&expected);
    free_batch(&b);
}
