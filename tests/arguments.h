/* SPDX-License-Identifier: MIT */
/* Valid arguments for every function of tomerge.h, and calls with them. */
#ifndef TOMERGE_TESTS_ARGUMENTS_H
#define TOMERGE_TESTS_ARGUMENTS_H

#include "planning.h"

#include <string.h>

enum { T = 40, C = 12, S = 4, R = 7, ROWS = T - R, LAYERS = 12 };
enum { SPACE = 1 << 18 };
#define MANY ((size_t)INT32_MAX + 1) /* rows that int32_t cannot number */

typedef struct outputs {
    int32_t map[T], origin[T], trace[T];
    size_t offsets[S + 1], bytes, schedule[LAYERS];
    float y[T * C], x[T * C], sums[T], table[T * T];
    double ratio;
    uint32_t mask;
    int value;
    uint8_t role[T];
    float size[T];
} outputs;

/* What calls take, all of it valid; whatever a call may write is in `out` or
 * in one of the plans. */
typedef struct arguments {
    tomerge_options options_is, *options;
    tomerge_plan plan_is, *plan, merged_is, *merged, next_is, *next;
    size_t tokens, channels, heads, r, count, rows, tables, sequences, layers;
    size_t list[LAYERS], protect, parts;
    const int32_t *list_in;
    uint8_t *role_to;
    tomerge_const_view in, rows_in, keys, table_in;
    tomerge_view to, tokens_to, table_to;
    ptrdiff_t head_stride, table_stride, table_to_stride;
    int combine, threads;
    const float *size;
    float sizes[T], *sums, *bias;
    tomerge_tensor tensor[2], *tensors;
    tomerge_sequence sequence_is, *sequence;
    int32_t map[T], origin[T], next_map[ROWS], next_origin[ROWS];
    int32_t batch_map[T], batch_origin[T], *trace, *batch_out;
    const int32_t *batch_in, *batch_origin_in;
    size_t offsets_is[S + 1], offsets_out_is[S + 1], r_is[S];
    const size_t *offsets, *offsets_out, *r_of;
    size_t *offsets_new, *bytes, *schedule;
    const size_t *schedule_in;
    double inflection, ratio, *ratio_out;
    const char *name;
    int *value;
    uint32_t *mask;
    void *workspace;
    size_t space;
    uint8_t role[T];
    float x[T * C], table[T * T];
    outputs out;
} arguments;

static char workspace[SPACE];
static arguments args, before;
static const char *reason; /* where the options of `args` say it */

/* ---- valid arguments ----------------------------------------------------- */

/* Sources 0, 2, ... of the first 2 R tokens merge into the ones after them. */
static void fill_plan(int32_t *map, int32_t *origin, size_t tokens, size_t r)
{
    int32_t row = 0;

    for (size_t i = 0; i < tokens; i++) {
        map[i] = row;
        origin[row] = (int32_t)i;
        row += !(i < 2 * r && i % 2 == 0);
    }
}

static void fill_data(arguments *a)
{
    uint64_t state = 41;

    for (size_t i = 0; i < T * C; i++)
        a->x[i] = random_float(&state);
    for (size_t i = 0; i < T; i++)
        a->sizes[i] = 1;
    fill_plan(a->map, a->origin, T, R);
    fill_plan(a->next_map, a->next_origin, ROWS, 3);
    for (size_t s = 0; s <= S; s++)
        a->offsets_is[s] = a->offsets_out_is[s] = s * T / S;
    for (int32_t i = 0; i < T; i++)
        a->batch_map[i] = a->batch_origin[i] = i % (T / S);
    memset(&a->out, 0x5a, sizeof(a->out));
    for (int32_t i = 0; i < T; i++)
        a->out.trace[i] = i;
}

static void fill_views(arguments *a)
{
    const tomerge_tensor tensor = {
        TOMERGE_WEIGHTED, C / 2, 2, {a->x, C, TOMERGE_F32}, C / 2,
        {a->out.y, C, TOMERGE_F32}, C / 2,
    };

    a->in = a->rows_in = a->keys = view_f32(a->x, C);
    a->to = view_f32_out(a->out.y, C);
    a->tokens_to = view_f32_out(a->out.x, C);
    a->table_in = view_f32(a->table, T);
    a->table_to = view_f32_out(a->out.table, ROWS);
    a->tensor[0] = a->tensor[1] = tensor;
    a->tensor[1].y.data = a->out.x;
    a->tensors = a->tensor;
    a->sequence_is.tokens = T;
    a->sequence_is.heads = 1;
    a->sequence_is.head_channels = a->sequence_is.channels = C;
    a->sequence_is.keys = a->in;
    a->sequence_is.x = a->tokens_to;
    a->sequence_is.size = a->out.size;
    a->sequence_is.bias = a->out.sums;
    a->sequence_is.map = a->out.map;
    a->sequence = &a->sequence_is;
    for (size_t i = 0; i < T; i++)
        a->out.size[i] = 1;
}

/* The whole of it each time: a call that succeeds has written to it. */
static arguments *fresh(void)
{
    arguments *a = &args;

    memset(a, 0, sizeof(*a));
    tomerge_options_init(&a->options_is);
    a->options = &a->options_is;
    a->options_is.protect = 1;
    a->options_is.why = &reason;
    reason = NULL;
    fill_data(a);
    fill_views(a);
    a->plan_is = (tomerge_plan){T, 777, a->out.map, a->out.origin};
    a->merged_is = (tomerge_plan){T, ROWS, a->map, a->origin};
    a->next_is = (tomerge_plan){ROWS, ROWS - 3, a->next_map, a->next_origin};
    a->plan = &a->plan_is;
    a->merged = &a->merged_is;
    a->next = &a->next_is;
    a->tokens = a->count = a->rows = T;
    a->channels = C;
    a->heads = 3;
    a->head_stride = C / 3;
    a->parts = 2;
    a->list_in = a->origin;
    a->role_to = a->out.role;
    a->tables = 1;
    a->sequences = S;
    a->layers = LAYERS;
    a->r = R;
    a->protect = 1;
    a->threads = 2;
    a->size = a->sizes;
    a->sums = a->out.sums;
    a->bias = a->out.sums;
    a->trace = a->out.trace;
    a->batch_out = a->out.map;
    a->batch_in = a->batch_map;
    a->batch_origin_in = a->batch_origin;
    a->offsets = a->offsets_is;
    a->offsets_out = a->offsets_out_is;
    a->r_of = a->r_is;
    a->offsets_new = a->out.offsets;
    a->bytes = &a->out.bytes;
    a->schedule = a->out.schedule;
    a->schedule_in = a->list;
    a->ratio = 0.3;
    a->ratio_out = &a->out.ratio;
    a->name = "mean";
    a->value = &a->out.value;
    a->mask = &a->out.mask;
    a->workspace = workspace;
    a->space = SPACE;
    return a;
}

/* ---- calls --------------------------------------------------------------- */

#define CALL(function, ...)                                                  \
    static int call_##function(arguments *a)                           \
    {                                                                        \
        return function(__VA_ARGS__);                                        \
    }

CALL(tomerge_cpu_mask, a->name, a->mask)
CALL(tomerge_method_from_name, a->name, a->value)
CALL(tomerge_similarity_from_name, a->name, a->value)
CALL(tomerge_combine_from_name, a->name, a->value)
CALL(tomerge_match_workspace, a->options, a->tokens, a->channels, a->bytes)
CALL(tomerge_match, a->options, a->channels, a->in, a->r, a->plan,
     a->workspace, a->space)
CALL(tomerge_partition_list, a->tokens, a->count, a->list_in, a->role_to)
CALL(tomerge_partition_grid, a->heads, a->heads, a->parts, a->parts, NULL,
     a->role_to)
CALL(tomerge_join, a->merged, a->next)
CALL(tomerge_match_rounds_workspace, a->options, a->tokens, a->channels,
     a->bytes)
CALL(tomerge_match_rounds, a->options, a->channels, a->in, a->size, a->r,
     a->plan, a->workspace, a->space)
CALL(tomerge_layer_workspace, a->options, a->sequence, a->bytes)
CALL(tomerge_layer, a->options, a->r, a->sequence, a->workspace, a->space)
CALL(tomerge_merge_workspace, a->tokens, a->bytes)
CALL(tomerge_merge, a->combine, a->merged, a->channels, a->in, a->size, a->to,
     a->sums, a->workspace, a->space)
CALL(tomerge_unmerge, a->merged, a->channels, a->rows_in, a->tokens_to)
CALL(tomerge_merge_tensors, a->merged, a->count, a->tensors, a->size, a->sums,
     a->workspace, a->space)
CALL(tomerge_merge_table_workspace, a->tokens, a->bytes)
CALL(tomerge_merge_table, a->combine, a->merged, a->tables, a->table_in,
     a->table_stride, a->size, a->table_to, a->table_to_stride, a->workspace,
     a->space)
CALL(tomerge_merge_backward, a->combine, a->merged, a->channels, a->in,
     a->size, a->rows_in, NULL, a->tokens_to, a->sums, a->workspace, a->space)
CALL(tomerge_unmerge_backward, a->merged, a->channels, a->in, a->to,
     a->workspace, a->space)
CALL(tomerge_compose, a->merged, a->count, a->trace)
CALL(tomerge_size_bias, a->rows, a->size, a->bias)
CALL(tomerge_sizes_by_similarity, a->merged, a->channels, a->in, a->size,
     a->sums)
CALL(tomerge_mean_heads, a->tokens, a->heads, a->channels / 3, a->keys,
     a->head_stride, a->to)
CALL(tomerge_match_batch_workspace, a->options, a->sequences, a->offsets,
     a->channels, a->threads, a->bytes)
CALL(tomerge_match_batch, a->options, a->sequences, a->offsets, a->channels,
     a->in, a->r_of, a->batch_out, a->out.origin, a->offsets_new, a->threads,
     a->workspace, a->space)
CALL(tomerge_merge_batch_workspace, a->sequences, a->offsets, a->threads,
     a->bytes)
CALL(tomerge_merge_batch, a->combine, a->sequences, a->offsets,
     a->offsets_out, a->batch_in, a->batch_origin_in, a->channels, a->in,
     a->size, a->to, a->sums, a->threads, a->workspace, a->space)
CALL(tomerge_unmerge_batch, a->sequences, a->offsets, a->offsets_out,
     a->batch_in, a->channels, a->rows_in, a->tokens_to, a->threads)
CALL(tomerge_merge_backward_batch, a->combine, a->sequences, a->offsets,
     a->offsets_out, a->batch_in, a->batch_origin_in, a->channels, a->in,
     a->size, a->rows_in, NULL, a->tokens_to, a->sums, a->threads,
     a->workspace, a->space)
CALL(tomerge_unmerge_backward_batch, a->sequences, a->offsets, a->offsets_out,
     a->batch_in, a->channels, a->in, a->to, a->threads, a->workspace,
     a->space)
CALL(tomerge_schedule, a->layers, a->r, a->inflection, a->schedule)
CALL(tomerge_schedule_list, a->layers, a->count, a->schedule_in, a->schedule)
CALL(tomerge_schedule_ratio, a->options->method, a->layers, a->tokens,
     a->protect, a->ratio, a->schedule)
CALL(tomerge_schedule_tokens, a->options->method, a->layers, a->tokens,
     a->protect, a->schedule_in, a->schedule, a->ratio_out)

#endif
