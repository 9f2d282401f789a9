/* SPDX-License-Identifier: MIT */
/* Defaults and names of how tokens merge inside a model. */
#include "config.h"

#include <string.h>

#include "tomevit.h"

static const char names[][2] = {
    [TOMEVIT_METRIC_K] = "K",
    [TOMEVIT_METRIC_Q] = "Q",
    [TOMEVIT_METRIC_V] = "V",
    [TOMEVIT_METRIC_X] = "X",
};

enum { METRICS = sizeof(names) / sizeof(*names) };

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
}

const char *tomevit_metric_name(int metric)
{
    return metric >= 0 && metric < METRICS ? names[metric] : NULL;
}

int tomevit_metric_from_name(const char *name, int *metric)
{
    int i;

    if (!metric)
        return TOMEVIT_EINVAL;
    for (i = 0; name && i < METRICS; i++)
        if (!strcmp(names[i], name)) {
            *metric = i;
            return 0;
        }
    return TOMEVIT_EINVAL;
}
