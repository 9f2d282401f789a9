/* SPDX-License-Identifier: MIT */
/*
 * Matching, merging and the way back with options, shapes, types and numbers
 * taken from the input: what is accepted must be a valid plan, the same on
 * every tier, with sizes that add up. Views, maps and origins that are taken
 * from the input raw must be refused or harmless.
 */
#include "fuzz.h"

#include "tomerge.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 96, MOST_CHANNELS = 40 };

typedef struct input {
    const uint8_t *data;
    size_t left;
} input;

static unsigned byte(input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

/* Any bits at all, as elements of any type: what is left, over and over. */
static void fill(input *in, void *memory, size_t bytes)
{
    size_t n = in->left < bytes ? in->left : bytes;

    memset(memory, 0, bytes);
    if (n)
        memcpy(memory, in->data, n);
    for (size_t i = n; n && i < bytes; i++)
        ((uint8_t *)memory)[i] = (uint8_t)(((uint8_t *)memory)[i - n] + 1);
}

static void check(int condition)
{
    if (!condition)
        abort();
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);

    check(memory != NULL);
    return memory;
}

static void check_plan(const tomerge_plan *plan)
{
    check(plan->rows <= plan->tokens);
    for (size_t i = 0; i < plan->tokens; i++)
        check(plan->map[i] >= -1 && plan->map[i] < (int32_t)plan->rows);
    for (size_t j = 0; j < plan->rows; j++)
        check(plan->map[plan->origin[j]] == (int32_t)j);
}

typedef struct scene {
    tomerge_options options;
    size_t tokens, channels, r, bytes;
    int dtype, dtype_out, combine;
    void *x, *y, *grad, *workspace;
    int32_t map[2][MOST_TOKENS], origin[2][MOST_TOKENS];
    uint8_t role[MOST_TOKENS];
} scene;

static scene new_scene(input *in)
{
    scene s = {.tokens = byte(in) % (MOST_TOKENS + 1),
               .channels = 1 + byte(in) % MOST_CHANNELS,
               .r = byte(in), .dtype = (int)(byte(in) % 3),
               .dtype_out = (int)(byte(in) % 3),
               .combine = (int)(byte(in) % 6)};
    size_t merge_bytes = 0;

    tomerge_options_init(&s.options);
    s.options.method = (int)(byte(in) % 4);
    s.options.similarity = (int)(byte(in) % 4);
    s.options.protect = byte(in) % 8;
    s.options.stride = 2 + byte(in) % 6;
    s.options.seed = byte(in);
    check(tomerge_match_workspace(&s.options, s.tokens, s.channels,
                                  &s.bytes) == 0);
    check(tomerge_merge_workspace(s.tokens, &merge_bytes) == 0);
    s.bytes = s.bytes > merge_bytes ? s.bytes : merge_bytes;
    s.workspace = allocate(s.bytes);
    s.x = allocate(s.tokens * s.channels * 4);
    s.y = allocate(s.tokens * s.channels * 4);
    s.grad = allocate(s.tokens * s.channels * 4);
    fill(in, s.x, s.tokens * s.channels * 4);
    /* Last, so that older inputs still mean what they meant. */
    s.options.order = byte(in) % 2;
    for (size_t i = 0; i < s.tokens; i++)
        s.role[i] = (uint8_t)(byte(in) % 16 < 4 ? byte(in) % 4 : 0);
    return s;
}

static tomerge_plan match_on(scene *s, int which, uint32_t mask)
{
    tomerge_plan plan = {s->tokens, 0, s->map[which], s->origin[which]};
    tomerge_const_view x = {s->x, (ptrdiff_t)s->channels, s->dtype};

    s->options.role = s->role;
    tomerge_set_cpu_mask(mask);
    check(tomerge_match(&s->options, s->channels, x, s->r, &plan, s->workspace,
                        s->bytes) == 0);
    check_plan(&plan);
    return plan;
}

/* Rounds remove at least as many, and their plan is as valid. */
static void match_in_rounds(scene *s, const tomerge_plan *once)
{
    tomerge_plan plan = {s->tokens, 0, s->map[1], s->origin[1]};
    tomerge_const_view x = {s->x, (ptrdiff_t)s->channels, s->dtype};
    size_t bytes = 0;
    void *workspace;

    check(tomerge_match_rounds_workspace(&s->options, s->tokens, s->channels,
                                         &bytes) == 0);
    workspace = allocate(bytes);
    check(tomerge_match_rounds(&s->options, s->channels, x, NULL, s->r, &plan,
                               workspace, bytes) == 0);
    check_plan(&plan);
    check(plan.rows <= once->rows);
    free(workspace);
}

static void merge_and_back(scene *s, const tomerge_plan *plan)
{
    tomerge_const_view x = {s->x, (ptrdiff_t)s->channels, s->dtype};
    tomerge_view y = {s->y, (ptrdiff_t)s->channels, s->dtype_out};
    tomerge_const_view merged = {s->y, (ptrdiff_t)s->channels, s->dtype_out};
    tomerge_view back = {s->x, (ptrdiff_t)s->channels, s->dtype};
    float sums[2 * MOST_TOKENS], total = 0, kept = 0;

    check(tomerge_merge(s->combine, plan, s->channels, x, NULL, y, sums,
                        s->workspace, s->bytes) == 0);
    for (size_t j = 0; j < plan->rows; j++)
        total += sums[j];
    for (size_t i = 0; i < plan->tokens; i++)
        kept += plan->map[i] >= 0;
    check(total == kept);
    /* Gradients of what was merged, on any numbers: no output is missed. */
    check(tomerge_merge_backward(s->combine, plan, s->channels, x, NULL,
                                 merged, sums,
                                 (tomerge_view){s->grad, back.stride,
                                                s->dtype}, sums + plan->rows,
                                 s->workspace, s->bytes) == 0);
    check(tomerge_unmerge_backward(plan, s->channels, x, y, s->workspace,
                                   s->bytes) == 0);
    check(tomerge_unmerge(plan, s->channels, merged, back) == 0);
}

/* A plan of raw bytes: whatever is in it, it is refused or a valid one. */
static void raw_plan(scene *s, input *in)
{
    tomerge_plan plan = {s->tokens, byte(in), s->map[0], NULL};
    int32_t trace[MOST_TOKENS];

    if (byte(in) % 2)
        plan.origin = s->origin[0];
    if (plan.rows > plan.tokens)
        plan.rows = plan.tokens;
    for (size_t i = 0; i < s->tokens; i++) {
        s->map[0][i] = (int32_t)(int8_t)byte(in);
        s->origin[0][i] = (int32_t)(int8_t)byte(in);
        trace[i] = (int32_t)(int8_t)byte(in);
    }
    if (tomerge_merge(s->combine, &plan, s->channels,
                      (tomerge_const_view){s->x, (ptrdiff_t)s->channels,
                                           s->dtype}, NULL,
                      (tomerge_view){s->y, (ptrdiff_t)s->channels,
                                     s->dtype_out}, NULL,
                      s->workspace, s->bytes) == 0)
        merge_and_back(s, &plan);
    tomerge_compose(&plan, s->tokens, trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    scene s = new_scene(&in);
    tomerge_plan scalar = match_on(&s, 0, 0);

    for (uint32_t mask = TOMERGE_CPU_AVX2; mask < 4; mask += 2) {
        tomerge_plan plan = match_on(&s, 1, mask);

        check(plan.rows == scalar.rows);
        check(!memcmp(plan.map, scalar.map, s.tokens * sizeof(int32_t)));
    }
    match_in_rounds(&s, &scalar);
    merge_and_back(&s, &scalar);
    raw_plan(&s, &in);
    free(s.x);
    free(s.y);
    free(s.grad);
    free(s.workspace);
    return 0;
}
