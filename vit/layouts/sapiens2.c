/* SPDX-License-Identifier: MIT */
/*
 * Sapiens2's own names, which transformers saves its models under as well.
 * What it keeps of rotary positions is not read: angles are worked out in f32,
 * as both libraries that run these files do.
 * [timm, models/eva.py: checkpoint_filter_fn; transformers, models/sapiens2;
 * arXiv 2604.21681]
 */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define LAYER "blocks.#."

static const vit_rule rules[] = {
    {"reg_token", {"storage_tokens"}, VIT_AS_IS},
    BOTH("patch_embed.proj", "patch_embed.projection"),
    {"norm.weight", {"ln1.weight"}, VIT_AS_IS},
    {LAYER "norm1.weight", {LAYER "ln1.weight"}, VIT_AS_IS},
    {LAYER "attn.qkv.weight",
     {LAYER "attn.wq.weight", LAYER "attn.wk.weight", LAYER "attn.wv.weight"},
     VIT_AS_IS},
    {LAYER "attn.qkv.bias",
     {LAYER "attn.wq.bias", LAYER "attn.wk.bias", LAYER "attn.wv.bias"},
     VIT_AS_IS},
    {LAYER "ls1.gamma", {LAYER "attn.gamma.weight"}, VIT_AS_IS},
    {LAYER "norm2.weight", {LAYER "ln2.weight"}, VIT_AS_IS},
    BOTH(LAYER "mlp.fc1", LAYER "ffn.w12"),
    BOTH(LAYER "mlp.fc2", LAYER "ffn.w3"),
    {0},
};

static const vit_implied implied[] = {
    {"norm", "rms", 1}, {"norm_eps", "1e-6", 0}, {"activation", "silu", 0},
    {"positions", "rotary centred theta=100 axes=hw layout=halves", 0}, {0},
};

const vit_layout tomevit_layout_sapiens2 = {
    .name = "Sapiens2",
    .anchor = "patch_embed.projection.weight",
    .witness = "blocks.0.attn.wq.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};
