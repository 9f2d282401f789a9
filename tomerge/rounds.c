/* SPDX-License-Identifier: MIT */
/*
 * More than one matching can remove: plans that follow one another become one
 * plan, and rounds of matching on what each round left.
 */
#include "build.h"

#include "match.h"
#include "merge.h"

/* ---- one plan of two ----------------------------------------------------- */

static int check_join(const tomerge_plan *plan, const tomerge_plan *next)
{
    tomerge_groups first, second;
    int error;

    if (!plan || !next || (plan->tokens && !plan->map) ||
        (next->tokens && !next->map) || next->tokens != plan->rows ||
        (plan->origin && next->rows && !next->origin))
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(plan->tokens))
        return TOMERGE_ERANGE;
    first = tomerge_groups_of(plan);
    second = tomerge_groups_of(next);
    error = tomerge_check_groups(&first);
    return error ? error : tomerge_check_groups(&second);
}

/* The origin of a row of both is the origin of the row that is its origin.
 * plan->origin is still to be read while the map changes, so these tokens are
 * marked in the map first: -2 - row. */
int tomerge_join(tomerge_plan *plan, const tomerge_plan *next)
{
    int error = check_join(plan, next);

    if (error)
        return error;
    for (size_t i = 0; i < plan->tokens; i++) {
        int32_t between = plan->map[i], row;

        if (between < 0)
            continue;
        row = next->map[between];
        plan->map[i] = row;
        if (row >= 0 && plan->origin && plan->origin[between] == (int32_t)i &&
            next->origin[row] == between)
            plan->map[i] = -2 - row;
    }
    for (size_t i = 0; i < plan->tokens; i++) {
        if (plan->map[i] > -2)
            continue;
        plan->map[i] = -2 - plan->map[i];
        plan->origin[plan->map[i]] = (int32_t)i;
    }
    plan->rows = next->rows;
    return 0;
}

/* ---- rounds -------------------------------------------------------------- */

typedef struct rounds_space {
    int32_t *origin;       /* [T] where the caller wants none */
    int32_t *next_map;     /* [T] of a later round */
    int32_t *next_origin;  /* [T] */
    float *metric;         /* [T * channels] of a later round */
    void *merge, *match;   /* their own workspaces */
} rounds_space;

static int carve(rounds_space *s, tomerge_arena *arena,
                 const tomerge_options *options, size_t tokens,
                 size_t channels)
{
    size_t merge_bytes, match_bytes;
    int error = tomerge_match_workspace(options, tokens, channels,
                                        &match_bytes);

    if (!error)
        error = tomerge_merge_workspace(tokens, &merge_bytes);
    if (error)
        return error;
    s->origin = tomerge_take(arena, tokens, sizeof(*s->origin));
    s->next_map = tomerge_take(arena, tokens, sizeof(*s->next_map));
    s->next_origin = tomerge_take(arena, tokens, sizeof(*s->next_origin));
    s->merge = tomerge_take(arena, merge_bytes, 1);
    s->match = tomerge_take(arena, match_bytes, 1);
    if (channels && tokens > SIZE_MAX / channels)
        arena->overflow = 1;
    else
        s->metric = tomerge_take(arena, tokens * channels, sizeof(*s->metric));
    return 0;
}

int tomerge_match_rounds_workspace(const tomerge_options *options,
                                   size_t tokens, size_t channels,
                                   size_t *bytes)
{
    tomerge_arena arena = tomerge_arena_at(NULL);
    rounds_space space;
    int error;

    if (!bytes)
        return tomerge_check_refused(options, "bytes is NULL");
    error = carve(&space, &arena, options, tokens, channels);
    if (!error)
        error = tomerge_refuse(options, tomerge_arena_bytes(&arena, bytes),
                               "too many tokens or channels");
    return error;
}

/* The metric of the rows there are: of the whole group at once, so that
 * nothing is lost from round to round. */
static tomerge_const_view merge_metric(const tomerge_job *first,
                                       const tomerge_plan *plan,
                                       const float *size,
                                       const rounds_space *s)
{
    tomerge_view y = {s->metric, (ptrdiff_t)first->channels, TOMERGE_F32};
    tomerge_rows rows = {TOMERGE_WEIGHTED, first->channels, first->metric,
                         size, y, NULL};
    tomerge_groups groups = tomerge_groups_of(plan);
    tomerge_merge_space space;

    tomerge_group(&groups, 0, &space, s->merge);
    tomerge_merge_run(first->dsp, &rows, &groups, &space);
    return tomerge_view_const(y);
}

/* A further round on the rows of `plan`, of which the first are the protected
 * ones. Returns how many went. */
static size_t later_round(const tomerge_job *first, tomerge_plan *plan,
                          const float *size, size_t round, size_t r,
                          const rounds_space *s)
{
    tomerge_plan next = {plan->rows, 0, s->next_map, s->next_origin};
    tomerge_job job = *first;

    job.options.role = NULL;
    job.options.protect = first->present - first->mergeable;
    job.options.seed += round;
    job.tokens = plan->rows;
    job.r = r;
    job.metric = merge_metric(first, plan, size, s);
    job.map = next.map;
    job.origin = next.origin;
    tomerge_match_present(&job, s->match);
    next.rows = job.rows;
    tomerge_join(plan, &next); /* cannot fail: both have just been made */
    return next.tokens - next.rows;
}

static void run_rounds(tomerge_job *first, const float *size,
                       const rounds_space *s)
{
    size_t r = first->r, goal, removed = 1;
    tomerge_arena arena = tomerge_arena_at(s->match);
    tomerge_plan plan = {first->tokens, 0, first->map, first->origin};

    tomerge_match_present(first, s->match);
    plan.rows = first->rows;
    goal = r < first->present ? first->present - r : 0;
    for (size_t round = 1; plan.rows > goal && removed; round++)
        removed = later_round(first, &plan, size, round, plan.rows - goal, s);
    first->rows = plan.rows;
    /* Later rounds have carved the same memory for fewer tokens. */
    tomerge_match_carve(&first->space, &arena, &first->options, first->tokens,
                        first->channels);
    tomerge_match_finish(first);
}

int tomerge_match_rounds(const tomerge_options *options, size_t channels,
                         tomerge_const_view metric, const float *size,
                         size_t r, tomerge_plan *plan,
                         void *workspace, size_t workspace_bytes)
{
    tomerge_arena arena = tomerge_arena_at(workspace);
    tomerge_dsp dsp;
    tomerge_job job;
    rounds_space space;
    size_t bytes;
    int error = tomerge_check_match(options, channels, metric, plan, &bytes);

    if (!error)
        error = tomerge_match_rounds_workspace(options, plan->tokens, channels,
                                               &bytes);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return tomerge_refuse(options, TOMERGE_ESPACE,
                              "the workspace is too small");
    if (size && tomerge_check_sizes(size, plan->tokens))
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "a size is not positive and finite");

    carve(&space, &arena, options, plan->tokens, channels);
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    job = tomerge_new_job(&dsp, options, channels, metric, r, plan);
    if (!job.origin)
        job.origin = space.origin;
    if (tomerge_method_of(options->method)->rounds)
        run_rounds(&job, size, &space);
    else
        tomerge_match_run(&job, space.match);
    tomerge_unpoison(workspace, bytes);
    plan->rows = job.rows;
    return 0;
}
