/* SPDX-License-Identifier: MIT */
/* Small models with random weights, on every tier and in every type. */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H

#include "draws.h"
#include "../vit/checkpoint/checkpoint.h"
#include "../vit/model/model.h"
#include "model_tiers.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SIDE = 32, CLASSES = 10 };

/* A small model: random weights, 4 layers, widths that fill no tile. */
static inline tomevit_description small_description(int pool, int fc_norm,
                                             int distilled)
{
    tomevit_description d = {
        .dim = 48, .depth = 4, .heads = 3, .mlp_dim = 500, .patch = 4,
        .image_size = SIDE, .classes = CLASSES, .tokens = 64,
        .qkv_bias = 1, .norm_eps = 1e-6f, .pool = pool, .fc_norm = fc_norm,
        .pos_embed = 1, .final_norm = 1, .pool_heads = 3, .pool_mlp_dim = 500,
        .class_token = 1, .distilled = distilled, .patch_bias = 1,
        .head_bias = 1, .features = 48,
    };

    if (pool == TOMEVIT_POOL_CLASS_MEAN)
        d.features = 2 * d.dim;
    if (pool == TOMEVIT_POOL_QUERY) {
        d.features = 90;
        d.pool_queries = 5;
        d.pool_mlp_dim = 0;
    }
    d.class_token = pool == TOMEVIT_POOL_CLASS ||
                    pool == TOMEVIT_POOL_QUERY ||
                    pool == TOMEVIT_POOL_CLASS_MEAN || fc_norm;
    d.prefix = d.pos_prefix = (size_t)d.class_token + (size_t)d.distilled;
    d.tokens += d.prefix;
    for (int k = 0; k < 3; k++)
        d.preprocessing.mean[k] = d.preprocessing.std[k] = 0.5f;
    return d;
}

static inline int stays(const tomevit_description *d, enum vit_tensor t)
{
    return t == VIT_ATTN_NORM_WEIGHT || t == VIT_MLP_NORM_WEIGHT ||
           (t >= VIT_RANGE_Q_SEEN && t <= VIT_RANGE_MLP) ||
           t == VIT_NORM1_POST || t == VIT_NORM2_POST || t == VIT_STD_SCALE ||
           (d->rms_norm && (t == VIT_Q_NORM_WEIGHT ||
                            t == VIT_K_NORM_WEIGHT)) ||
           (d->pool == TOMEVIT_POOL_QUERY && (t == VIT_QUERY_NORM_WEIGHT ||
                                              t == VIT_POOL_NORM_WEIGHT));
}

/* Weights large enough that attention and GELU leave their linear parts; what
 * norms inside attention and MLP multiply by stays about 1, or every layer
 * would make rounding so much larger, and so would the norms of a query and of
 * what it sees, those of queries and keys without a mean, and those behind
 * attention and MLP beside others before them. */
static inline int read_stronger(void *self, enum vit_tensor t, size_t layer,
                         float *out)
{
    vit_random *random = self;
    size_t n = tomevit_shape_in(random->description, layer, t, NULL, NULL);
    vit_source weak = tomevit_random_source(random);
    int error = weak.read(weak.self, t, layer, out);

    for (size_t i = 0; i < n && !stays(random->description, t); i++)
        out[i] *= 6.0f;
    /* Ranges that products of the same rows share in the first layer alone. */
    if (t >= VIT_RANGE_Q_SEEN && t <= VIT_RANGE_MLP && layer > 0)
        out[t % 2] *= 0.25f + 0.25f * (float)(t % 3);
    return error;
}

/* What the models to come compute in. */
static int dtype = TOMEVIT_F32;

static inline tomevit_model *model_of(const tomevit_description *d)
{
    vit_random random = {d, 17};
    tomevit_open_options with;
    tomevit_model *model;

    tomevit_open_options_init(&with);
    with.dtype = dtype;
    cr_assert_eq(tomevit_model_build(d, &with,
                                     (vit_source){.read = read_stronger,
                                                  .self = &random},
                                     &model), 0);
    return model;
}

/* Runs `check` with bf16 and int8 under every CPU mask of this machine. */
static inline void each_narrow_tier(void (*check)(const char *tier))
{
    const char *tier;

    for (int at = 0; (tier = next_cpu_tier(&at));)
        for (dtype = TOMEVIT_BF16; dtype <= TOMEVIT_INT8; dtype++)
            check(tier);
    dtype = TOMEVIT_F32;
}

static inline uint8_t *random_crops(size_t count)
{
    uint8_t *crops = malloc(count * SIDE * SIDE * 3);
    uint64_t state = 3;

    cr_assert(crops);
    for (size_t i = 0; i < count * SIDE * SIDE * 3; i++)
        crops[i] = (uint8_t)(draw_64(&state) >> 56);
    return crops;
}

#endif
