/* SPDX-License-Identifier: MIT */
/*
 * DINOv3's own names, which EUPE's files have as well, and those that it has in
 * transformers. Of the bias of queries, keys and values a mask keeps what is
 * not the keys'; what stands there for them may be anything, even NaN.
 * [facebookresearch/dinov3, dinov3/layers/attention.py; transformers,
 * models/dinov3_vit]
 */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define JOINED(name, a, b) \
    {name ".weight", {a ".weight", b ".weight"}, VIT_AS_IS}, \
    {name ".bias", {a ".bias", b ".bias"}, VIT_AS_IS}

#define LAYER "blocks.#."
#define RULES \
    {"reg_token", {"storage_tokens"}, VIT_AS_IS}, \
    {"rope.periods", {"rope_embed.periods"}, VIT_AS_IS}, \
    JOINED(LAYER "mlp.fc1", LAYER "mlp.w1", LAYER "mlp.w2"), \
    BOTH(LAYER "mlp.fc2", LAYER "mlp.w3")

static const vit_rule rules[] = {RULES, {0}};
static const vit_rule masked_rules[] = {
    {LAYER "attn.q_bias", {LAYER "attn.qkv.bias"}, VIT_FIRST_THIRD},
    {LAYER "attn.v_bias", {LAYER "attn.qkv.bias"}, VIT_LAST_THIRD},
    RULES, {0}
};

#define POSITIONS "rotary centred theta=100 axes=hw layout=halves"

static const vit_implied implied[] = {
    {"norm_eps", "1e-5", 1}, {"activation", "gelu", 1},
    {"positions", POSITIONS, 1}, {0},
};

const vit_layout tomevit_layout_dinov3_masked = {
    .name = "DINOv3",
    .anchor = "patch_embed.proj.weight",
    .witness = "blocks.0.attn.qkv.bias_mask",
    .layer = LAYER,
    .rules = masked_rules,
    .implied = implied,
};

const vit_layout tomevit_layout_dinov3 = {
    .name = "DINOv3",
    .anchor = "patch_embed.proj.weight",
    .witness = "storage_tokens",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};

/* Once a layer, as files have it and as it is in memory. */
#define IN_LAYERS(layer) \
    BOTH("blocks.#.norm1", layer "norm1"), \
    {"blocks.#.attn.qkv.weight", {layer "attention.q_proj.weight", \
     layer "attention.k_proj.weight", layer "attention.v_proj.weight"}, \
     VIT_AS_IS}, \
    {"blocks.#.attn.q_bias", {layer "attention.q_proj.bias"}, VIT_AS_IS}, \
    {"blocks.#.attn.v_bias", {layer "attention.v_proj.bias"}, VIT_AS_IS}, \
    BOTH("blocks.#.attn.proj", layer "attention.o_proj"), \
    {"blocks.#.ls1.gamma", {layer "layer_scale1.lambda1"}, VIT_AS_IS}, \
    BOTH("blocks.#.norm2", layer "norm2"), \
    JOINED("blocks.#.mlp.fc1", layer "mlp.gate_proj", layer "mlp.up_proj"), \
    BOTH("blocks.#.mlp.fc1", layer "mlp.up_proj"), \
    BOTH("blocks.#.mlp.fc2", layer "mlp.down_proj"), \
    {"blocks.#.ls2.gamma", {layer "layer_scale2.lambda1"}, VIT_AS_IS}
#define OUTSIDE \
    {"cls_token", {"embeddings.cls_token"}, VIT_AS_IS}, \
    {"reg_token", {"embeddings.register_tokens"}, VIT_AS_IS}, \
    BOTH("patch_embed.proj", "embeddings.patch_embeddings")

static const vit_rule hf_rules[] = {OUTSIDE, IN_LAYERS("layer.#."), {0}};
static const vit_rule hf_memory_rules[] = {
    OUTSIDE, IN_LAYERS("model.layer.#."), {0}
};

/* What the library's configuration begins with. */
static const vit_implied hf_implied[] = {
    {"norm_eps", "1e-5", 0}, {"activation", "gelu", 0},
    {"positions", POSITIONS, 0}, {0},
};

const vit_layout tomevit_layout_huggingface_dinov3_memory = {
    .name = "Hugging Face DINOv3",
    .anchor = "embeddings.patch_embeddings.weight",
    .witness = "model.layer.0.norm1.weight",
    .layer = "model.layer.#.",
    .rules = hf_memory_rules,
    .implied = hf_implied,
};

const vit_layout tomevit_layout_huggingface_dinov3 = {
    .name = "Hugging Face DINOv3",
    .anchor = "embeddings.patch_embeddings.weight",
    .witness = "layer.0.layer_scale1.lambda1",
    .layer = "layer.#.",
    .rules = hf_rules,
    .implied = hf_implied,
};
