/* SPDX-License-Identifier: MIT */
/* One call a layer: the metric, matching, merging and the next bias. */
#include "build.h"

#include "match.h"
#include "merge.h"

#include <string.h>

typedef struct layer_space {
    float *metric;         /* [T * head_channels] the heads' mean */
    void *x;               /* [T * channels] a copy, of x's type, to merge from
                            * in place */
    float *size;           /* [T] likewise */
    int32_t *map, *origin; /* [T] where the caller wants none */
    void *match, *merge;   /* their own workspaces */
} layer_space;

static int needs_metric(const tomerge_options *options)
{
    return (tomerge_method_needs(options->method) & TOMERGE_NEEDS_METRIC) != 0;
}

static int in_place(const tomerge_sequence *s)
{
    return !s->y.data || s->y.data == s->x.data;
}

static int carve(layer_space *space, tomerge_arena *arena,
                 const tomerge_options *options, const tomerge_sequence *s)
{
    size_t tokens = s->tokens, match, merge;
    int error = tomerge_match_workspace(options, tokens, s->head_channels,
                                        &match);

    if (!error)
        error = tomerge_merge_workspace(tokens, &merge);
    if (error)
        return error;
    if (s->channels == 0)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "sequence->channels is 0");
    if (s->channels > PTRDIFF_MAX / 4 ||
        s->head_channels > PTRDIFF_MAX / sizeof(float))
        return tomerge_refuse(options, TOMERGE_ERANGE, "too many channels");
    space->metric = tomerge_take(arena, s->heads > 1 ? tokens : 0,
                                 s->head_channels * sizeof(float) + 1);
    space->x = tomerge_take(arena, in_place(s) ? tokens : 0,
                            s->channels * tomerge_element(s->x.dtype));
    space->size = tomerge_take(arena, tokens, sizeof(*space->size));
    space->map = tomerge_take(arena, tokens, sizeof(*space->map));
    space->origin = tomerge_take(arena, tokens, sizeof(*space->origin));
    space->match = tomerge_take(arena, match, 1);
    space->merge = tomerge_take(arena, merge, 1);
    return 0;
}

int tomerge_layer_workspace(const tomerge_options *options,
                            const tomerge_sequence *sequence, size_t *bytes)
{
    tomerge_arena arena = tomerge_arena_at(NULL);
    layer_space space;
    int error;

    if (!sequence || !bytes)
        return tomerge_check_refused(options, "sequence or bytes is NULL");
    error = carve(&space, &arena, options, sequence);
    return error ? error
                 : tomerge_refuse(options, tomerge_arena_bytes(&arena, bytes),
                                  "too many tokens or channels");
}

static int check_rows(const tomerge_sequence *s)
{
    int error = tomerge_check_view(tomerge_view_const(s->x), s->tokens,
                                   s->channels);

    if (error || !s->y.data)
        return error;
    if (s->y.data == s->x.data)
        return s->tokens && (s->y.stride != s->x.stride ||
                             s->y.dtype != s->x.dtype) ? TOMERGE_EINVAL : 0;
    return tomerge_check_view(tomerge_view_const(s->y), s->tokens,
                              s->channels);
}

static int check_keys(const tomerge_options *options,
                      const tomerge_sequence *s)
{
    int error;

    if (!needs_metric(options))
        return tomerge_check_needs(options, 0, s->keys, s->tokens);
    if (s->heads == 0)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "sequence->heads is 0");
    if (tomerge_check_rows(s->heads))
        return tomerge_refuse(options, TOMERGE_ERANGE, "too many heads");
    error = tomerge_check_needs(options, s->head_channels, s->keys,
                                s->tokens);
    if (error)
        return error;
    error = tomerge_check_parts(s->keys, s->tokens, s->head_channels, s->heads,
                                s->head_stride);
    return tomerge_refuse(options, error,
                          "the heads of sequence->keys overlap");
}

static int check(const tomerge_options *options, const tomerge_sequence *s)
{
    int error = check_keys(options, s);

    if (!error)
        error = tomerge_refuse(options, check_rows(s),
                               "sequence->x or y has no data, or is "
                               "misaligned, of no type, or of rows that "
                               "overlap or are too many");
    if (!error)
        error = tomerge_refuse(options, tomerge_check_combine(s->combine),
                               "sequence->combine is none");
    if (!error)
        error = tomerge_check_roles(options, 0, s->tokens);
    if (!error && s->tokens && (!s->size || s->bias == s->size))
        error = tomerge_refuse(options, TOMERGE_EINVAL,
                               "sequence->size is NULL or the bias");
    if (error)
        return error;
    error = tomerge_check_weights(s->combine, s->size, s->tokens);
    return tomerge_refuse(options, error,
                          "a size is not positive and finite");
}

static tomerge_const_view metric_of(const tomerge_options *options,
                                    const tomerge_sequence *s,
                                    const layer_space *space)
{
    tomerge_view mean = tomerge_view_of(space->metric, s->head_channels,
                                        TOMERGE_F32);

    if (!needs_metric(options) || s->heads == 1)
        return s->keys;
    tomerge_mean_heads(s->tokens, s->heads, s->head_channels, s->keys,
                       s->head_stride, mean);
    return tomerge_view_const(mean);
}

/* Where the rows are merged from: themselves, or a copy of them. */
static tomerge_const_view source_of(const tomerge_sequence *s,
                                    const layer_space *space)
{
    size_t row = s->channels * tomerge_element(s->x.dtype);
    tomerge_const_view x = tomerge_view_const(s->x);

    if (!in_place(s))
        return x;
    for (size_t i = 0; i < s->tokens; i++)
        memcpy((char *)space->x + i * row, tomerge_at(x, i, 0), row);
    return tomerge_const_view_of(space->x, s->channels, s->x.dtype);
}

/* Whether nothing merges or moves, so that what is in place stays. */
static int is_identity(const tomerge_job *job)
{
    for (size_t i = 0; i < job->tokens; i++)
        if (job->map[i] != (int32_t)i)
            return 0;
    return 1;
}

static void merge(const tomerge_dsp *dsp, const tomerge_job *job,
                  const tomerge_sequence *s, const layer_space *space)
{
    tomerge_groups groups = {job->tokens, job->rows, job->map, job->origin};
    tomerge_rows rows = {
        .combine = s->combine, .channels = s->channels, .size = space->size,
        .y = in_place(s) ? s->x : s->y, .size_out = s->size,
    };
    tomerge_merge_space groups_space;

    if (in_place(s) && is_identity(job))
        return;
    memcpy(space->size, s->size, s->tokens * sizeof(*s->size));
    rows.x = source_of(s, space);
    tomerge_group(&groups, 0, &groups_space, space->merge);
    tomerge_merge_run(dsp, &rows, &groups, &groups_space);
}

int tomerge_layer(const tomerge_options *options, size_t r,
                  tomerge_sequence *sequence, void *workspace,
                  size_t workspace_bytes)
{
    tomerge_arena arena = tomerge_arena_at(workspace);
    tomerge_sequence *s = sequence;
    layer_space space;
    tomerge_plan plan;
    tomerge_dsp dsp;
    tomerge_job job;
    size_t bytes;
    int error = tomerge_layer_workspace(options, sequence, &bytes);

    if (!error)
        error = check(options, s);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return tomerge_refuse(options, TOMERGE_ESPACE,
                              "the workspace is too small");
    if (s->tokens == 0)
        return 0;

    carve(&space, &arena, options, s);
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    plan.tokens = s->tokens;
    plan.map = s->map ? s->map : space.map;
    plan.origin = s->origin ? s->origin : space.origin;
    job = tomerge_new_job(&dsp, options, s->head_channels,
                          metric_of(options, s, &space), r, &plan);
    tomerge_match_run(&job, space.match);
    merge(&dsp, &job, s, &space);
    tomerge_unpoison(workspace, bytes);
    s->tokens = job.rows;
    if (s->bias)
        tomerge_size_bias(s->tokens, s->size, s->bias);
    return 0;
}
