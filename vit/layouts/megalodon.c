/* SPDX-License-Identifier: MIT */
/* Megalodon as an encoder of images: the names that its authors gave a block's
 * tensors, and those of mega-image around the blocks. [XuezheMax/megalodon] */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define MEGA "blocks.#.mega."
#define NFFN "blocks.#.nffn."

static const vit_rule rules[] = {
    BOTH("patch_embed.proj", "patch_embed.pemb.proj"),
    {"pos_embed", {"pos_embed"}, VIT_AS_IS},
    BOTH("blocks.#.norm1", MEGA "timenorm"),
    BOTH("blocks.#.mega.v", MEGA "wv"),
    {MEGA "mx.weight", {MEGA "wz.weight", MEGA "wr.weight", MEGA "wh1.weight"},
     VIT_AS_IS},
    {MEGA "mx.bias", {MEGA "wz.bias", MEGA "wr.bias", MEGA "wh1.bias"},
     VIT_AS_IS},
    {MEGA "h.weight", {MEGA "wh2.weight"}, VIT_AS_IS},
    {MEGA "gamma", {MEGA "gamma"}, VIT_AS_IS},
    {MEGA "beta", {MEGA "beta"}, VIT_AS_IS},
    {MEGA "rms.weight", {MEGA "rmsnorm.weight"}, VIT_AS_IS},
    {MEGA "ema.alpha", {MEGA "cema.alpha"}, VIT_AS_IS},
    {MEGA "ema.delta", {MEGA "cema.delta"}, VIT_AS_IS},
    {MEGA "ema.theta", {MEGA "cema.theta"}, VIT_AS_IS},
    {MEGA "ema.gamma", {MEGA "cema.gamma"}, VIT_AS_IS},
    {MEGA "ema.omega", {MEGA "cema.omega"}, VIT_VECTOR},
    BOTH("blocks.#.norm2", NFFN "norm"),
    /* SwiGLU's two halves, or one */
    {"blocks.#.mlp.fc1.weight", {NFFN "fc1.weight", NFFN "fc3.weight"},
     VIT_AS_IS},
    {"blocks.#.mlp.fc1.weight", {NFFN "fc1.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.weight", {NFFN "fc2.weight"}, VIT_AS_IS},
    {"blocks.#.ls2.gamma", {NFFN "alpha"}, VIT_AS_IS},
    BOTH("norm", "final_norm"),
    BOTH("head", "head"),
    {0},
};

static const vit_implied implied[] = {
    {"norm_eps", "1e-5", 1}, {"activation", "silu", 1}, {"pool", "mean", 1},
    {"family", "megalodon", 1}, {0},
};

const vit_layout tomevit_layout_megalodon = {
    .name = "megalodon",
    .anchor = "blocks.0.mega.cema.alpha",
    .witness = "patch_embed.pemb.proj.weight",
    .layer = "blocks.#.",
    .rules = rules,
    .implied = implied,
};
