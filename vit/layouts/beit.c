/* SPDX-License-Identifier: MIT */
/*
 * BEiT's, data2vec's and InternVL's names in transformers. Keys have no bias
 * in the first two, and positions are relative; InternVL's have neither a norm
 * behind the last layer. [transformers, models/beit, data2vec, internvl]
 */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define TABLE "relative_position_bias.relative_position_bias_table"
#define FILES "encoder.layer.#."
#define MEMORY "layers.#."

/* Once a model. */
#define OUTSIDE \
    {"cls_token", {"embeddings.cls_token"}, VIT_AS_IS}, \
    {"pos_embed", {"embeddings.position_embeddings"}, VIT_AS_IS}, \
    BOTH("patch_embed.proj", "embeddings.patch_embeddings.projection"), \
    BOTH("norm", "layernorm"), \
    BOTH("fc_norm", "pooler.layernorm"), \
    {"rel_pos_bias.relative_position_bias_table", {"encoder." TABLE}, \
     VIT_AS_IS}, \
    {"rel_pos_bias.relative_position_bias_table", {TABLE}, VIT_AS_IS}, \
    BOTH("head", "classifier")

/* Once a layer. */
#define NORMS(layer) \
    BOTH("blocks.#.norm1", layer "layernorm_before"), \
    BOTH("blocks.#.norm2", layer "layernorm_after"), \
    {"blocks.#.ls1.gamma", {layer "lambda_1"}, VIT_AS_IS}, \
    {"blocks.#.ls2.gamma", {layer "lambda_2"}, VIT_AS_IS}
#define PRODUCTS(layer, q, k, v, table) \
    {"blocks.#.attn.qkv.weight", {layer q ".weight", layer k ".weight", \
     layer v ".weight"}, VIT_AS_IS}, \
    {"blocks.#.attn.q_bias", {layer q ".bias"}, VIT_AS_IS}, \
    {"blocks.#.attn.v_bias", {layer v ".bias"}, VIT_AS_IS}, \
    {"blocks.#.attn.relative_position_bias_table", {layer table}, VIT_AS_IS}

static const vit_rule rules[] = {
    OUTSIDE, NORMS(FILES),
    PRODUCTS(FILES, "attention.attention.query", "attention.attention.key",
             "attention.attention.value", "attention.attention." TABLE),
    BOTH("blocks.#.attn.proj", FILES "attention.output.dense"),
    BOTH("blocks.#.mlp.fc1", FILES "intermediate.dense"),
    BOTH("blocks.#.mlp.fc2", FILES "output.dense"), {0},
};

static const vit_rule memory_rules[] = {
    OUTSIDE, NORMS(MEMORY),
    PRODUCTS(MEMORY, "attention.q_proj", "attention.k_proj",
             "attention.v_proj", TABLE),
    BOTH("blocks.#.attn.proj", MEMORY "attention.o_proj"),
    BOTH("blocks.#.mlp.fc1", MEMORY "mlp.fc1"),
    BOTH("blocks.#.mlp.fc2", MEMORY "mlp.fc2"), {0},
};

/* What the library's configurations begin with; config.json may differ. */
static const vit_implied implied[] = {
    {"norm_eps", "1e-12", 0}, {"activation", "gelu", 0},
    {"position_resize", "bicubic", 1}, {0},
};

#define ANCHOR "embeddings.patch_embeddings.projection.weight"

const vit_layout tomevit_layout_huggingface_beit = {
    .name = "Hugging Face BEiT",
    .anchor = ANCHOR,
    .witness = "encoder.layer.0.lambda_1",
    .layer = FILES,
    .rules = rules,
    .implied = implied,
};

/* Without scales of the layers. */
const vit_layout tomevit_layout_huggingface_beit_unscaled = {
    .name = "Hugging Face BEiT",
    .anchor = ANCHOR,
    .witness = "encoder.layer.0.attention.attention." TABLE,
    .layer = FILES,
    .rules = rules,
    .implied = implied,
};

const vit_layout tomevit_layout_huggingface_beit_memory = {
    .name = "Hugging Face BEiT",
    .anchor = ANCHOR,
    .witness = "layers.0.lambda_1",
    .layer = MEMORY,
    .rules = memory_rules,
    .implied = implied,
};

/* ---- InternVL ------------------------------------------------------------ */

#define SELF FILES "attention."

static const vit_rule internvl_rules[] = {
    OUTSIDE, NORMS(FILES),
    {"blocks.#.attn.qkv.weight", {SELF "q_proj.weight", SELF "k_proj.weight",
     SELF "v_proj.weight"}, VIT_AS_IS},
    {"blocks.#.attn.qkv.bias", {SELF "q_proj.bias", SELF "k_proj.bias",
     SELF "v_proj.bias"}, VIT_AS_IS},
    BOTH("blocks.#.attn.proj", SELF "projection_layer"),
    BOTH("blocks.#.mlp.fc1", FILES "mlp.fc1"),
    BOTH("blocks.#.mlp.fc2", FILES "mlp.fc2"), {0},
};

static const vit_implied internvl_implied[] = {
    {"norm_eps", "1e-6", 0}, {"activation", "gelu", 0},
    {"pool", "class", 0}, {"final_norm", "none", 1},
    {"position_resize", "bicubic", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_internvl = {
    .name = "Hugging Face InternVL",
    .anchor = ANCHOR,
    .witness = "encoder.layer.0.attention.projection_layer.weight",
    .layer = FILES,
    .rules = internvl_rules,
    .implied = internvl_implied,
};
