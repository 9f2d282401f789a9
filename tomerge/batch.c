/* SPDX-License-Identifier: MIT */
/*
 * Packed batches: everything is checked for the whole batch first, then each
 * sequence is what the single call does, on a workspace part of its thread.
 */
#include "build.h"

#include "batch.h"
#include "match.h"
#include "merge.h"

/* Offsets must not fall; *longest is that of the longest sequence. */
int tomerge_check_offsets(size_t sequences, const size_t *offsets, int threads,
                          size_t *longest)
{
    if (sequences == 0 || !offsets || threads < 1)
        return TOMERGE_EINVAL;
    if (sequences > PTRDIFF_MAX / sizeof(*offsets))
        return TOMERGE_ERANGE;
    *longest = 0;
    for (size_t s = 0; s < sequences; s++) {
        if (offsets[s + 1] < offsets[s])
            return TOMERGE_EINVAL;
        if (offsets[s + 1] - offsets[s] > *longest)
            *longest = offsets[s + 1] - offsets[s];
    }
    return tomerge_check_rows(*longest);
}

/* A sequence's rows of a view. One without rows may lie at the very end,
 * where there is nothing to point at. */
tomerge_const_view tomerge_rows_from(tomerge_const_view view, size_t offset,
                                     size_t rows)
{
    if (rows)
        view.data = tomerge_at(view, offset, 0);
    return view;
}

tomerge_view tomerge_rows_to(tomerge_view view, size_t offset, size_t rows)
{
    if (rows)
        view.data = tomerge_at_mutable(view, offset, 0);
    return view;
}

/* ---- matching ------------------------------------------------------------ */

typedef struct match_batch {
    tomerge_job job;       /* what all sequences share */
    const size_t *offsets, *r;
    int32_t *map, *origin;
    size_t *rows;          /* [sequences] result */
    char *workspace;
    size_t part;
} match_batch;

static void match_task(void *context, size_t s, size_t thread)
{
    const match_batch *batch = context;
    tomerge_job job = batch->job;
    size_t offset = batch->offsets[s];

    job.tokens = batch->offsets[s + 1] - offset;
    if (job.tokens == 0) {
        batch->rows[s] = 0;
        return;
    }
    job.r = batch->r[s];
    if (tomerge_method_needs(job.options.method) & TOMERGE_NEEDS_METRIC)
        job.metric = tomerge_rows_from(job.metric, offset, job.tokens);
    if (job.options.role)
        job.options.role += offset;
    if (job.options.importance)
        job.options.importance += offset;
    if (job.options.size)
        job.options.size += offset;
    job.map = batch->map + offset;
    job.origin = batch->origin ? batch->origin + offset : NULL;
    tomerge_match_run(&job, batch->workspace + thread * batch->part);
    batch->rows[s] = job.rows;
}

int tomerge_match_batch_workspace(const tomerge_options *options,
                                  size_t sequences, const size_t *offsets,
                                  size_t channels, int threads, size_t *bytes)
{
    size_t longest, part;
    int error = tomerge_check_options(options, channels);

    if (!error && !bytes)
        error = tomerge_refuse(options, TOMERGE_EINVAL, "bytes is NULL");
    if (!error)
        error = tomerge_refuse(
            options,
            tomerge_check_offsets(sequences, offsets, threads, &longest),
            "no sequences, no or falling offsets, too many rows, or no "
            "threads");
    if (!error)
        error = tomerge_match_workspace(options, longest, channels, &part);
    return error ? error : tomerge_parts_bytes(part, threads, bytes);
}

int tomerge_match_batch(const tomerge_options *options, size_t sequences,
                        const size_t *offsets, size_t channels,
                        tomerge_const_view metric, const size_t *r,
                        int32_t *map, int32_t *origin, size_t *offsets_out,
                        int threads, void *workspace, size_t workspace_bytes)
{
    match_batch batch = {.offsets = offsets, .r = r, .map = map,
                         .origin = origin, .workspace = workspace};
    tomerge_dsp dsp;
    size_t bytes, total = 0;
    int error = tomerge_match_batch_workspace(options, sequences, offsets,
                                              channels, threads, &bytes);

    if (!error && (!r || !offsets_out || (offsets[sequences] && !map)))
        error = tomerge_refuse(options, TOMERGE_EINVAL,
                               "r, offsets_out or map is NULL");
    if (!error)
        error = tomerge_check_needs(options, channels, metric,
                                    offsets[sequences]);
    if (!error)
        error = tomerge_check_roles(options, offsets[0], offsets[sequences]);
    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return tomerge_refuse(options, TOMERGE_ESPACE,
                              "the workspace is too small");

    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    batch.job.options = *options;
    batch.job.channels = channels;
    batch.job.metric = metric;
    batch.job.dsp = &dsp;
    batch.part = bytes / (size_t)threads;
    batch.rows = offsets_out + 1;
    tomerge_for_sequences(sequences, threads, match_task, &batch);
    tomerge_unpoison(workspace, bytes);

    offsets_out[0] = 0;
    for (size_t s = 0; s < sequences; s++)
        offsets_out[s + 1] = total += offsets_out[s + 1];
    return 0;
}

/* ---- merging ------------------------------------------------------------- */

typedef struct merge_batch {
    tomerge_rows rows;     /* of the whole batch */
    tomerge_packed packed;
    const tomerge_dsp *dsp;
} merge_batch;

tomerge_groups tomerge_groups_in(const tomerge_packed *packed, size_t s)
{
    size_t first = packed->offsets[s];
    tomerge_groups groups = {
        .tokens = packed->offsets[s + 1] - first,
        .rows = packed->offsets_out[s + 1] - packed->offsets_out[s],
        .map = packed->map ? packed->map + first : NULL,
        .origin = packed->origin ? packed->origin + first : NULL,
    };

    return groups;
}

void tomerge_group_in(const tomerge_packed *packed, int allow_empty, size_t s,
                      size_t thread, tomerge_groups *groups,
                      tomerge_merge_space *space)
{
    *groups = tomerge_groups_in(packed, s);
    /* Cannot fail: the same groups have been checked before. */
    tomerge_group(groups, allow_empty, space,
                  packed->workspace + thread * packed->part);
}

static void merge_task(void *context, size_t s, size_t thread)
{
    const merge_batch *batch = context;
    const tomerge_packed *p = &batch->packed;
    tomerge_rows rows = batch->rows;
    tomerge_merge_space space;
    tomerge_groups groups;

    tomerge_group_in(p, 0, s, thread, &groups, &space);
    rows.x = tomerge_rows_from(rows.x, p->offsets[s], groups.tokens);
    rows.y = tomerge_rows_to(rows.y, p->offsets_out[s], groups.rows);
    if (rows.size)
        rows.size += p->offsets[s];
    if (rows.size_out)
        rows.size_out += p->offsets_out[s];
    tomerge_merge_run(batch->dsp, &rows, &groups, &space);
}

int tomerge_merge_batch_workspace(size_t sequences, const size_t *offsets,
                                  int threads, size_t *bytes)
{
    size_t longest, part;
    int error = tomerge_check_offsets(sequences, offsets, threads, &longest);

    if (!error && !bytes)
        error = TOMERGE_EINVAL;
    if (!error)
        error = tomerge_merge_workspace(longest, &part);
    return error ? error : tomerge_parts_bytes(part, threads, bytes);
}

/* What lies in the buffers, once it is known where. */
static int check_contents(const tomerge_packed *p, int allow_empty,
                          const tomerge_rows *rows, tomerge_const_view y)
{
    size_t first = p->offsets[0], tokens = p->offsets[p->sequences];
    int error = tomerge_check_view(rows->x, tokens, rows->channels);

    if (!error)
        error = tomerge_check_view(y, p->offsets_out[p->sequences],
                                   rows->channels);
    if (!error && rows->size)
        error = tomerge_check_weights(rows->combine, rows->size + first,
                                      tokens - first);
    for (size_t s = 0; s < p->sequences && !error; s++) {
        tomerge_groups groups = tomerge_groups_in(p, s);
        tomerge_merge_space space;

        error = tomerge_check_keep(rows->combine, &groups);
        if (!error)
            error = tomerge_group(&groups, allow_empty, &space, p->workspace);
    }
    return error;
}

int tomerge_check_packed(tomerge_packed *p, int allow_empty,
                         const tomerge_rows *rows, tomerge_const_view y,
                         int threads, size_t workspace_bytes)
{
    size_t bytes, longest;
    int error = tomerge_check_combine(rows->combine);

    if (!error)
        error = tomerge_merge_batch_workspace(p->sequences, p->offsets,
                                              threads, &bytes);
    if (!error)
        error = tomerge_check_offsets(p->sequences, p->offsets_out, threads,
                                      &longest);
    if (!error && ((p->offsets[p->sequences] && !p->map) ||
                   rows->channels == 0))
        error = TOMERGE_EINVAL;
    if (error)
        return error;
    if (!p->workspace || workspace_bytes < bytes)
        return TOMERGE_ESPACE;
    p->part = bytes / (size_t)threads;
    error = check_contents(p, allow_empty, rows, y);
    if (error)
        tomerge_packed_done(p, threads);
    return error;
}

void tomerge_packed_done(const tomerge_packed *p, int threads)
{
    tomerge_unpoison(p->workspace, p->part * (size_t)threads);
}

int tomerge_merge_batch(int combine, size_t sequences, const size_t *offsets,
                        const size_t *offsets_out, const int32_t *map,
                        const int32_t *origin, size_t channels,
                        tomerge_const_view x, const float *size,
                        tomerge_view y, float *size_out,
                        int threads, void *workspace, size_t workspace_bytes)
{
    merge_batch batch = {
        .rows = {combine, channels, x, size, y, size_out},
        .packed = {sequences, offsets, offsets_out, map, origin, workspace, 0},
    };
    tomerge_dsp dsp;
    int error = tomerge_check_packed(&batch.packed, 0, &batch.rows,
                                     tomerge_view_const(y), threads,
                                     workspace_bytes);

    if (!error)
        error = tomerge_check_apart(x, tomerge_view_const(y),
                                    offsets_out[sequences]);
    if (!error && size && size == size_out)
        error = TOMERGE_EINVAL;
    if (error) {
        tomerge_packed_done(&batch.packed, threads);
        return error;
    }
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    batch.dsp = &dsp;
    tomerge_for_sequences(sequences, threads, merge_task, &batch);
    tomerge_packed_done(&batch.packed, threads);
    return 0;
}

/* ---- unmerging ----------------------------------------------------------- */

typedef struct unmerge_batch {
    tomerge_packed packed;
    size_t channels;
    tomerge_const_view y;
    tomerge_view x;
    const tomerge_dsp *dsp;
} unmerge_batch;

static void unmerge_task(void *context, size_t s, size_t thread)
{
    const unmerge_batch *batch = context;
    const tomerge_packed *p = &batch->packed;
    tomerge_groups groups = tomerge_groups_in(p, s);

    (void)thread;
    tomerge_unmerge_run(batch->dsp, &groups, batch->channels,
                        tomerge_rows_from(batch->y, p->offsets_out[s],
                                          groups.rows),
                        tomerge_rows_to(batch->x, p->offsets[s],
                                        groups.tokens));
}

int tomerge_unmerge_batch(size_t sequences, const size_t *offsets,
                          const size_t *offsets_out, const int32_t *map,
                          size_t channels, tomerge_const_view y,
                          tomerge_view x, int threads)
{
    unmerge_batch batch = {
        .packed = {sequences, offsets, offsets_out, map, NULL, NULL, 0},
        .channels = channels, .y = y, .x = x,
    };
    tomerge_dsp dsp;
    size_t longest;
    int error = tomerge_check_offsets(sequences, offsets, threads, &longest);

    if (!error)
        error = tomerge_check_offsets(sequences, offsets_out, threads,
                                      &longest);
    if (!error && ((offsets[sequences] && !map) || channels == 0))
        error = TOMERGE_EINVAL;
    if (!error)
        error = tomerge_check_view(y, offsets_out[sequences], channels);
    if (!error)
        error = tomerge_check_view(tomerge_view_const(x), offsets[sequences],
                                   channels);
    if (!error)
        error = tomerge_check_apart(y, tomerge_view_const(x),
                                    offsets_out[sequences]);
    for (size_t s = 0; s < sequences && !error; s++) {
        tomerge_groups groups = tomerge_groups_in(&batch.packed, s);

        if (groups.rows > groups.tokens)
            error = TOMERGE_EINVAL;
        else
            error = tomerge_check_map(groups.map, groups.tokens, groups.rows);
    }
    if (error)
        return error;

    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    batch.dsp = &dsp;
    tomerge_for_sequences(sequences, threads, unmerge_task, &batch);
    return 0;
}
