/* SPDX-License-Identifier: MIT */
/*
 * Gemma 4's vision tower: in timm an encoder, and a classifier on one; in
 * transformers an encoder, alone or inside a language model. A layer has two
 * norms before and two behind its parts, which have timm's usual names in
 * another order; ranges that products' inputs and outputs are cut off at are
 * two numbers each here. What a patch's pixels are in a row of the first
 * product: timm has channels first, transformers' image processors have them
 * last. [timm, models/gemma4_vit.py; transformers, models/gemma4:
 * modeling_gemma4.py, image_processing_gemma4.py]
 */
#include "config.h"

#include "layout.h"

#define LAYER "blocks.#."
#define RANGE(name, from, side) \
    {LAYER name "." side "_range", {LAYER from "." side "_min", \
     LAYER from "." side "_max"}, VIT_VECTOR}
#define RANGES(name, from) \
    RANGE(name, from, "input"), RANGE(name, from, "output")

static const vit_rule rules[] = {
    {"patch_embed.proj.weight", {"patch_embed.input_proj.weight"},
     VIT_PATCH_PLANES},
    {"pos_embed", {"patch_embed.position_embedding_table"}, VIT_AS_IS},
    {LAYER "norm1_post.weight", {LAYER "norm2.weight"}, VIT_AS_IS},
    {LAYER "norm2.weight", {LAYER "norm3.weight"}, VIT_AS_IS},
    {LAYER "norm2_post.weight", {LAYER "norm4.weight"}, VIT_AS_IS},
    {LAYER "attn.qkv.weight",
     {LAYER "attn.q_proj.linear.weight", LAYER "attn.k_proj.linear.weight",
      LAYER "attn.v_proj.linear.weight"}, VIT_AS_IS},
    {LAYER "attn.proj.weight", {LAYER "attn.o_proj.linear.weight"}, VIT_AS_IS},
    {LAYER "mlp.fc1.weight",
     {LAYER "mlp.gate_proj.linear.weight", LAYER "mlp.up_proj.linear.weight"},
     VIT_AS_IS},
    {LAYER "mlp.fc2.weight", {LAYER "mlp.down_proj.linear.weight"}, VIT_AS_IS},
    RANGES("attn.q", "attn.q_proj"), RANGES("attn.k", "attn.k_proj"),
    RANGES("attn.v", "attn.v_proj"), RANGES("attn.proj", "attn.o_proj"),
    RANGES("mlp.gate", "mlp.gate_proj"), RANGES("mlp.up", "mlp.up_proj"),
    RANGES("mlp.fc2", "mlp.down_proj"),
    {0},
};

#define HF "encoder.layers.#."
#define HF_RANGE(name, from, side) \
    {LAYER name "." side "_range", {HF from "." side "_min", \
     HF from "." side "_max"}, VIT_VECTOR}
#define HF_RANGES(name, from) \
    HF_RANGE(name, from, "input"), HF_RANGE(name, from, "output")

static const vit_rule transformers_rules[] = {
    {"patch_embed.proj.weight", {"patch_embedder.input_proj.weight"},
     VIT_PATCH_ROWS},
    {"pos_embed", {"patch_embedder.position_embedding_table"}, VIT_AS_IS},
    {LAYER "norm1.weight", {HF "input_layernorm.weight"}, VIT_AS_IS},
    {LAYER "norm1_post.weight", {HF "post_attention_layernorm.weight"},
     VIT_AS_IS},
    {LAYER "norm2.weight", {HF "pre_feedforward_layernorm.weight"}, VIT_AS_IS},
    {LAYER "norm2_post.weight", {HF "post_feedforward_layernorm.weight"},
     VIT_AS_IS},
    {LAYER "attn.qkv.weight",
     {HF "self_attn.q_proj.linear.weight", HF "self_attn.k_proj.linear.weight",
      HF "self_attn.v_proj.linear.weight"}, VIT_AS_IS},
    {LAYER "attn.q_norm.weight", {HF "self_attn.q_norm.weight"}, VIT_AS_IS},
    {LAYER "attn.k_norm.weight", {HF "self_attn.k_norm.weight"}, VIT_AS_IS},
    {LAYER "attn.proj.weight", {HF "self_attn.o_proj.linear.weight"},
     VIT_AS_IS},
    {LAYER "mlp.fc1.weight",
     {HF "mlp.gate_proj.linear.weight", HF "mlp.up_proj.linear.weight"},
     VIT_AS_IS},
    {LAYER "mlp.fc2.weight", {HF "mlp.down_proj.linear.weight"}, VIT_AS_IS},
    HF_RANGES("attn.q", "self_attn.q_proj"),
    HF_RANGES("attn.k", "self_attn.k_proj"),
    HF_RANGES("attn.v", "self_attn.v_proj"),
    HF_RANGES("attn.proj", "self_attn.o_proj"),
    HF_RANGES("mlp.gate", "mlp.gate_proj"),
    HF_RANGES("mlp.up", "mlp.up_proj"),
    HF_RANGES("mlp.fc2", "mlp.down_proj"),
    {0},
};

/* What its configuration may change is not sure. */
#define IMPLIED \
    {"norm", "rms", 1}, {"block", "sandwich_norm", 1}, \
    {"attention", "normed", 1}, {"gate", "gelu_tanh", 1}, \
    {"pixels", "signed", 1}, {"position_table", "columns and rows", 1}, \
    {"position_resize", "table", 1}, {"patch_bias", "none", 1}, \
    {"norm_eps", "1e-6", 0}, \
    {"positions", "rotary index theta=100 axes=xy layout=quarters", 0}

static const vit_implied classifier[] = {
    IMPLIED, {"final_norm", "none", 0}, {"bare_norm", "after pooling", 0}, {0},
};
static const vit_implied encoder[] = {
    IMPLIED, {"final_norm", "none", 0}, {"bare_norm", "scaled", 0}, {0},
};
static const vit_implied transformers_encoder[] = {
    IMPLIED, {"final_norm", "none", 1}, {"bare_norm", "scaled", 1}, {0},
};

const vit_layout tomevit_layout_gemma4_classifier = {
    .name = "timm Gemma 4",
    .anchor = "patch_embed.input_proj.weight",
    .witness = "head.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = classifier,
};

const vit_layout tomevit_layout_gemma4 = {
    .name = "timm Gemma 4",
    .anchor = "patch_embed.input_proj.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = encoder,
};

const vit_layout tomevit_layout_huggingface_gemma4 = {
    .name = "Hugging Face Gemma 4",
    .anchor = "patch_embedder.input_proj.weight",
    .layer = HF,
    .rules = transformers_rules,
    .implied = transformers_encoder,
};
