/* SPDX-License-Identifier: MIT */
/* The image tower of OpenAI's CLIP and of open_clip.
 * [openai/CLIP, clip/model.py; open_clip, src/open_clip/transformer.py] */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define LAYER "transformer.resblocks.#."

#define TOWER \
    {"cls_token", {"class_embedding"}, VIT_TOKENS}, \
    {"pos_embed", {"positional_embedding"}, VIT_TOKENS}, \
    {"patch_embed.proj.weight", {"conv1.weight"}, VIT_AS_IS}, \
    {"patch_embed.proj.bias", {"conv1.bias"}, VIT_AS_IS}, \
    BOTH("norm_pre", "ln_pre"), \
    BOTH("blocks.#.norm1", LAYER "ln_1"), \
    {"blocks.#.attn.qkv.weight", {LAYER "attn.in_proj_weight"}, VIT_AS_IS}, \
    {"blocks.#.attn.qkv.bias", {LAYER "attn.in_proj_bias"}, VIT_AS_IS}, \
    BOTH("blocks.#.attn.proj", LAYER "attn.out_proj"), \
    {"blocks.#.ls1.gamma", {LAYER "ls_1.gamma"}, VIT_AS_IS}, \
    BOTH("blocks.#.norm2", LAYER "ln_2"), \
    BOTH("blocks.#.mlp.fc1", LAYER "mlp.c_fc"), \
    BOTH("blocks.#.mlp.fc2", LAYER "mlp.c_proj"), \
    {"blocks.#.ls2.gamma", {LAYER "ls_2.gamma"}, VIT_AS_IS}, \
    {"visual_projection.weight", {"proj"}, VIT_TRANSPOSED}, \
    {"logit_scale", {"logit_scale"}, VIT_VECTOR}, \
    {"logit_bias", {"logit_bias"}, VIT_VECTOR}

static const vit_rule rules[] = {TOWER, BOTH("norm", "ln_post"), {0}};

/* A norm of what the queries see takes the place of the last, which comes
 * behind them. torch has one matrix of three where all widths are the same. */
#define POOL "attn_pool.attn."
static const vit_rule coca_rules[] = {
    TOWER,
    BOTH("norm", "attn_pool.ln_k"),
    {"attn_pool.query", {"attn_pool.query"}, VIT_AS_IS},
    BOTH("attn_pool.query_norm", "attn_pool.ln_q"),
    {"attn_pool.q.weight", {POOL "q_proj_weight"}, VIT_AS_IS},
    {"attn_pool.q.weight", {POOL "in_proj_weight"}, VIT_FIRST_THIRD},
    {"attn_pool.q.bias", {POOL "in_proj_bias"}, VIT_FIRST_THIRD},
    {"attn_pool.kv.weight", {POOL "k_proj_weight", POOL "v_proj_weight"},
     VIT_AS_IS},
    {"attn_pool.kv.weight", {POOL "in_proj_weight"}, VIT_OTHER_THIRDS},
    {"attn_pool.kv.bias", {POOL "in_proj_bias"}, VIT_OTHER_THIRDS},
    BOTH("attn_pool.proj", POOL "out_proj"),
    BOTH("attn_pool.norm", "ln_post"),
    {"attn_pool_contrastive.query", {"attn_pool_contrastive.query"},
     VIT_AS_IS},
    {0},
};

static const vit_implied implied[] = {
    {"norm_eps", "1e-5", 0}, {"activation", "gelu", 0}, {0},
};

static const vit_implied openai_implied[] = {
    {"norm_eps", "1e-5", 1}, {"activation", "quick_gelu", 1}, {0},
};

/* OpenAI's own files have this number among the tensors. */
const vit_layout tomevit_layout_openai = {
    .name = "OpenAI CLIP",
    .anchor = "conv1.weight",
    .witness = "context_length",
    .layer = LAYER,
    .rules = rules,
    .implied = openai_implied,
};

const vit_layout tomevit_layout_coca = {
    .name = "CoCa",
    .anchor = "conv1.weight",
    .witness = "attn_pool.query",
    .layer = LAYER,
    .rules = coca_rules,
    .implied = implied,
};

/* ResNets have a conv1.weight, too, but no class embedding. */
const vit_layout tomevit_layout_clip = {
    .name = "CLIP",
    .anchor = "conv1.weight",
    .witness = "class_embedding",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};
