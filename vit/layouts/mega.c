/* SPDX-License-Identifier: MIT */
/* Mega for images, as its authors publish it. [XuezheMax/mega-image, timm/
 * models/mega] */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define LAYER "blocks.#.mega_layer."

static const vit_rule rules[] = {
    BOTH("patch_embed.proj", "patch_embed.pemb.proj"),
    {"pos_embed", {"pos_embed"}, VIT_AS_IS},
    BOTH("blocks.#.norm1", LAYER "norm.norm"),
    BOTH("blocks.#.mega.v", LAYER "v_proj"),
    BOTH("blocks.#.mega.mx", LAYER "mx_proj"),
    BOTH("blocks.#.mega.h", LAYER "h_proj"),
    {"blocks.#.mega.gamma", {LAYER "gamma"}, VIT_AS_IS},
    {"blocks.#.mega.beta", {LAYER "beta"}, VIT_AS_IS},
    {"blocks.#.mega.rel_pos_bias", {LAYER "rel_pos_bias.rel_pos_bias"},
     VIT_AS_IS},
    {"blocks.#.mega.ema.alpha", {LAYER "move.alpha"}, VIT_AS_IS},
    {"blocks.#.mega.ema.delta", {LAYER "move.delta"}, VIT_AS_IS},
    {"blocks.#.mega.ema.beta", {LAYER "move.beta"}, VIT_AS_IS},
    {"blocks.#.mega.ema.gamma", {LAYER "move.gamma"}, VIT_AS_IS},
    {"blocks.#.mega.ema.omega", {LAYER "move.omega"}, VIT_VECTOR},
    BOTH("blocks.#.norm2", "blocks.#.nffn.norm.norm"),
    BOTH("blocks.#.mlp.fc1", "blocks.#.nffn.fc1"),
    BOTH("blocks.#.mlp.fc2", "blocks.#.nffn.fc2"),
    BOTH("norm", "final_norm.norm"),
    BOTH("out_proj", "out_proj.fc"),
    BOTH("head", "head"),
    {0},
};

static const vit_implied implied[] = {
    {"norm_eps", "1e-5", 1}, {"activation", "silu", 1}, {"pool", "mean", 1},
    {"attention", "laplace", 0}, {"family", "mega", 1}, {0},
};

const vit_layout tomevit_layout_mega = {
    .name = "mega-image",
    .anchor = "patch_embed.pemb.proj.weight",
    .witness = "blocks.0.mega_layer.mx_proj.weight",
    .layer = "blocks.#.",
    .rules = rules,
    .implied = implied,
};
