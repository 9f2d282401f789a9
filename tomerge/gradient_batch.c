/* SPDX-License-Identifier: MIT */
/* Gradients of packed batches: each sequence's is that of the single call. */
#include "build.h"

#include "batch.h"

typedef struct backward_batch {
    tomerge_backward of;   /* the whole batch */
    tomerge_packed packed;
    const tomerge_dsp *dsp;
} backward_batch;

static void merge_task(void *context, size_t s, size_t thread)
{
    const backward_batch *batch = context;
    const tomerge_packed *p = &batch->packed;
    size_t first = p->offsets[s], first_out = p->offsets_out[s];
    tomerge_backward of = batch->of;
    tomerge_merge_space space;
    tomerge_groups groups;

    tomerge_group_in(p, 0, s, thread, &groups, &space);
    of.rows.x = tomerge_rows_from(of.rows.x, first, groups.tokens);
    of.grad_y = tomerge_rows_from(of.grad_y, first_out, groups.rows);
    of.grad_x = tomerge_rows_to(of.grad_x, first, groups.tokens);
    if (of.rows.size)
        of.rows.size += first;
    if (of.grad_size_out)
        of.grad_size_out += first_out;
    if (of.grad_size)
        of.grad_size += first;
    tomerge_merge_backward_run(batch->dsp, &of, &groups, &space);
}

int tomerge_merge_backward_batch(int combine, size_t sequences,
                                 const size_t *offsets,
                                 const size_t *offsets_out,
                                 const int32_t *map, const int32_t *origin,
                                 size_t channels, tomerge_const_view x,
                                 const float *size, tomerge_const_view grad_y,
                                 const float *grad_size_out,
                                 tomerge_view grad_x, float *grad_size,
                                 int threads, void *workspace,
                                 size_t workspace_bytes)
{
    backward_batch batch = {
        .of = {.rows = {.combine = combine, .channels = channels, .x = x,
                        .size = size},
               .grad_y = grad_y, .grad_size_out = grad_size_out,
               .grad_x = grad_x, .grad_size = grad_size},
        .packed = {sequences, offsets, offsets_out, map, origin, workspace, 0},
    };
    tomerge_dsp dsp;
    int error = tomerge_check_packed(&batch.packed, 0, &batch.of.rows, grad_y,
                                     threads, workspace_bytes);

    if (!error)
        error = tomerge_check_view(tomerge_view_const(grad_x),
                                   offsets[sequences], channels);
    if (!error)
        error = tomerge_check_apart(x, tomerge_view_const(grad_x),
                                    offsets_out[sequences]);
    if (!error)
        error = tomerge_check_apart(grad_y, tomerge_view_const(grad_x),
                                    offsets_out[sequences]);
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

static void unmerge_task(void *context, size_t s, size_t thread)
{
    const backward_batch *batch = context;
    const tomerge_packed *p = &batch->packed;
    tomerge_rows rows = batch->of.rows;
    tomerge_merge_space space;
    tomerge_groups groups;

    tomerge_group_in(p, 1, s, thread, &groups, &space);
    rows.x = tomerge_rows_from(rows.x, p->offsets[s], groups.tokens);
    rows.y = tomerge_rows_to(rows.y, p->offsets_out[s], groups.rows);
    tomerge_unmerge_backward_run(batch->dsp, &rows, &groups, &space);
}

int tomerge_unmerge_backward_batch(size_t sequences, const size_t *offsets,
                                   const size_t *offsets_out,
                                   const int32_t *map, size_t channels,
                                   tomerge_const_view grad_x,
                                   tomerge_view grad_y, int threads,
                                   void *workspace, size_t workspace_bytes)
{
    backward_batch batch = {
        .of = {.rows = {.combine = TOMERGE_SUM, .channels = channels,
                        .x = grad_x, .y = grad_y}},
        .packed = {sequences, offsets, offsets_out, map, NULL, workspace, 0},
    };
    tomerge_dsp dsp;
    int error = tomerge_check_packed(&batch.packed, 1, &batch.of.rows,
                                     tomerge_view_const(grad_y), threads,
                                     workspace_bytes);

    if (!error)
        error = tomerge_check_apart(grad_x, tomerge_view_const(grad_y),
                                    offsets_out[sequences]);
    if (error) {
        tomerge_packed_done(&batch.packed, threads);
        return error;
    }
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    batch.dsp = &dsp;
    tomerge_for_sequences(sequences, threads, unmerge_task, &batch);
    tomerge_packed_done(&batch.packed, threads);
    return 0;
}
