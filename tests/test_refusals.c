/* SPDX-License-Identifier: MIT */
/*
 * Every argument of every function of tomerge.h that can be wrong: the call
 * gives the error the header names, and changes nothing but the workspace.
 * Which functions there are is read from the symbol map.
 */
#include "config.h"

#include "arguments.h"
#include "covered.h"

#include <math.h>
#include <stdio.h>

/* ---- refusals ------------------------------------------------------------ */

/* A function that takes options says why it refuses something, where they are
 * such that it can, and nothing of a call that it accepts. */
static void expect_reason(const char *function, const char *spoil, int error)
{
    const tomerge_options *options = args.options;

    if (!strstr(function, "_match") && !strstr(function, "_layer"))
        return;
    if (!error)
        cr_expect_null(reason, "%s: \"%s\" though all is well", function,
                       reason);
    else if (options && options->struct_size == sizeof(*options))
        cr_expect_not_null(reason, "%s: not why, after %s", function, spoil);
}

static void expect_refusal(const char *function, const char *spoil,
                           int expected, int error)
{
    expect_refused(function, spoil, expected, error);
    expect_reason(function, spoil, error);
}

static void expect_success(const char *function, int error)
{
    expect_accepted(function, error);
    expect_reason(function, "", error);
}

/* `set` makes a call of the function valid, `spoil` wrong again. */
#define REFUSES_AFTER(set, function, expected, spoil)                        \
    do {                                                                     \
        arguments *a = fresh();                                              \
                                                                             \
        set;                                                                 \
        expect_success(#function, call_##function(a));                       \
        a = fresh();                                                         \
        set;                                                                 \
        spoil;                                                               \
        memcpy(&before, a, sizeof(before));                                  \
        expect_refusal(#function, #spoil, expected, call_##function(a));     \
        expect_same(#function, #spoil, a, &before, sizeof(before));          \
    } while (0)
#define REFUSES(function, expected, spoil)                                   \
    REFUSES_AFTER((void)0, function, expected, spoil)

/* A view of several rows of `width` channels. */
#define REFUSES_VIEWS_AFTER(set, function, view, width)                      \
    do {                                                                     \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL, (view).data = NULL);    \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL,                         \
                      (view).data = (char *)a->out.y + 1);                   \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL, (view).stride = 0);     \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL,                         \
                      (view).stride = (width)-1);                            \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL,                         \
                      (view).stride = 1 - (width));                          \
        REFUSES_AFTER(set, function, TOMERGE_ERANGE,                         \
                      (view).stride = PTRDIFF_MAX / 5);                      \
        REFUSES_AFTER(set, function, TOMERGE_ERANGE,                         \
                      (view).stride = PTRDIFF_MIN);                          \
        REFUSES_AFTER(set, function, TOMERGE_EOPTION, (view).dtype = 3);     \
        REFUSES_AFTER(set, function, TOMERGE_EOPTION, (view).dtype = -1);    \
    } while (0)
#define REFUSES_VIEWS(function, view)                                        \
    REFUSES_VIEWS_AFTER((void)0, function, view, C)

#define REFUSES_OPTIONS(function)                                            \
    do {                                                                     \
        REFUSES(function, TOMERGE_EINVAL, a->channels = 0);                  \
        REFUSES(function, TOMERGE_ERANGE, a->channels = SIZE_MAX / 8);       \
        REFUSES_OPTIONS_BUT_CHANNELS(function);                              \
    } while (0)

#define REFUSES_OPTIONS_BUT_CHANNELS(function)                               \
    do {                                                                     \
        REFUSES(function, TOMERGE_EINVAL, a->options = NULL);                \
        REFUSES(function, TOMERGE_EOPTION, a->options->struct_size -= 1);    \
        REFUSES(function, TOMERGE_EOPTION, a->options->struct_size += 8);    \
        REFUSES(function, TOMERGE_EOPTION, a->options->method = 99);         \
        REFUSES(function, TOMERGE_EOPTION, a->options->method = -1);         \
        REFUSES(function, TOMERGE_EOPTION, a->options->similarity = 4);      \
        REFUSES(function, TOMERGE_EOPTION, a->options->similarity = -1);     \
        REFUSES(function, TOMERGE_EOPTION, a->options->order = 2);           \
        REFUSES(function, TOMERGE_EOPTION, a->options->order = -1);          \
        REFUSES(function, TOMERGE_EOPTION, a->options->exact = 2);           \
        REFUSES(function, TOMERGE_EOPTION, a->options->exact = -1);          \
        REFUSES(function, TOMERGE_EOPTION, a->options->reserved[0] = 1);     \
        REFUSES(function, TOMERGE_EOPTION, a->options->reserved_int = 1);    \
        REFUSES(function, TOMERGE_EOPTION, a->options->one_way = 2);         \
        REFUSES(function, TOMERGE_EOPTION, a->options->one_way = -1);        \
        REFUSES(function, TOMERGE_EOPTION, a->options->linkage = 3);         \
        REFUSES(function, TOMERGE_EOPTION, a->options->linkage = -1);        \
        REFUSES_AFTER(a->options->method = TOMERGE_THRESHOLD, function,      \
                      TOMERGE_EINVAL, a->options->threshold = NAN);          \
        REFUSES_AFTER(a->options->method = TOMERGE_STRIDED, function,        \
                      TOMERGE_EINVAL, a->options->stride = 1);               \
    } while (0)

#define REFUSES_ROLES(function)                                              \
    REFUSES_AFTER(a->options->role = a->role, function, TOMERGE_EINVAL,      \
                  a->role[T - 1] = 5);                                       \
    REFUSES_AFTER(a->options->role = a->role, function, TOMERGE_EINVAL,      \
                  a->role[T - 1] = TOMERGE_DESTINATION);                     \
    REFUSES_AFTER((a->options->role = a->role,                               \
                   a->options->method = TOMERGE_GIVEN), function,            \
                  TOMERGE_EINVAL, a->options->role = NULL);                  \
    REFUSES_AFTER((a->options->role = a->role,                               \
                   a->options->method = TOMERGE_GIVEN), function,            \
                  TOMERGE_EINVAL, a->role[0] = 5)

/* For each method that needs it. */
#define REFUSES_NO_IMPORTANCE(function)                                      \
    do {                                                                     \
        REFUSES_AFTER((a->options->importance = a->sizes,                    \
                       a->options->method = TOMERGE_MCTF), function,         \
                      TOMERGE_EINVAL, a->options->tau[1] = -1);              \
        REFUSES_AFTER((a->options->importance = a->sizes,                    \
                       a->options->method = TOMERGE_MCTF), function,         \
                      TOMERGE_EINVAL, a->options->tau[2] = NAN);             \
        REFUSES_AFTER(a->options->importance = a->sizes, function,           \
                      TOMERGE_EINVAL, (a->options->method = TOMERGE_TOPK,    \
                                       a->options->importance = NULL));      \
        REFUSES_AFTER(a->options->importance = a->sizes, function,           \
                      TOMERGE_EINVAL, (a->options->method = TOMERGE_EVIT,    \
                                       a->options->importance = NULL));      \
    } while (0)

#define REFUSES_SPACE(function, query)                                       \
    do {                                                                     \
        arguments *q = fresh();                                              \
        size_t needed;                                                       \
                                                                             \
        cr_assert_eq(call_##query(q), 0);                                    \
        needed = q->out.bytes;                                               \
        REFUSES(function, TOMERGE_ESPACE, a->workspace = NULL);              \
        REFUSES_AFTER(a->space = needed, function, TOMERGE_ESPACE,           \
                      a->space--);                                           \
    } while (0)

#define REFUSES_SIZES(function)                                              \
    do {                                                                     \
        REFUSES(function, TOMERGE_EINVAL, a->sizes[T - 1] = 0);              \
        REFUSES(function, TOMERGE_EINVAL, a->sizes[T - 1] = -1);             \
        REFUSES(function, TOMERGE_EINVAL, a->sizes[0] = NAN);                \
        REFUSES(function, TOMERGE_EINVAL, a->sizes[0] = INFINITY);           \
    } while (0)

/* A plan that is read. */
#define REFUSES_PLANS_AFTER(set, function)                                   \
    do {                                                                     \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL, a->merged = NULL);      \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL, a->merged->map = NULL); \
        REFUSES_AFTER(set, function, TOMERGE_EINVAL, a->merged->rows = T + 1); \
        REFUSES_AFTER(set, function, TOMERGE_EMAP, a->map[T - 1] = ROWS);    \
        REFUSES_AFTER(set, function, TOMERGE_EMAP, a->map[T - 1] = -2);      \
        REFUSES_AFTER(set, function, TOMERGE_EMAP, a->map[0] = INT32_MIN);   \
        REFUSES_AFTER(set, function, TOMERGE_EMAP, a->map[0] = INT32_MAX);   \
    } while (0)
#define REFUSES_PLANS(function) REFUSES_PLANS_AFTER((void)0, function)

/* Also one whose origin counts, and that must go onto its rows. */
#define REFUSES_GROUPS(function)                                             \
    do {                                                                     \
        REFUSES_PLANS(function);                                             \
        REFUSES(function, TOMERGE_ERANGE, a->merged->tokens = MANY);         \
        REFUSES(function, TOMERGE_EMAP, a->origin[3] = a->origin[2]);        \
        REFUSES(function, TOMERGE_EMAP, a->origin[3] = -1);                  \
        REFUSES(function, TOMERGE_EMAP, a->origin[3] = T);                   \
        REFUSES_AFTER(a->merged->origin = NULL, function, TOMERGE_EMAP,      \
                      a->map[T - 1] = 0);                                    \
    } while (0)

#define REFUSES_COMBINATIONS(function, field)                                \
    do {                                                                     \
        REFUSES(function, TOMERGE_EOPTION, (field) = 99);                    \
        REFUSES(function, TOMERGE_EOPTION, (field) = -1);                    \
        REFUSES_AFTER((field) = TOMERGE_KEEP, function, TOMERGE_EINVAL,      \
                      a->merged->origin = NULL);                             \
    } while (0)

static void refuse_names(void)
{
#define REFUSES_NAMES(function, valid, target)                               \
    do {                                                                     \
        REFUSES_AFTER(a->name = valid, function, TOMERGE_EINVAL,             \
                      a->name = NULL);                                       \
        REFUSES_AFTER(a->name = valid, function, TOMERGE_EINVAL,             \
                      a->name = "");                                         \
        REFUSES_AFTER(a->name = valid, function, TOMERGE_EINVAL,             \
                      a->name = "average");                                  \
        REFUSES_AFTER(a->name = valid, function, TOMERGE_EINVAL,             \
                      a->target = NULL);                                     \
    } while (0)
    REFUSES_NAMES(tomerge_cpu_mask, "avx2", mask);
    REFUSES_NAMES(tomerge_method_from_name, "random", value);
    REFUSES_NAMES(tomerge_similarity_from_name, "dot", value);
    REFUSES_NAMES(tomerge_combine_from_name, "mean", value);
}

static void refuse_matching(void)
{
    REFUSES_OPTIONS(tomerge_match_workspace);
    REFUSES(tomerge_match_workspace, TOMERGE_ERANGE, a->tokens = MANY);
    REFUSES(tomerge_match_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES_OPTIONS(tomerge_match_rounds_workspace);
    REFUSES(tomerge_match_rounds_workspace, TOMERGE_ERANGE, a->tokens = MANY);
    REFUSES(tomerge_match_rounds_workspace, TOMERGE_EINVAL, a->bytes = NULL);

    REFUSES_OPTIONS(tomerge_match);
    REFUSES_ROLES(tomerge_match);
    REFUSES_NO_IMPORTANCE(tomerge_match);
    REFUSES_VIEWS(tomerge_match, a->in);
    REFUSES(tomerge_match, TOMERGE_EINVAL, a->plan = NULL);
    REFUSES(tomerge_match, TOMERGE_EINVAL, a->plan->map = NULL);
    REFUSES(tomerge_match, TOMERGE_ERANGE, a->plan->tokens = MANY);
    REFUSES_SPACE(tomerge_match, tomerge_match_workspace);

    REFUSES_OPTIONS(tomerge_match_rounds);
    REFUSES_ROLES(tomerge_match_rounds);
    REFUSES_NO_IMPORTANCE(tomerge_match_rounds);
    REFUSES_VIEWS(tomerge_match_rounds, a->in);
    REFUSES_SIZES(tomerge_match_rounds);
    REFUSES(tomerge_match_rounds, TOMERGE_EINVAL, a->plan = NULL);
    REFUSES(tomerge_match_rounds, TOMERGE_EINVAL, a->plan->map = NULL);
    REFUSES(tomerge_match_rounds, TOMERGE_ERANGE, a->plan->tokens = MANY);
    REFUSES_SPACE(tomerge_match_rounds, tomerge_match_rounds_workspace);
}

static void refuse_partitions(void)
{
    REFUSES_AFTER(a->count = 3, tomerge_partition_list, TOMERGE_EINVAL,
                  a->list_in = NULL);
    REFUSES_AFTER(a->count = 3, tomerge_partition_list, TOMERGE_EINVAL,
                  a->role_to = NULL);
    REFUSES_AFTER(a->count = 3, tomerge_partition_list, TOMERGE_EINVAL,
                  a->origin[2] = T);
    REFUSES_AFTER(a->count = 3, tomerge_partition_list, TOMERGE_EINVAL,
                  a->origin[2] = -1);
    REFUSES_AFTER(a->count = 3, tomerge_partition_list, TOMERGE_ERANGE,
                  a->tokens = MANY);

    REFUSES(tomerge_partition_grid, TOMERGE_EINVAL, a->parts = 0);
    REFUSES(tomerge_partition_grid, TOMERGE_EINVAL, a->role_to = NULL);
    REFUSES(tomerge_partition_grid, TOMERGE_ERANGE, a->heads = SIZE_MAX);
    REFUSES(tomerge_partition_grid, TOMERGE_ERANGE, a->heads = 46341);
}

static void refuse_plans(void)
{
    REFUSES_PLANS(tomerge_join);
    REFUSES_AFTER(a->merged->rows = a->next->tokens = 0; a->next->rows = 0;
                  memset(a->map, -1, sizeof(a->map)),
                  tomerge_join, TOMERGE_ERANGE, a->merged->tokens = MANY);
    REFUSES(tomerge_join, TOMERGE_EMAP, a->origin[3] = a->origin[2]);
    REFUSES(tomerge_join, TOMERGE_EINVAL, a->next = NULL);
    REFUSES(tomerge_join, TOMERGE_EINVAL, a->next->map = NULL);
    REFUSES(tomerge_join, TOMERGE_EINVAL, a->next->tokens--);
    REFUSES(tomerge_join, TOMERGE_EINVAL, a->next->rows = ROWS + 1);
    REFUSES(tomerge_join, TOMERGE_EINVAL, a->next->origin = NULL);
    REFUSES(tomerge_join, TOMERGE_EMAP, a->next_map[1] = ROWS - 3);
    REFUSES(tomerge_join, TOMERGE_EMAP, a->next_origin[1] = 0);

    REFUSES_PLANS(tomerge_compose);
    REFUSES(tomerge_compose, TOMERGE_ERANGE, a->merged->tokens = MANY);
    REFUSES(tomerge_compose, TOMERGE_ERANGE, a->count = MANY);
    REFUSES(tomerge_compose, TOMERGE_EINVAL, a->trace = NULL);
    REFUSES(tomerge_compose, TOMERGE_EMAP, a->trace[T - 1] = T);
    REFUSES(tomerge_compose, TOMERGE_EMAP, a->trace[T - 1] = -2);
}

static void refuse_merging(void)
{
    REFUSES(tomerge_merge_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES(tomerge_merge_workspace, TOMERGE_ERANGE, a->tokens = MANY);

    REFUSES_COMBINATIONS(tomerge_merge, a->combine);
    REFUSES_GROUPS(tomerge_merge);
    REFUSES_SIZES(tomerge_merge);
    REFUSES_VIEWS(tomerge_merge, a->in);
    REFUSES_VIEWS(tomerge_merge, a->to);
    REFUSES(tomerge_merge, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_merge, TOMERGE_EINVAL, a->to.data = a->x);
    REFUSES(tomerge_merge, TOMERGE_EINVAL, a->sums = a->sizes);
    REFUSES_SPACE(tomerge_merge, tomerge_merge_workspace);

    REFUSES_PLANS(tomerge_unmerge);
    REFUSES(tomerge_unmerge, TOMERGE_ERANGE, a->merged->tokens = MANY);
    REFUSES_VIEWS(tomerge_unmerge, a->rows_in);
    REFUSES_VIEWS(tomerge_unmerge, a->tokens_to);
    REFUSES(tomerge_unmerge, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_unmerge, TOMERGE_EINVAL, a->tokens_to.data = a->x);
}

/* What is not the options' is checked as in the calls it stands for. */
static void refuse_layers(void)
{
    REFUSES_OPTIONS_BUT_CHANNELS(tomerge_layer_workspace);
    REFUSES(tomerge_layer_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES(tomerge_layer_workspace, TOMERGE_EINVAL, a->sequence = NULL);
    REFUSES(tomerge_layer_workspace, TOMERGE_EINVAL,
            a->sequence->channels = 0);
    REFUSES(tomerge_layer_workspace, TOMERGE_ERANGE,
            a->sequence->channels = SIZE_MAX / 8);
    REFUSES(tomerge_layer_workspace, TOMERGE_ERANGE,
            a->sequence->head_channels = SIZE_MAX / 8);
    REFUSES(tomerge_layer_workspace, TOMERGE_ERANGE,
            a->sequence->tokens = MANY);

    REFUSES_OPTIONS_BUT_CHANNELS(tomerge_layer);
    REFUSES_ROLES(tomerge_layer);
    REFUSES_NO_IMPORTANCE(tomerge_layer);
    REFUSES(tomerge_layer, TOMERGE_EOPTION, a->sequence->combine = 99);
    REFUSES(tomerge_layer, TOMERGE_EOPTION, a->sequence->combine = -1);
    REFUSES_VIEWS(tomerge_layer, a->sequence->keys);
    REFUSES_VIEWS(tomerge_layer, a->sequence->x);
    REFUSES_AFTER(a->sequence->y = a->to, tomerge_layer, TOMERGE_EINVAL,
                  a->sequence->y.stride = C - 1);
    REFUSES_AFTER(a->sequence->y = a->to, tomerge_layer, TOMERGE_EOPTION,
                  a->sequence->y.dtype = 3);
    REFUSES(tomerge_layer, TOMERGE_EINVAL, a->sequence = NULL);
    REFUSES(tomerge_layer, TOMERGE_EINVAL, a->sequence->heads = 0);
    REFUSES(tomerge_layer, TOMERGE_ERANGE, a->sequence->heads = MANY);
    REFUSES(tomerge_layer, TOMERGE_EINVAL, a->sequence->size = NULL);
    REFUSES(tomerge_layer, TOMERGE_EINVAL, a->out.size[T - 1] = 0);
    REFUSES(tomerge_layer, TOMERGE_EINVAL,
            a->sequence->bias = a->sequence->size);
    REFUSES_AFTER(a->sequence->y = a->sequence->x, tomerge_layer,
                  TOMERGE_EINVAL, a->sequence->y.stride++);
    REFUSES_AFTER(a->sequence->y = a->sequence->x, tomerge_layer,
                  TOMERGE_EINVAL, a->sequence->y.dtype = TOMERGE_BF16);
    REFUSES_SPACE(tomerge_layer, tomerge_layer_workspace);
}

static void refuse_gradients(void)
{
    REFUSES_COMBINATIONS(tomerge_merge_backward, a->combine);
    REFUSES_GROUPS(tomerge_merge_backward);
    REFUSES_SIZES(tomerge_merge_backward);
    REFUSES_VIEWS(tomerge_merge_backward, a->in);
    REFUSES_VIEWS(tomerge_merge_backward, a->rows_in);
    REFUSES_VIEWS(tomerge_merge_backward, a->tokens_to);
    REFUSES(tomerge_merge_backward, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_merge_backward, TOMERGE_EINVAL, a->tokens_to.data = a->x);
    REFUSES_AFTER(a->rows_in.data = a->table, tomerge_merge_backward,
                  TOMERGE_EINVAL, a->tokens_to.data = a->table);
    REFUSES_SPACE(tomerge_merge_backward, tomerge_merge_workspace);

    REFUSES_PLANS(tomerge_unmerge_backward);
    REFUSES(tomerge_unmerge_backward, TOMERGE_ERANGE,
            a->merged->tokens = MANY);
    REFUSES_VIEWS(tomerge_unmerge_backward, a->in);
    REFUSES(tomerge_unmerge_backward, TOMERGE_EINVAL, a->to.data = a->x);
    REFUSES_VIEWS(tomerge_unmerge_backward, a->to);
    REFUSES(tomerge_unmerge_backward, TOMERGE_EINVAL, a->channels = 0);
    REFUSES_SPACE(tomerge_unmerge_backward, tomerge_merge_workspace);
}

static void refuse_tensors(void)
{
#define TWO a->count = 2
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensors = NULL);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EOPTION,
                  a->tensor[1].combine = 99);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensor[1].y.data = a->x);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->sums = a->sizes);
    REFUSES_AFTER(TWO; a->tensor[1].combine = TOMERGE_KEEP,
                  tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->merged->origin = NULL);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensor[1].channels = 0);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensor[1].parts = 0);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensor[1].x_part = C / 2 - 1);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->tensor[1].y_part = 0);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_ERANGE,
                  a->tensor[1].y_part = PTRDIFF_MAX);
    REFUSES_VIEWS_AFTER(TWO, tomerge_merge_tensors, a->tensor[1].x, C / 2);
    REFUSES_VIEWS_AFTER(TWO, tomerge_merge_tensors, a->tensor[1].y, C / 2);
    REFUSES_PLANS_AFTER(TWO, tomerge_merge_tensors);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_ERANGE,
                  a->merged->tokens = MANY);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EMAP, a->origin[3] = 0);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_EINVAL,
                  a->sizes[T - 1] = 0);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_ESPACE,
                  a->workspace = NULL);
    REFUSES_AFTER(TWO, tomerge_merge_tensors, TOMERGE_ESPACE, a->space = 8);

    REFUSES(tomerge_merge_table_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES(tomerge_merge_table_workspace, TOMERGE_ERANGE, a->tokens = MANY);
    REFUSES_COMBINATIONS(tomerge_merge_table, a->combine);
    REFUSES(tomerge_merge_table, TOMERGE_EOPTION, a->combine = TOMERGE_MLERP);
    REFUSES(tomerge_merge_table, TOMERGE_EINVAL, a->table_to.data = a->table);
    REFUSES_GROUPS(tomerge_merge_table);
    REFUSES_SIZES(tomerge_merge_table);
    REFUSES(tomerge_merge_table, TOMERGE_EINVAL, a->tables = 0);
    REFUSES(tomerge_merge_table, TOMERGE_EINVAL, a->tables = 2);
    REFUSES_VIEWS_AFTER((void)0, tomerge_merge_table, a->table_in, T);
    REFUSES_VIEWS_AFTER((void)0, tomerge_merge_table, a->table_to, ROWS);
    REFUSES_SPACE(tomerge_merge_table, tomerge_merge_table_workspace);
}

static void refuse_attention(void)
{
    REFUSES(tomerge_size_bias, TOMERGE_EINVAL, a->size = NULL);
    REFUSES(tomerge_size_bias, TOMERGE_EINVAL, a->bias = NULL);
    REFUSES(tomerge_size_bias, TOMERGE_ERANGE, a->rows = MANY);
    REFUSES_SIZES(tomerge_size_bias);

    REFUSES_PLANS(tomerge_sizes_by_similarity);
    REFUSES_VIEWS(tomerge_sizes_by_similarity, a->in);
    REFUSES(tomerge_sizes_by_similarity, TOMERGE_EINVAL, a->size = NULL);
    REFUSES(tomerge_sizes_by_similarity, TOMERGE_EINVAL, a->sums = NULL);
    REFUSES(tomerge_sizes_by_similarity, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_sizes_by_similarity, TOMERGE_EINVAL,
            a->merged->origin = NULL);
    REFUSES(tomerge_sizes_by_similarity, TOMERGE_ERANGE,
            a->merged->tokens = MANY);

    REFUSES(tomerge_mean_heads, TOMERGE_EINVAL, a->to.data = a->x);
    REFUSES(tomerge_mean_heads, TOMERGE_EINVAL, a->heads = 0);
    REFUSES(tomerge_mean_heads, TOMERGE_ERANGE, a->heads = MANY);
    REFUSES(tomerge_mean_heads, TOMERGE_ERANGE, a->tokens = MANY);
    REFUSES(tomerge_mean_heads, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_mean_heads, TOMERGE_EINVAL, a->head_stride = 3);
    REFUSES(tomerge_mean_heads, TOMERGE_EINVAL, a->head_stride = -3);
    REFUSES(tomerge_mean_heads, TOMERGE_ERANGE,
            a->head_stride = PTRDIFF_MAX / 2);
    REFUSES_VIEWS_AFTER((void)0, tomerge_mean_heads, a->keys, C / 3);
    REFUSES_VIEWS_AFTER((void)0, tomerge_mean_heads, a->to, C / 3);
}

/* What all functions of batches take. */
#define REFUSES_BATCHES(function)                                            \
    do {                                                                     \
        REFUSES(function, TOMERGE_EINVAL, a->sequences = 0);                 \
        REFUSES(function, TOMERGE_EINVAL, a->offsets = NULL);                \
        REFUSES(function, TOMERGE_EINVAL, a->offsets_is[2] = 0);             \
        REFUSES(function, TOMERGE_ERANGE, a->offsets_is[S] = MANY + T);      \
        REFUSES(function, TOMERGE_ERANGE, a->sequences = SIZE_MAX / 2);      \
        REFUSES(function, TOMERGE_EINVAL, a->threads = 0);                   \
        REFUSES(function, TOMERGE_EINVAL, a->threads = -1);                  \
    } while (0)

static void refuse_matching_batches(void)
{
    REFUSES_BATCHES(tomerge_match_batch_workspace);
    REFUSES_OPTIONS(tomerge_match_batch_workspace);
    REFUSES(tomerge_match_batch_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES_BATCHES(tomerge_match_batch);
    REFUSES_OPTIONS(tomerge_match_batch);
    REFUSES_ROLES(tomerge_match_batch);
    REFUSES_NO_IMPORTANCE(tomerge_match_batch);
    REFUSES_VIEWS(tomerge_match_batch, a->in);
    REFUSES(tomerge_match_batch, TOMERGE_EINVAL, a->r_of = NULL);
    REFUSES(tomerge_match_batch, TOMERGE_EINVAL, a->batch_out = NULL);
    REFUSES(tomerge_match_batch, TOMERGE_EINVAL, a->offsets_new = NULL);
    REFUSES_SPACE(tomerge_match_batch, tomerge_match_batch_workspace);
}

static void refuse_merging_batches(void)
{
    REFUSES_BATCHES(tomerge_merge_batch_workspace);
    REFUSES(tomerge_merge_batch_workspace, TOMERGE_EINVAL, a->bytes = NULL);
    REFUSES_BATCHES(tomerge_merge_batch);
    REFUSES_SIZES(tomerge_merge_batch);
    REFUSES_VIEWS(tomerge_merge_batch, a->in);
    REFUSES_VIEWS(tomerge_merge_batch, a->to);
    REFUSES(tomerge_merge_batch, TOMERGE_EOPTION, a->combine = 99);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->to.data = a->x);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->sums = a->sizes);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->tokens_to.data = a->x);
    REFUSES_AFTER(a->combine = TOMERGE_KEEP, tomerge_merge_batch,
                  TOMERGE_EINVAL, a->batch_origin_in = NULL);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->batch_in = NULL);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->offsets_out = NULL);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->offsets_out_is[2] = 0);
    REFUSES(tomerge_merge_batch, TOMERGE_EINVAL, a->offsets_out_is[1]++);
    REFUSES(tomerge_merge_batch, TOMERGE_EMAP, a->batch_map[T - 1] = T / S);
    REFUSES(tomerge_merge_batch, TOMERGE_EMAP, a->batch_map[T - 1] = 0);
    REFUSES(tomerge_merge_batch, TOMERGE_EMAP, a->batch_origin[T - 1] = 0);
    REFUSES_SPACE(tomerge_merge_batch, tomerge_merge_batch_workspace);

    REFUSES_BATCHES(tomerge_unmerge_batch);
    REFUSES_VIEWS(tomerge_unmerge_batch, a->rows_in);
    REFUSES_VIEWS(tomerge_unmerge_batch, a->tokens_to);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->channels = 0);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->batch_in = NULL);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->offsets_out = NULL);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->offsets_out_is[2] = 0);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EINVAL, a->offsets_out_is[1]++);
    REFUSES(tomerge_unmerge_batch, TOMERGE_EMAP, a->batch_map[T - 1] = T / S);
}

/* What all that carries out the plans of a batch takes. */
#define REFUSES_PLANS_OF_BATCHES(function)                                   \
    do {                                                                     \
        REFUSES_BATCHES(function);                                           \
        REFUSES(function, TOMERGE_EINVAL, a->channels = 0);                  \
        REFUSES(function, TOMERGE_EINVAL, a->batch_in = NULL);               \
        REFUSES(function, TOMERGE_EINVAL, a->offsets_out = NULL);            \
        REFUSES(function, TOMERGE_EINVAL, a->offsets_out_is[2] = 0);         \
        REFUSES(function, TOMERGE_EINVAL, a->offsets_out_is[1]++);           \
        REFUSES(function, TOMERGE_EMAP, a->batch_map[T - 1] = T / S);        \
        REFUSES_SPACE(function, tomerge_merge_batch_workspace);              \
    } while (0)

static void refuse_gradients_of_batches(void)
{
    REFUSES_PLANS_OF_BATCHES(tomerge_merge_backward_batch);
    REFUSES_SIZES(tomerge_merge_backward_batch);
    REFUSES_VIEWS(tomerge_merge_backward_batch, a->in);
    REFUSES_VIEWS(tomerge_merge_backward_batch, a->rows_in);
    REFUSES_VIEWS(tomerge_merge_backward_batch, a->tokens_to);
    REFUSES(tomerge_merge_backward_batch, TOMERGE_EOPTION, a->combine = 99);
    REFUSES(tomerge_merge_backward_batch, TOMERGE_EINVAL,
            a->tokens_to.data = a->x);
    REFUSES_AFTER(a->rows_in.data = a->table, tomerge_merge_backward_batch,
                  TOMERGE_EINVAL, a->tokens_to.data = a->table);
    REFUSES(tomerge_unmerge_backward_batch, TOMERGE_EINVAL,
            a->to.data = a->x);
    REFUSES_AFTER(a->combine = TOMERGE_KEEP, tomerge_merge_backward_batch,
                  TOMERGE_EINVAL, a->batch_origin_in = NULL);
    REFUSES(tomerge_merge_backward_batch, TOMERGE_EMAP,
            a->batch_map[T - 1] = 0);
    REFUSES(tomerge_merge_backward_batch, TOMERGE_EMAP,
            a->batch_origin[T - 1] = 0);

    REFUSES_PLANS_OF_BATCHES(tomerge_unmerge_backward_batch);
    REFUSES_VIEWS(tomerge_unmerge_backward_batch, a->in);
    REFUSES_VIEWS(tomerge_unmerge_backward_batch, a->to);
}

static void refuse_schedules(void)
{
    const double outside[] = {-1.01, 1.01, (double)NAN, HUGE_VAL};

    for (int i = 0; i < 4; i++)
        REFUSES(tomerge_schedule, TOMERGE_EINVAL, a->inflection = outside[i]);
    REFUSES(tomerge_schedule, TOMERGE_EINVAL, a->layers = 0);
    REFUSES(tomerge_schedule, TOMERGE_EINVAL, a->schedule = NULL);
    REFUSES(tomerge_schedule, TOMERGE_ERANGE, a->layers = MANY);
    REFUSES(tomerge_schedule, TOMERGE_ERANGE, a->r = MANY);

    REFUSES_AFTER(a->count = 3, tomerge_schedule_list, TOMERGE_EINVAL,
                  a->layers = 0);
    REFUSES_AFTER(a->count = 3, tomerge_schedule_list, TOMERGE_EINVAL,
                  a->count = LAYERS + 1);
    REFUSES_AFTER(a->count = 3, tomerge_schedule_list, TOMERGE_EINVAL,
                  a->schedule_in = NULL);
    REFUSES_AFTER(a->count = 3, tomerge_schedule_list, TOMERGE_EINVAL,
                  a->schedule = NULL);
    REFUSES_AFTER(a->count = 3, tomerge_schedule_list, TOMERGE_ERANGE,
                  a->layers = MANY);

    for (int i = 0; i < 4; i++)
        REFUSES(tomerge_schedule_ratio, TOMERGE_EINVAL, a->ratio = outside[i]);
    REFUSES(tomerge_schedule_ratio, TOMERGE_EOPTION, a->options->method = 99);
    REFUSES(tomerge_schedule_ratio, TOMERGE_EINVAL, a->layers = 0);
    REFUSES(tomerge_schedule_ratio, TOMERGE_EINVAL, a->tokens = 0);
    REFUSES(tomerge_schedule_ratio, TOMERGE_EINVAL, a->schedule = NULL);
    REFUSES(tomerge_schedule_ratio, TOMERGE_ERANGE, a->ratio = 0.99);
    REFUSES(tomerge_schedule_ratio, TOMERGE_ERANGE, a->layers = MANY);
    REFUSES(tomerge_schedule_ratio, TOMERGE_ERANGE, a->tokens = MANY);

    REFUSES(tomerge_schedule_tokens, TOMERGE_EOPTION, a->options->method = -1);
    REFUSES(tomerge_schedule_tokens, TOMERGE_EINVAL, a->layers = 0);
    REFUSES(tomerge_schedule_tokens, TOMERGE_EINVAL, a->tokens = 0);
    REFUSES(tomerge_schedule_tokens, TOMERGE_EINVAL, a->schedule_in = NULL);
    REFUSES(tomerge_schedule_tokens, TOMERGE_ERANGE, a->layers = MANY);
    REFUSES(tomerge_schedule_tokens, TOMERGE_ERANGE, a->tokens = MANY);
}

/* ---- the whole header ---------------------------------------------------- */

/* These have no error to give; what they take that is not known gives NULL,
 * 0 or nothing. */
static const char *const cannot_fail[] = {
    "tomerge_version",      "tomerge_version_string", "tomerge_strerror",
    "tomerge_cpu_detected", "tomerge_cpu_flags",      "tomerge_set_cpu_mask",
    "tomerge_cpu_name",     "tomerge_cpu_tier",       "tomerge_tier",
    "tomerge_options_init", "tomerge_method_name",    "tomerge_similarity_name",
    "tomerge_combine_name", "tomerge_max_r",          "tomerge_method_needs",
};

Test(refusals, every_function_refuses_what_it_cannot_take)
{
    refuse_names();
    refuse_matching();
    refuse_partitions();
    refuse_plans();
    refuse_merging();
    refuse_layers();
    refuse_gradients();
    refuse_tensors();
    refuse_attention();
    refuse_matching_batches();
    refuse_merging_batches();
    refuse_gradients_of_batches();
    refuse_schedules();
    cr_expect_geq(check_map("tomerge/libtomerge.map", "tomerge_", cannot_fail,
                            sizeof(cannot_fail) / sizeof(*cannot_fail)),
                  50);
}

/* Whatever a call with options refuses has a sentence; success leaves it. */
Test(refusals, options_say_why)
{
    static const struct {
        int method;
        const char *why;
    } known[] = {
        {99, "options->method"}, {TOMERGE_TOPK, "options->importance"},
        {TOMERGE_GIVEN, "options->role"},
    };
    const char *why;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        arguments *a = fresh();

        why = "untouched";
        a->options->why = &why;
        cr_assert_eq(call_tomerge_match(a), 0);
        cr_assert_eq(call_tomerge_layer(a), 0);
        cr_assert_eq(call_tomerge_match_batch(a), 0);
        cr_assert_str_eq(why, "untouched");
        a->options->method = known[i].method;
        cr_assert_neq(call_tomerge_match(a), 0);
        cr_assert_not_null(strstr(why, known[i].why), "%s", why);
        why = "untouched";
        cr_assert_neq(call_tomerge_layer(a), 0);
        cr_assert_not_null(strstr(why, known[i].why), "%s", why);
        why = "untouched";
        cr_assert_neq(call_tomerge_match_batch(a), 0);
        cr_assert_not_null(strstr(why, known[i].why), "%s", why);
    }
    cr_assert_eq(call_tomerge_layer(fresh()), 0);
    args.options->why = &why;
    args.sequence->size = NULL;
    cr_assert_eq(call_tomerge_layer(&args), TOMERGE_EINVAL);
    cr_assert_not_null(strstr(why, "sequence->size"), "%s", why);
    fresh()->options->why = &why;
    args.options->struct_size--; /* there is no telling what `why` is then */
    why = "untouched";
    cr_assert_eq(call_tomerge_match(&args), TOMERGE_EOPTION);
    args.plan = NULL;
    cr_assert_eq(call_tomerge_match(&args), TOMERGE_EINVAL);
    cr_assert_str_eq(why, "untouched");
}

Test(refusals, what_cannot_fail_takes_anything)
{
    cr_expect_null(tomerge_method_name(-1));
    cr_expect_null(tomerge_method_name(99));
    cr_expect_null(tomerge_similarity_name(-1));
    cr_expect_null(tomerge_similarity_name(4));
    cr_expect_null(tomerge_combine_name(-1));
    cr_expect_null(tomerge_combine_name(99));
    cr_expect_not_null(tomerge_strerror(1));
    cr_expect_not_null(tomerge_strerror(-99));
    cr_expect_str_eq(tomerge_cpu_name(0), "scalar");
    cr_expect_str_eq(tomerge_cpu_name(1u << 31), "scalar");
    for (int method = -1; method < 99; method++) {
        cr_expect_eq(tomerge_max_r(method, 0, 0), 0);
        cr_expect_eq(tomerge_max_r(method, 1, SIZE_MAX), 0);
    }
    cr_expect_eq(tomerge_max_r(-1, 9, 0), 0);
    cr_expect_eq(tomerge_max_r(99, 9, 0), 0);
    cr_expect_eq(tomerge_method_needs(-1), 0);
    cr_expect_eq(tomerge_method_needs(99), 0);
    tomerge_options_init(NULL);
}
