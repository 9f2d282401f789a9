/* SPDX-License-Identifier: MIT */
/* AIMv2's image tower in transformers: RMSNorm, gated MLPs, no biases, no class
 * token. [transformers, models/aimv2] */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define JOINED(name, a, b, c) \
    {name ".weight", {a ".weight", b ".weight", c ".weight"}, VIT_AS_IS}, \
    {name ".bias", {a ".bias", b ".bias", c ".bias"}, VIT_AS_IS}
#define LAYER "encoder.layers.#."
#define SELF LAYER "attention."

static const vit_rule rules[] = {
    {"pos_embed", {"embeddings.position_embedding.weight"}, VIT_TOKENS},
    BOTH("patch_embed.proj", "embeddings.patch_embed"),
    {"patch_embed.norm.weight", {"embeddings.rms_norm.weight"}, VIT_AS_IS},
    {"blocks.#.norm1.weight", {LAYER "rms_norm1.weight"}, VIT_AS_IS},
    JOINED("blocks.#.attn.qkv", SELF "q_proj", SELF "k_proj", SELF "v_proj"),
    BOTH("blocks.#.attn.proj", SELF "out_proj"),
    {"blocks.#.norm2.weight", {LAYER "rms_norm2.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.weight", {LAYER "ffn.gate_proj.weight",
     LAYER "ffn.up_proj.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.bias", {LAYER "ffn.gate_proj.bias",
     LAYER "ffn.up_proj.bias"}, VIT_AS_IS},
    BOTH("blocks.#.mlp.fc2", LAYER "ffn.down_proj"),
    {"norm.weight", {"rms_norm.weight"}, VIT_AS_IS},
    {0},
};

static const vit_implied implied[] = {
    {"norm", "rms", 1}, {"norm_eps", "1e-5", 0}, {"pool", "mean", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_aimv2 = {
    .name = "Hugging Face AIMv2",
    .anchor = "embeddings.patch_embed.weight",
    .witness = "encoder.layers.0.rms_norm1.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};
