/* SPDX-License-Identifier: MIT */
/*
 * Workspaces under AddressSanitizer: a piece ends where it says, and a call
 * leaves nothing poisoned behind, whether it succeeds or not.
 */
#include "../tomerge/check.h"
#include "planning.h"

#ifdef TM_ASAN

Test(workspace, the_byte_behind_every_piece_is_poisoned)
{
    static const size_t lengths[] = {0, 1, 3, 16, 63, 64, 65, 128};
    enum { PIECES = sizeof(lengths) / sizeof(lengths[0]) };
    size_t bytes;
    tomerge_arena arena = tomerge_arena_at(NULL);
    char *memory;

    for (int i = 0; i < PIECES; i++)
        tomerge_take(&arena, lengths[i], 1);
    cr_assert_eq(tomerge_arena_bytes(&arena, &bytes), 0);
    memory = test_alloc(bytes);
    arena = tomerge_arena_at(memory);
    for (int i = 0; i < PIECES; i++) {
        char *piece = tomerge_take(&arena, lengths[i], 1);

        cr_assert_null(__asan_region_is_poisoned(piece, lengths[i]));
        cr_assert(__asan_address_is_poisoned(piece + lengths[i]),
                  "a piece of %zu bytes", lengths[i]);
    }
    tomerge_unpoison(memory, bytes);
    free(memory);
}

/* Calls one function with some of its arguments broken, or none. */
typedef struct call {
    tomerge_options options;
    tomerge_plan plan;
    float x[9 * 4], y[9 * 4], size[9], size_out[9], table[81], table_out[81];
    float grad_y[9 * 4], grad_x[9 * 4];
    size_t offsets[2], offsets_out[2], r[1];
    char *workspace;
    size_t bytes;
} call;

enum { T = 9, C = 4 };

static tomerge_const_view in(const float *data)
{
    return view_f32(data, C);
}

static tomerge_view out(float *data)
{
    return view_f32_out(data, C);
}

static int match(call *c)
{
    return tomerge_match(&c->options, C, in(c->x), 3, &c->plan, c->workspace,
                         c->bytes);
}

static int match_rounds(call *c)
{
    return tomerge_match_rounds(&c->options, C, in(c->x), NULL, 6, &c->plan,
                                c->workspace, c->bytes);
}

static int match_batch(call *c)
{
    return tomerge_match_batch(&c->options, 1, c->offsets, C, in(c->x), c->r,
                               c->plan.map, c->plan.origin, c->offsets_out, 2,
                               c->workspace, c->bytes);
}

static int merge(call *c)
{
    return tomerge_merge(TOMERGE_WEIGHTED, &c->plan, C, in(c->x), NULL,
                         out(c->y), NULL, c->workspace, c->bytes);
}

static int merge_tensors(call *c)
{
    tomerge_tensor tensor = {TOMERGE_MEAN, C, 1, in(c->x), 0, out(c->y), 0};

    return tomerge_merge_tensors(&c->plan, 1, &tensor, NULL, NULL,
                                 c->workspace, c->bytes);
}

static int merge_table(call *c)
{
    return tomerge_merge_table(TOMERGE_MEAN, &c->plan, 1,
                               view_f32(c->table, T), 0, NULL,
                               view_f32_out(c->table_out, T), 0, c->workspace,
                               c->bytes);
}

static int merge_backward(call *c)
{
    return tomerge_merge_backward(TOMERGE_MLERP, &c->plan, C, in(c->x), NULL,
                                  in(c->grad_y), NULL, out(c->grad_x), NULL,
                                  c->workspace, c->bytes);
}

static int unmerge_backward(call *c)
{
    return tomerge_unmerge_backward(&c->plan, C, in(c->grad_x),
                                    out(c->grad_y), c->workspace, c->bytes);
}

static int merge_batch(call *c)
{
    return tomerge_merge_batch(TOMERGE_SUM, 1, c->offsets, c->offsets_out,
                               c->plan.map, c->plan.origin, C, in(c->x), NULL,
                               out(c->y), NULL, 2, c->workspace, c->bytes);
}

static int merge_backward_batch(call *c)
{
    return tomerge_merge_backward_batch(
        TOMERGE_SUM, 1, c->offsets, c->offsets_out, c->plan.map,
        c->plan.origin, C, in(c->x), NULL, in(c->grad_y), NULL,
        out(c->grad_x), NULL, 2, c->workspace, c->bytes);
}

/* Its last view is refused after the groups have been checked. */
static int merge_backward_batch_refused(call *c)
{
    tomerge_view none = {NULL, C, TOMERGE_F32};

    return !tomerge_merge_backward_batch(
        TOMERGE_SUM, 1, c->offsets, c->offsets_out, c->plan.map,
        c->plan.origin, C, in(c->x), NULL, in(c->grad_y), NULL, none, NULL, 2,
        c->workspace, c->bytes);
}

static int unmerge_backward_batch(call *c)
{
    return tomerge_unmerge_backward_batch(
        1, c->offsets, c->offsets_out, c->plan.map, C, in(c->grad_x),
        out(c->grad_y), 2, c->workspace, c->bytes);
}

/* A row without a token is found while the groups are being made. */
static int merge_refused(call *c)
{
    tomerge_plan broken = c->plan;

    broken.origin = NULL;
    broken.rows++;
    return !tomerge_merge(TOMERGE_SUM, &broken, C, in(c->x), NULL, out(c->y),
                          NULL, c->workspace, c->bytes);
}

Test(workspace, no_call_leaves_anything_poisoned)
{
    static int (*const calls[])(call *) = {
        match, match_rounds, match_batch, match, merge, merge_refused,
        merge_tensors, merge_table, merge_backward, unmerge_backward,
        merge_batch, merge_backward_batch, merge_backward_batch_refused,
        unmerge_backward_batch,
    };
    call c = {.bytes = 1 << 20, .r = {3}, .offsets = {0, T}};
    uint64_t state = 1;

    tomerge_options_init(&c.options);
    c.plan = new_plan(T);
    c.workspace = test_alloc(c.bytes);
    for (int i = 0; i < T * C; i++)
        c.x[i] = random_float(&state);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        cr_assert_eq(calls[i](&c), 0, "call %zu", i);
        cr_expect_null(__asan_region_is_poisoned(c.workspace, c.bytes),
                       "call %zu", i);
        c.offsets_out[1] = c.plan.rows;
    }
    free(c.workspace);
    free_plan(&c.plan);
}

#else

Test(workspace, pieces_are_poisoned_under_a_sanitizer)
{
    cr_skip_test("this build has no AddressSanitizer");
}

#endif
