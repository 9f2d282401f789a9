/* SPDX-License-Identifier: MIT */
/* Defaults and names of how tokens merge inside a model. */
#include "config.h"

#include <string.h>

#include "grid.h"
#include "pooling.h"

static const char *const names[] = {
    [TOMEVIT_METRIC_K] = "K",
    [TOMEVIT_METRIC_Q] = "Q",
    [TOMEVIT_METRIC_V] = "V",
    [TOMEVIT_METRIC_X] = "X",
    [TOMEVIT_METRIC_K_UNTURNED] = "K-unturned",
    [TOMEVIT_METRIC_Q_UNTURNED] = "Q-unturned",
};

static const char *const places[] = {
    [TOMEVIT_ROPE_DESTINATION] = "destination",
    [TOMEVIT_ROPE_CENTROID] = "centroid",
    [TOMEVIT_ROPE_MEAN] = "mean",
};

static const char *const averages[] = {
    [TOMEVIT_EMA_UNMERGE] = "unmerge",
    [TOMEVIT_EMA_PLACE] = "place",
    [TOMEVIT_EMA_STEPS] = "steps",
    [TOMEVIT_EMA_ROWS] = "rows",
};

enum {
    METRICS = sizeof(names) / sizeof(*names),
    PLACES = sizeof(places) / sizeof(*places),
    AVERAGES = sizeof(averages) / sizeof(*averages)
};

void tomevit_merging_init(tomevit_merging *merging)
{
    if (!merging)
        return;
    memset(merging, 0, sizeof(*merging));
    merging->struct_size = sizeof(*merging);
    tomerge_options_init(&merging->matching);
    merging->combine = TOMERGE_WEIGHTED;
    merging->metric = TOMEVIT_METRIC_K;
    merging->prop_attn = 1;
    merging->rope_merge = TOMEVIT_ROPE_MEAN;
    merging->ema_merge = TOMEVIT_EMA_UNMERGE;
}

const char *tomevit_metric_name(int metric)
{
    return metric >= 0 && metric < METRICS ? names[metric] : NULL;
}

static int from_name(const char *const *list, int count, const char *name,
                     int *value)
{
    if (!value)
        return TOMEVIT_EINVAL;
    for (int i = 0; name && i < count; i++)
        if (!strcmp(list[i], name)) {
            *value = i;
            return 0;
        }
    return TOMEVIT_EINVAL;
}

int tomevit_metric_from_name(const char *name, int *metric)
{
    return from_name(names, METRICS, name, metric);
}

const char *tomevit_rope_merge_name(int how)
{
    return how >= 0 && how < PLACES ? places[how] : NULL;
}

int tomevit_rope_merge_from_name(const char *name, int *how)
{
    return from_name(places, PLACES, name, how);
}

const char *tomevit_ema_merge_name(int how)
{
    return how >= 0 && how < AVERAGES ? averages[how] : NULL;
}

int tomevit_ema_merge_from_name(const char *name, int *how)
{
    return from_name(averages, AVERAGES, name, how);
}

/* ---- layer by layer ------------------------------------------------------ */

tomerge_options tomevit_options_at(const tomevit_merging *merging, size_t layer)
{
    tomerge_options options = merging->matching;

    if (merging->layers) {
        const tomevit_layer_merging *at = &merging->layers[layer];

        options.method = at->method;
        options.threshold = at->threshold;
        options.cutoff = at->cutoff;
        options.prune = at->prune;
    }
    return options;
}

int tomevit_combine_at(const tomevit_merging *merging, size_t layer)
{
    return merging->layers ? merging->layers[layer].combine : merging->combine;
}

/* A cutoff of 0 is below all attention that there is. */
int tomevit_ranks_at(const tomevit_merging *merging, size_t layer)
{
    tomerge_options options = tomevit_options_at(merging, layer);

    return (tomerge_method_needs(options.method) &
            TOMERGE_NEEDS_IMPORTANCE) != 0 ||
           (options.method == TOMERGE_THRESHOLD && options.cutoff > 0);
}

uint32_t tomevit_needs_of(const tomevit_description *d,
                          const tomevit_merging *merging)
{
    uint32_t needs = 0;

    for (size_t i = 0; i < d->depth; i++)
        needs |= tomerge_method_needs(tomevit_options_at(merging, i).method);
    return needs;
}

/* What is compared and weighed has to be there by then. */
static int check_where(const tomevit_description *d,
                       const tomevit_merging *merging, size_t layer)
{
    int method = tomevit_options_at(merging, layer).method;
    int combine = tomevit_combine_at(merging, layer);

    if (merging->where == TOMEVIT_MERGE_BETWEEN)
        return 0;
    if (d->block != TOMEVIT_BLOCK_VIT || d->parallel ||
        (tomerge_method_needs(method) & TOMERGE_NEEDS_METRIC &&
         merging->metric != TOMEVIT_METRIC_X))
        return TOMEVIT_EINVAL;
    return merging->where == TOMEVIT_MERGE_AHEAD &&
                   (method != TOMERGE_MCTF ||
                    (combine != TOMERGE_WEIGHTED && combine != TOMERGE_MEAN))
               ? TOMEVIT_EINVAL : 0;
}

static int check_layer(const tomevit_description *d,
                       const tomevit_merging *merging, size_t layer)
{
    tomerge_options options = tomevit_options_at(merging, layer);
    size_t bytes;

    options.why = NULL;
    if (check_where(d, merging, layer))
        return TOMEVIT_EINVAL;
    /* Mega's attention is no share that sums to one, nor is a difference or
     * a mix of heads'; Megalodon's is not kept. */
    if ((d->block != TOMEVIT_BLOCK_VIT || d->differential || d->talking) &&
        tomevit_ranks_at(merging, layer))
        return TOMEVIT_EINVAL;
    if (options.method == TOMERGE_GIVEN &&
        (!merging->tile || merging->tile > tomevit_grid_rows(d) ||
         merging->tile > tomevit_grid_columns(d)))
        return TOMEVIT_EINVAL;
    if (options.cutoff != options.cutoff ||
        !tomerge_combine_name(tomevit_combine_at(merging, layer)))
        return TOMEVIT_EINVAL;
    return tomerge_match_workspace(&options, d->tokens, d->dim, &bytes)
               ? TOMEVIT_EINVAL : 0;
}

int tomevit_check_matching(const tomevit_description *d,
                           const tomevit_merging *merging)
{
    for (size_t i = 0; i < d->depth; i++)
        if (check_layer(d, merging, i))
            return TOMEVIT_EINVAL;
    return 0;
}
