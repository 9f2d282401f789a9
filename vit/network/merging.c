/* SPDX-License-Identifier: MIT */
/* Defaults and names of how tokens merge inside a model. */
#include "config.h"

#include <string.h>

#include "tomevit.h"

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

enum {
    METRICS = sizeof(names) / sizeof(*names),
    PLACES = sizeof(places) / sizeof(*places)
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
