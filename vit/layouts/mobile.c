/* SPDX-License-Identifier: MIT */
/*
 * Encoders of images made of MobileLLM's blocks, whose tensors have the names
 * that language models of Llama's kind have. [arXiv 2402.14905]
 */
#include "config.h"

#include "layout.h"

#define LAYER "layers.#."

static const vit_rule rules[] = {
    {"patch_embed.proj.weight", {"patch_embed.weight"}, VIT_AS_IS},
    {"patch_embed.proj.bias", {"patch_embed.bias"}, VIT_AS_IS},
    {"blocks.#.norm1.weight", {LAYER "input_layernorm.weight"}, VIT_AS_IS},
    {"blocks.#.attn.qkv.weight",
     {LAYER "self_attn.q_proj.weight", LAYER "self_attn.k_proj.weight",
      LAYER "self_attn.v_proj.weight"}, VIT_AS_IS},
    {"blocks.#.attn.proj.weight", {LAYER "self_attn.o_proj.weight"},
     VIT_AS_IS},
    {"blocks.#.norm2.weight", {LAYER "post_attention_layernorm.weight"},
     VIT_AS_IS},
    {"blocks.#.mlp.fc1.weight",
     {LAYER "mlp.gate_proj.weight", LAYER "mlp.up_proj.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.weight", {LAYER "mlp.down_proj.weight"}, VIT_AS_IS},
    {"norm.weight", {"norm.weight"}, VIT_AS_IS},
    {"head.weight", {"head.weight"}, VIT_AS_IS},
    {"head.bias", {"head.bias"}, VIT_AS_IS},
    {0},
};

static const vit_implied implied[] = {
    {"norm", "rms", 1}, {"order", "places", 1}, {"norm_eps", "1e-5", 0},
    {"positions", "rotary index theta=100 axes=hw layout=quarters", 0},
    {"share", "1", 0}, {"family", "mobile", 1}, {0},
};

const vit_layout tomevit_layout_mobile = {
    .name = "MobileLLM",
    .anchor = "patch_embed.weight",
    .witness = "layers.0.self_attn.q_proj.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};
