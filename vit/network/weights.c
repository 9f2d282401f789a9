/* SPDX-License-Identifier: MIT */
/* What the rows of tensors.def say of names, shapes and existence. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "weights.h"

/* What a dimension's length is. */
enum {
    NONE, ONE, RGB, DIM, QKV, HEAD_DIM, MLP, FC1, PATCH, POSITIONS, REGISTERS,
    FEATURES, CLASSES, DIM2, EMBEDDING, POOL_MLP, TWO, DEPTH, HEADS, PAIRS,
    PAIRS2, DISTANCES, SHARED, VALUE, MIX, STATES, REL_BIASES,
    CELL, CELLS_HIDDEN, CELLS_OUT, REL_HIDDEN, HALF_HEAD,
    SIDE, JOINT, PATCH_CHANNELS, PATCH_SIDE, STEM_WIDTH_0, STEM_WIDTH_1,
    STEM_SIDE_0, STEM_SIDE_1, POOLED, POOLED2, QUERY_ROWS, THREE, STAGE_STEM,
    STAGE_0, STAGE_1, INNER_0, INNER_1
};

/* When a tensor exists. */
enum {
    ALWAYS, OF_MEGA, OF_MEGALODON, OF_AVERAGES,
    LAYER_SCALE_1, HAS_NORM_BIAS, CELLS, CELLS_NORM,
    CLASS_TOKEN, DISTILLED, REGISTER_TOKENS,
    HAS_PATCH_BIAS, NORM_PRE,
    HAS_QKV_BIAS, QK_NORM, LAYER_SCALE, ATTENTION_POOL, HEAD, HAS_HEAD_BIAS,
    PROJECT, HAS_PROJECT_BIAS, ZERO_SHOT, HAS_LOGIT_SCALE, HAS_LOGIT_BIAS,
    HAS_POS_EMBED, FINAL_NORM, FINAL_NORM_BIAS, HAS_QV_BIAS, ATTN_NORM,
    MLP_NORM, HAS_PERIODS,
    MIXED_ROPE, HAS_QK_NORM_BIAS, PATCH_NORM, HAS_PATCH_NORM_BIAS, RELATIVE,
    RELATIVE_MLP, RELATIVE_SHARED, DIFFERENTIAL, TALKING, CLASS_LAYERS,
    CLASS_LAYERS_0, CLASS_LAYERS_BIAS_0, CLASS_LAYERS_1, CLASS_LAYERS_BIAS_1,
    HAS_QKV, HAS_PROJ, HAS_PROJ_BIAS, HAS_NORM2, HAS_NORM2_BIAS, HAS_FC1,
    HAS_FC1_BIAS, HAS_FC2, HAS_FC2_BIAS, PARALLEL, PARALLEL_BIAS,
    PARALLEL_UNBIASED, PARALLEL_JOINT, NORM_PRE_BIASED, STEM, LEARNT_QUERY,
    FIRST_QUERY, STAGES, STAGE_0_WIDENS, STAGE_1_WIDENS, MLP_NORM_FIRST,
    SANDWICHED, RANGED, STANDARDIZED
};

typedef struct row {
    const char *name;
    unsigned char when, shape[4];
} row;

static const row table[VIT_TENSORS] = {
#define SHAPE(...) {__VA_ARGS__}
#define TENSOR(identifier, name, when, shape, place) \
    [VIT_##identifier] = {name, when, SHAPE shape},
#define LAYER_TENSOR TENSOR
#include "tensors.def"
#undef LAYER_TENSOR
#undef TENSOR
};

static size_t length_of(const tomevit_description *d, size_t layer,
                        unsigned char symbol)
{
    switch (symbol) {
    case SHARED:
        return d->mega.shared;
    case VALUE:
        return d->mega.value;
    case MIX:
        return tomevit_mix_width(d);
    case STATES:
        return d->mega.states;
    case REL_BIASES:
        return 2 * (d->mega.chunk ? d->mega.chunk : d->tokens) - 1;
    case CELL:
        return d->cells.side * d->cells.side * d->dim;
    case REL_HIDDEN:
        return d->relative_hidden;
    case CELLS_HIDDEN:
        return d->cells.hidden;
    case CELLS_OUT:
        return d->cells.out;
    case TWO:
        return 2;
    case RGB:
        return 3;
    case DIM:
        return d->dim;
    case QKV:
        return d->dim + 2 * tomevit_kv_width(d, layer);
    case DIM2:
        return 2 * d->dim;
    case EMBEDDING:
        return d->embedding;
    case PATCH_CHANNELS:
        return d->stages[0] ? d->stages[2]
               : d->stem_side[0] ? d->stem_width[1] : 3;
    case PATCH_SIDE:
        return d->stages[0] ? 3 : d->stem_side[0] ? d->stem_side[2] : d->patch;
    case THREE:
        return 3;
    case STAGE_STEM:
        return d->stages[0];
    case STAGE_0:
        return d->stages[1];
    case STAGE_1:
        return d->stages[2];
    case INNER_0:
        return VIT_EXPANSION * d->stages[1];
    case INNER_1:
        return VIT_EXPANSION * d->stages[2];
    case STEM_WIDTH_0:
    case STEM_WIDTH_1:
        return d->stem_width[symbol == STEM_WIDTH_1];
    case STEM_SIDE_0:
    case STEM_SIDE_1:
        return d->stem_side[symbol == STEM_SIDE_1];
    case SIDE:
        return d->mlp_dim + 3 * d->dim;
    case JOINT:
        return d->dim + d->mlp_dim;
    case HEAD_DIM:
        return tomevit_head_dim(d);
    case HALF_HEAD:
    case PAIRS:
        return tomevit_head_dim(d) / 2;
    case PAIRS2:
        return tomevit_head_dim(d) / 4;
    case DISTANCES:
        return tomevit_distances(d);
    case DEPTH:
        return d->depth;
    case HEADS:
        return d->heads;
    case POOLED:
        return tomevit_pool_width(d);
    case POOLED2:
        return 2 * tomevit_pool_width(d);
    case QUERY_ROWS:
        return d->pool_queries;
    case POOL_MLP:
        return d->pool_mlp_dim;
    case MLP:
        return d->mlp_dim;
    case FC1:
        return tomevit_fc1_width(d);
    case PATCH:
        return d->patch;
    case POSITIONS:
        return d->pos_prefix + tomevit_grid_patches(d);
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

/* Of products and norms of a layer, which attention and MLP side by side share
 * or have joined. */
static int exists_in_layer(const tomevit_description *d, unsigned char when)
{
    int vit = d->block == TOMEVIT_BLOCK_VIT;
    int mlp_bias = !d->unbiased && !d->mlp_unbiased;

    switch (when) {
    case HAS_QKV:
        return vit && !d->parallel;
    case HAS_QKV_BIAS:
        return d->qkv_bias == 1 && !d->parallel;
    case HAS_PROJ:
        return vit && d->parallel != 2;
    case HAS_PROJ_BIAS:
        return vit && !d->unbiased && d->parallel != 2;
    case HAS_NORM2:
    case HAS_FC1:
        return !d->parallel;
    case HAS_NORM2_BIAS:
        return !d->rms_norm && !d->parallel;
    case HAS_FC1_BIAS:
        return mlp_bias && !d->parallel;
    case HAS_FC2:
        return d->parallel != 2;
    case HAS_FC2_BIAS:
        return mlp_bias && d->parallel != 2;
    case PARALLEL:
        return d->parallel != 0;
    case PARALLEL_BIAS:
        return d->parallel && d->qkv_bias;
    case PARALLEL_UNBIASED:
        return d->parallel && !d->qkv_bias;
    default:
        return d->parallel == 2;
    }
}

/* Of what makes patches. */
static int exists_in_patches(const tomevit_description *d, unsigned char when)
{
    switch (when) {
    case STEM:
        return d->stem_side[0] != 0;
    case STAGES:
        return d->stages[0] != 0;
    case STAGE_0_WIDENS:
        return tomevit_stage_widens(d, 1);
    case STAGE_1_WIDENS:
        return tomevit_stage_widens(d, 2);
    case HAS_PATCH_BIAS:
        return d->patch_bias != 0;
    case PATCH_NORM:
        return d->patch_norm != 0;
    case HAS_PATCH_NORM_BIAS:
        return d->patch_norm && !d->rms_norm;
    default:
        return exists_in_layer(d, when);
    }
}

static int exists(const tomevit_description *d, unsigned char when)
{
    switch (when) {
    case OF_MEGA:
        return d->block == TOMEVIT_BLOCK_MEGA;
    case OF_MEGALODON:
        return d->block == TOMEVIT_BLOCK_MEGALODON;
    case OF_AVERAGES:
        return d->block != TOMEVIT_BLOCK_VIT;
    case LAYER_SCALE_1:
        return d->layer_scale && d->block == TOMEVIT_BLOCK_VIT;
    case HAS_NORM_BIAS:
        return !d->rms_norm;
    case CELLS:
        return d->pool == TOMEVIT_POOL_CELLS;
    case CELLS_NORM:
        return d->pool == TOMEVIT_POOL_CELLS && d->cells.norm;
    case CLASS_TOKEN:
        return d->class_token != 0;
    case DISTILLED:
        return d->distilled != 0;
    case REGISTER_TOKENS:
        return d->registers != 0;
    case NORM_PRE:
        return d->norm_pre != 0;
    case NORM_PRE_BIASED:
        return d->norm_pre && !d->rms_norm;
    case HAS_QV_BIAS:
        return d->qkv_bias == 2;
    case HAS_POS_EMBED:
        return d->pos_embed != 0;
    case HAS_PERIODS:
        return d->rope.periods == TOMEVIT_PERIODS_READ;
    case MIXED_ROPE:
        return d->rope.kind == TOMEVIT_ROTARY_MIXED;
    case FINAL_NORM:
        return d->final_norm != 0;
    case FINAL_NORM_BIAS:
        return d->final_norm && !d->rms_norm;
    case ATTN_NORM:
        return d->attn_norm != 0;
    case MLP_NORM:
        return d->mlp_norm == 1;
    case MLP_NORM_FIRST:
        return d->mlp_norm == 2;
    case SANDWICHED:
        return d->post_norm == 2;
    case RANGED:
        return d->ranges != 0;
    case STANDARDIZED:
        return d->bare_norm == 3;
    case HAS_QK_NORM_BIAS:
        return d->qk_norm && !d->rms_norm;
    case RELATIVE:
        return d->relative == 1;
    case RELATIVE_MLP:
        return d->relative == 2;
    case RELATIVE_SHARED:
        return d->relative == 3;
    case DIFFERENTIAL:
        return d->differential != 0;
    case TALKING:
        return d->talking != 0;
    case CLASS_LAYERS:
    case CLASS_LAYERS_0:
        return d->class_layers > 0;
    case CLASS_LAYERS_BIAS_0:
        return d->class_layers > 0 && d->qkv_bias;
    case CLASS_LAYERS_1:
        return d->class_layers > 1;
    case CLASS_LAYERS_BIAS_1:
        return d->class_layers > 1 && d->qkv_bias;
    case QK_NORM:
        return d->qk_norm != 0;
    case LAYER_SCALE:
        return d->layer_scale == 1;
    case ATTENTION_POOL:
        return d->pool == TOMEVIT_POOL_ATTENTION;
    case LEARNT_QUERY:
        return tomevit_pool_width(d) > 0;
    case FIRST_QUERY:
        return d->pool == TOMEVIT_POOL_QUERY;
    case HEAD:
        return d->classes != 0 && !d->zero_shot;
    case HAS_HEAD_BIAS:
        return d->classes != 0 && !d->zero_shot && d->head_bias;
    case PROJECT:
        return d->projection != 0;
    case HAS_PROJECT_BIAS:
        return d->projection && d->projection_bias;
    case ZERO_SHOT:
        return d->zero_shot != 0;
    case HAS_LOGIT_SCALE:
        return d->logit_scale != 0;
    case HAS_LOGIT_BIAS:
        return d->logit_bias != 0;
    case ALWAYS:
        return 1;
    default:
        return exists_in_patches(d, when);
    }
}

size_t tomevit_shape_in(const tomevit_description *d, size_t layer,
                        enum vit_tensor t, size_t shape[4], size_t *dims)
{
    size_t elements = 1, i;

    if (!exists(d, table[t].when))
        return 0;
    for (i = 0; i < 4 && table[t].shape[i] != NONE; i++) {
        size_t length = length_of(d, layer, table[t].shape[i]);

        elements *= length;
        if (shape)
            shape[i] = length;
    }
    if (dims)
        *dims = i;
    return elements;
}

size_t tomevit_tensor_shape(const tomevit_description *d, enum vit_tensor t,
                            size_t shape[4], size_t *dims)
{
    return tomevit_shape_in(d, 0, t, shape, dims);
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

    for (int t = 0; t < VIT_TENSORS; t++) {
        size_t layers = t < VIT_FIRST_OF_LAYER ? 1 : tomevit_own_layers(d);

        for (size_t layer = 0; layer < layers; layer++)
            sum += tomevit_shape_in(d, layer, (enum vit_tensor)t, NULL, NULL);
    }
    return sum;
}
