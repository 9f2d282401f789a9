/* SPDX-License-Identifier: MIT */
/*
 * torchvision's names, old and new, and those of SWAG, which they come from.
 * [torchvision, models/vision_transformer.py; facebookresearch/SWAG,
 * models/vision_transformer.py]
 */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}

/* torchvision calls a layer encoder_layer_N, SWAG layer_N: the rules have
 * both. */
#define LAYER "encoder.layers.encoder_layer_#."
#define SWAG "encoder.layers.layer_#."

#define IN_LAYERS(layer) \
    BOTH("blocks.#.norm1", layer "ln_1"), \
    {"blocks.#.attn.qkv.weight", {layer "self_attention.in_proj_weight"}, \
     VIT_AS_IS}, \
    {"blocks.#.attn.qkv.bias", {layer "self_attention.in_proj_bias"}, \
     VIT_AS_IS}, \
    BOTH("blocks.#.attn.proj", layer "self_attention.out_proj"), \
    BOTH("blocks.#.norm2", layer "ln_2"), \
    BOTH("blocks.#.mlp.fc1", layer "mlp.0"), \
    BOTH("blocks.#.mlp.fc2", layer "mlp.3"), \
    BOTH("blocks.#.mlp.fc1", layer "mlp.linear_1"), \
    BOTH("blocks.#.mlp.fc2", layer "mlp.linear_2")

static const vit_rule rules[] = {
    {"cls_token", {"class_token"}, VIT_AS_IS},
    {"pos_embed", {"encoder.pos_embedding"}, VIT_TOKENS},
    BOTH("patch_embed.proj", "conv_proj"),
    IN_LAYERS(LAYER),
    BOTH("norm", "encoder.ln"),
    BOTH("head", "heads.head"),
    BOTH("head", "head"),
    {0},
};

static const vit_rule swag_rules[] = {
    {"cls_token", {"class_token"}, VIT_AS_IS},
    {"pos_embed", {"encoder.pos_embedding"}, VIT_TOKENS},
    BOTH("patch_embed.proj", "conv_proj"),
    IN_LAYERS(SWAG),
    BOTH("norm", "encoder.ln"),
    BOTH("head", "head"),
    {0},
};

static const vit_implied implied[] = {
    {"norm_eps", "1e-6", 1}, {"activation", "gelu", 1},
    {"position_resize", "bicubic_corners", 1}, {0},
};

const vit_layout tomevit_layout_torchvision = {
    .name = "torchvision",
    .anchor = "conv_proj.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};

const vit_layout tomevit_layout_swag = {
    .name = "SWAG",
    .anchor = "conv_proj.weight",
    .witness = "encoder.layers.layer_0.ln_1.weight",
    .layer = SWAG,
    .rules = swag_rules,
    .implied = implied,
};
