/* SPDX-License-Identifier: MIT */
/* Names without what stands before them in a training run's checkpoint. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

enum { NAME = 512 };

/* The weight of the patch embedding in every layout, as its names begin
 * without a wrapper; where one ends like another, the longer is first. */
static const char *const anchors[] = {
    "patch_embed.proj.weight",
    "patch_embed.backbone.2.conv.weight",
    "patch_embed.backbone.pool.proj.weight",
    "vit.embeddings.patch_embeddings.projection.weight",
    "deit.embeddings.patch_embeddings.projection.weight",
    "dinov2.embeddings.patch_embeddings.projection.weight",
    "dinov2_with_registers.embeddings.patch_embeddings.projection.weight",
    "embeddings.patch_embeddings.projection.weight",
    "vision_model.embeddings.patch_embedding.weight",
    "visual.conv1.weight",
    "conv_proj.weight",
    "embedding/kernel",
    "v.patch_embd.weight",
};

/* Which of two models in a file is meant, by a word of its prefix. */
static const struct {
    const char *word;
    int rank;
} ranks[] = {
    {"optim", 0}, {"student", 1}, {"teacher", 3}, {"ema", 4},
};

enum { USUAL_RANK = 2 };

/* The length of what stands before an anchor, -1 if the name is none. */
static int prefix_length(const char *name)
{
    size_t length = strlen(name), i;

    for (i = 0; i < sizeof(anchors) / sizeof(*anchors); i++) {
        size_t tail = strlen(anchors[i]);
        size_t before = length > tail ? length - tail : 0;

        if (!strcmp(name + before, anchors[i]) &&
            before < sizeof ((vit_tensors *)0)->prefix &&
            (before == 0 || name[before - 1] == '.' ||
             name[before - 1] == '/'))
            return (int)before;
    }
    return -1;
}

static int rank_of(const char *name, int length)
{
    int rank = USUAL_RANK;
    size_t i;

    for (i = 0; i < sizeof(ranks) / sizeof(*ranks); i++) {
        const char *word = strstr(name, ranks[i].word);

        if (word && word < name + length)
            rank = ranks[i].rank;
    }
    return rank;
}

/* The best prefix; of equals the shorter, then the first. */
static void choose(vit_tensors *tensors)
{
    int best = -1, best_length = 0;
    size_t i;

    for (i = 0; i < tensors->count; i++) {
        const char *name = tensors->list[i].name;
        int length = prefix_length(name), rank;

        if (length < 0)
            continue;
        rank = rank_of(name, length);
        if (rank > best || (rank == best && length < best_length)) {
            best = rank;
            best_length = length;
            snprintf(tensors->prefix, sizeof(tensors->prefix), "%.*s", length,
                     name);
        }
    }
}

/* The length of the longest part of the prefix, up to a '.' or '/', that the
 * name starts with. */
static size_t shared_part(const char *prefix, const char *name)
{
    size_t part = 0, i;

    for (i = 0; prefix[i] && prefix[i] == name[i]; i++)
        if (prefix[i] == '.' || prefix[i] == '/')
            part = i + 1;
    return part;
}

/* 1 if a tensor deeper in the prefix has this name there. */
static int taken(const vit_tensors *tensors, size_t part, const char *rest)
{
    const char *prefix = tensors->prefix;
    char name[NAME];
    size_t i;

    for (i = part; prefix[i]; i++) {
        if (prefix[i] != '.' && prefix[i] != '/')
            continue;
        if (snprintf(name, sizeof(name), "%.*s%s", (int)(i + 1), prefix,
                     rest) >= NAME || tomevit_tensors_find(tensors, name))
            return 1;
    }
    return 0;
}

/* What torch's wrappers of modules put into the names of what they wrap.
 * [torch/distributed/fsdp, algorithms/_checkpoint; torch/_dynamo] */
static const char *const inside[] = {
    "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod.",
};

/* The name without them; NULL without memory. */
static const char *without_inside(vit_tensors *tensors, const char *name)
{
    char *copy = NULL;

    for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++) {
        size_t length = strlen(inside[i]);
        char *at;

        if (!strstr(copy ? copy : name, inside[i]))
            continue;
        if (!copy)
            copy = tomevit_region_text(&tensors->region, name, strlen(name));
        if (!copy)
            return NULL;
        while ((at = strstr(copy, inside[i])))
            memmove(at, at + length, strlen(at + length) + 1);
    }
    return copy ? copy : name;
}

static int take_inside(vit_tensors *tensors)
{
    size_t changed = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        const char *name = tensors->list[i].name;
        const char *rest = without_inside(tensors, name);

        if (!rest)
            return TOMEVIT_ENOMEM;
        changed += rest != name;
        tensors->list[i].name = rest;
    }
    if (changed)
        tomevit_tensors_sort(tensors);
    return 0;
}

int tomevit_tensors_unwrap(vit_tensors *tensors, const vit_report *report)
{
    size_t i, *parts;

    if (take_inside(tensors))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    choose(tensors);
    if (!tensors->prefix[0])
        return 0;
    parts = calloc(tensors->count, sizeof(*parts));
    if (!parts)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    for (i = 0; i < tensors->count; i++) {
        const char *name = tensors->list[i].name;
        size_t part = shared_part(tensors->prefix, name);

        parts[i] = taken(tensors, part, name + part) ? 0 : part;
    }
    for (i = 0; i < tensors->count; i++)
        tensors->list[i].name += parts[i];
    free(parts);
    tomevit_tensors_sort(tensors);
    for (i = 1; i < tensors->count; i++)
        if (!strcmp(tensors->list[i - 1].name, tensors->list[i].name))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "without \"%.80s\" "
                                "two tensors are called \"%.80s\"",
                                tensors->prefix, tensors->list[i].name);
    return 0;
}
