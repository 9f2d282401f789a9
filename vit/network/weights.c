/* SPDX-License-Identifier: MIT */
/* The one table of a model's tensors: names, shapes, existence. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "weights.h"

/* What a dimension's length is. */
enum {
    NONE, ONE, RGB, DIM, DIM3, HEAD_DIM, MLP, FC1, PATCH, POSITIONS, REGISTERS,
    FEATURES, CLASSES, DIM2, EMBEDDING
};

/* When a tensor exists. */
enum {
    ALWAYS, CLASS_TOKEN, DISTILLED, REGISTER_TOKENS, PATCH_BIAS, NORM_PRE,
    QKV_BIAS, QK_NORM, LAYER_SCALE, ATTENTION_POOL, HEAD, HEAD_BIAS, PROJECT,
    PROJECT_BIAS, ZERO_SHOT, LOGIT_SCALE, LOGIT_BIAS
};

typedef struct row {
    const char *name;
    unsigned char when, shape[4];
} row;

#define VECTOR {DIM, NONE, NONE, NONE}

static const row table[VIT_TENSORS] = {
    [VIT_CLS_TOKEN] = {"cls_token", CLASS_TOKEN, {ONE, ONE, DIM}},
    [VIT_DIST_TOKEN] = {"dist_token", DISTILLED, {ONE, ONE, DIM}},
    [VIT_REG_TOKEN] = {"reg_token", REGISTER_TOKENS, {ONE, REGISTERS, DIM}},
    [VIT_POS_EMBED] = {"pos_embed", ALWAYS, {ONE, POSITIONS, DIM}},
    [VIT_PATCH_WEIGHT] = {"patch_embed.proj.weight", ALWAYS,
                          {DIM, RGB, PATCH, PATCH}},
    [VIT_PATCH_BIAS] = {"patch_embed.proj.bias", PATCH_BIAS, VECTOR},
    [VIT_NORM_PRE_WEIGHT] = {"norm_pre.weight", NORM_PRE, VECTOR},
    [VIT_NORM_PRE_BIAS] = {"norm_pre.bias", NORM_PRE, VECTOR},
    [VIT_NORM_WEIGHT] = {"norm.weight", ALWAYS, VECTOR},
    [VIT_NORM_BIAS] = {"norm.bias", ALWAYS, VECTOR},
    [VIT_POOL_LATENT] = {"attn_pool.latent", ATTENTION_POOL, {ONE, ONE, DIM}},
    [VIT_POOL_Q_WEIGHT] = {"attn_pool.q.weight", ATTENTION_POOL, {DIM, DIM}},
    [VIT_POOL_Q_BIAS] = {"attn_pool.q.bias", ATTENTION_POOL, VECTOR},
    [VIT_POOL_KV_WEIGHT] = {"attn_pool.kv.weight", ATTENTION_POOL,
                            {DIM2, DIM}},
    [VIT_POOL_KV_BIAS] = {"attn_pool.kv.bias", ATTENTION_POOL, {DIM2}},
    [VIT_POOL_PROJ_WEIGHT] = {"attn_pool.proj.weight", ATTENTION_POOL,
                              {DIM, DIM}},
    [VIT_POOL_PROJ_BIAS] = {"attn_pool.proj.bias", ATTENTION_POOL, VECTOR},
    [VIT_POOL_NORM_WEIGHT] = {"attn_pool.norm.weight", ATTENTION_POOL, VECTOR},
    [VIT_POOL_NORM_BIAS] = {"attn_pool.norm.bias", ATTENTION_POOL, VECTOR},
    [VIT_POOL_FC1_WEIGHT] = {"attn_pool.mlp.fc1.weight", ATTENTION_POOL,
                             {MLP, DIM}},
    [VIT_POOL_FC1_BIAS] = {"attn_pool.mlp.fc1.bias", ATTENTION_POOL, {MLP}},
    [VIT_POOL_FC2_WEIGHT] = {"attn_pool.mlp.fc2.weight", ATTENTION_POOL,
                             {DIM, MLP}},
    [VIT_POOL_FC2_BIAS] = {"attn_pool.mlp.fc2.bias", ATTENTION_POOL, VECTOR},
    [VIT_HEAD_WEIGHT] = {"head.weight", HEAD, {CLASSES, FEATURES}},
    [VIT_HEAD_BIAS] = {"head.bias", HEAD_BIAS, {CLASSES}},
    [VIT_PROJECT_WEIGHT] = {"visual_projection.weight", PROJECT,
                            {EMBEDDING, FEATURES}},
    [VIT_PROJECT_BIAS] = {"visual_projection.bias", PROJECT_BIAS, {EMBEDDING}},
    [VIT_TEXT] = {"text_embeddings", ZERO_SHOT, {CLASSES, EMBEDDING}},
    [VIT_LOGIT_SCALE] = {"logit_scale", LOGIT_SCALE, {ONE}},
    [VIT_LOGIT_BIAS] = {"logit_bias", LOGIT_BIAS, {ONE}},
    [VIT_HEAD_DIST_WEIGHT] = {"head_dist.weight", DISTILLED, {CLASSES, DIM}},
    [VIT_HEAD_DIST_BIAS] = {"head_dist.bias", DISTILLED, {CLASSES}},
    [VIT_NORM1_WEIGHT] = {"norm1.weight", ALWAYS, VECTOR},
    [VIT_NORM1_BIAS] = {"norm1.bias", ALWAYS, VECTOR},
    [VIT_QKV_WEIGHT] = {"attn.qkv.weight", ALWAYS, {DIM3, DIM}},
    [VIT_QKV_BIAS] = {"attn.qkv.bias", QKV_BIAS, {DIM3}},
    [VIT_Q_NORM_WEIGHT] = {"attn.q_norm.weight", QK_NORM, {HEAD_DIM}},
    [VIT_Q_NORM_BIAS] = {"attn.q_norm.bias", QK_NORM, {HEAD_DIM}},
    [VIT_K_NORM_WEIGHT] = {"attn.k_norm.weight", QK_NORM, {HEAD_DIM}},
    [VIT_K_NORM_BIAS] = {"attn.k_norm.bias", QK_NORM, {HEAD_DIM}},
    [VIT_PROJ_WEIGHT] = {"attn.proj.weight", ALWAYS, {DIM, DIM}},
    [VIT_PROJ_BIAS] = {"attn.proj.bias", ALWAYS, VECTOR},
    [VIT_SCALE1] = {"ls1.gamma", LAYER_SCALE, VECTOR},
    [VIT_NORM2_WEIGHT] = {"norm2.weight", ALWAYS, VECTOR},
    [VIT_NORM2_BIAS] = {"norm2.bias", ALWAYS, VECTOR},
    [VIT_FC1_WEIGHT] = {"mlp.fc1.weight", ALWAYS, {FC1, DIM}},
    [VIT_FC1_BIAS] = {"mlp.fc1.bias", ALWAYS, {FC1}},
    [VIT_FC2_WEIGHT] = {"mlp.fc2.weight", ALWAYS, {DIM, MLP}},
    [VIT_FC2_BIAS] = {"mlp.fc2.bias", ALWAYS, VECTOR},
    [VIT_SCALE2] = {"ls2.gamma", LAYER_SCALE, VECTOR},
};

static size_t length_of(const tomevit_description *d, unsigned char symbol)
{
    switch (symbol) {
    case RGB:
        return 3;
    case DIM:
        return d->dim;
    case DIM3:
        return 3 * d->dim;
    case DIM2:
        return 2 * d->dim;
    case EMBEDDING:
        return d->embedding;
    case HEAD_DIM:
        return d->dim / d->heads;
    case MLP:
        return d->mlp_dim;
    case FC1:
        return tomevit_fc1_width(d);
    case PATCH:
        return d->patch;
    case POSITIONS:
        return d->pos_prefix + d->tokens - d->prefix;
    case REGISTERS:
        return d->registers;
    case FEATURES:
        return d->features;
    case CLASSES:
        return d->classes;
    default:
        return 1;
    }
}

static int exists(const tomevit_description *d, unsigned char when)
{
    switch (when) {
    case CLASS_TOKEN:
        return d->class_token != 0;
    case DISTILLED:
        return d->distilled != 0;
    case REGISTER_TOKENS:
        return d->registers != 0;
    case PATCH_BIAS:
        return d->patch_bias != 0;
    case NORM_PRE:
        return d->norm_pre != 0;
    case QKV_BIAS:
        return d->qkv_bias != 0;
    case QK_NORM:
        return d->qk_norm != 0;
    case LAYER_SCALE:
        return d->layer_scale != 0;
    case ATTENTION_POOL:
        return d->pool == TOMEVIT_POOL_ATTENTION;
    case HEAD:
        return d->classes != 0 && !d->zero_shot;
    case HEAD_BIAS:
        return d->classes != 0 && !d->zero_shot && d->head_bias;
    case PROJECT:
        return d->projection != 0;
    case PROJECT_BIAS:
        return d->projection && d->projection_bias;
    case ZERO_SHOT:
        return d->zero_shot != 0;
    case LOGIT_SCALE:
        return d->logit_scale != 0;
    case LOGIT_BIAS:
        return d->logit_bias != 0;
    default:
        return 1;
    }
}

size_t tomevit_tensor_shape(const tomevit_description *d, enum vit_tensor t,
                            size_t shape[4], size_t *dims)
{
    size_t elements = 1, i;

    if (!exists(d, table[t].when))
        return 0;
    for (i = 0; i < 4 && table[t].shape[i] != NONE; i++) {
        size_t length = length_of(d, table[t].shape[i]);

        elements *= length;
        if (shape)
            shape[i] = length;
    }
    if (dims)
        *dims = i;
    return elements;
}

void tomevit_tensor_name(const tomevit_description *d, enum vit_tensor t,
                         size_t layer, char name[64])
{
    if (t >= VIT_FIRST_OF_LAYER)
        snprintf(name, 64, "blocks.%zu.%s", layer, table[t].name);
    else if (d->fc_norm && (t == VIT_NORM_WEIGHT || t == VIT_NORM_BIAS))
        snprintf(name, 64, "fc_%s", table[t].name);
    else
        snprintf(name, 64, "%s", table[t].name);
}

int tomevit_tensor_known(const tomevit_description *d, size_t layer,
                         const char *name)
{
    char known[64];
    int t;

    for (t = 0; t < VIT_TENSORS; t++) {
        if (!exists(d, table[t].when))
            continue;
        tomevit_tensor_name(d, (enum vit_tensor)t, layer, known);
        if (!strcmp(known, name))
            return 1;
    }
    return 0;
}

uint64_t tomevit_count_parameters(const tomevit_description *d)
{
    uint64_t sum = 0;
    int t;

    for (t = 0; t < VIT_TENSORS; t++) {
        uint64_t elements =
            tomevit_tensor_shape(d, (enum vit_tensor)t, NULL, NULL);

        sum += t < VIT_FIRST_OF_LAYER ? elements : elements * d->depth;
    }
    return sum;
}
