/* SPDX-License-Identifier: MIT */
/*
 * timm's names and their relatives': DeiT, DeiT-III, MAE, DINO and DINOv2
 * publish under the names of the timm of their day.
 * [timm, models/vision_transformer.py; facebookresearch/deit, models_v2.py;
 * facebookresearch/dinov2, dinov2/layers]
 */
#include "config.h"

#include "layout.h"

#define CLASS_LAYER(i) \
    {"blocks_token_only." #i ".attn.kv.weight", \
     {"blocks_token_only." #i ".attn.k.weight", \
      "blocks_token_only." #i ".attn.v.weight"}, VIT_AS_IS}, \
    {"blocks_token_only." #i ".attn.kv.bias", \
     {"blocks_token_only." #i ".attn.k.bias", \
      "blocks_token_only." #i ".attn.v.bias"}, VIT_AS_IS}, \
    {"blocks_token_only." #i ".ls1.gamma", \
     {"blocks_token_only." #i ".gamma_1"}, VIT_AS_IS}, \
    {"blocks_token_only." #i ".ls2.gamma", \
     {"blocks_token_only." #i ".gamma_2"}, VIT_AS_IS},

/* Of queries, keys and values where keys have no bias. */
enum { UNBIASED_KEYS = 2 };

static const vit_rule rules[] = {
    /* the first UNBIASED_KEYS [timm, models/eva.py] */
    {"blocks.#.attn.q_bias", {"blocks.#.attn.q_proj.bias"}, VIT_AS_IS},
    {"blocks.#.attn.v_bias", {"blocks.#.attn.v_proj.bias"}, VIT_AS_IS},
    /* DeiT-III */
    {"blocks.#.ls1.gamma", {"blocks.#.gamma_1"}, VIT_AS_IS},
    {"blocks.#.ls2.gamma", {"blocks.#.gamma_2"}, VIT_AS_IS},
    /* DINOv2 */
    {"reg_token", {"register_tokens"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.weight", {"blocks.#.mlp.w12.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.bias", {"blocks.#.mlp.w12.bias"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.weight", {"blocks.#.mlp.w3.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.bias", {"blocks.#.mlp.w3.bias"}, VIT_AS_IS},
    /* three products for queries, keys, and values [timm, models/eva.py] */
    {"blocks.#.attn.qkv.weight",
     {"blocks.#.attn.q_proj.weight", "blocks.#.attn.k_proj.weight",
      "blocks.#.attn.v_proj.weight"}, VIT_AS_IS},
    {"blocks.#.attn.qkv.bias",
     {"blocks.#.attn.q_proj.bias", "blocks.#.attn.k_proj.bias",
      "blocks.#.attn.v_proj.bias"}, VIT_AS_IS},
    /* timm's SwiGLU with two products */
    {"blocks.#.mlp.fc1.weight",
     {"blocks.#.mlp.fc1_g.weight", "blocks.#.mlp.fc1_x.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.bias",
     {"blocks.#.mlp.fc1_g.bias", "blocks.#.mlp.fc1_x.bias"}, VIT_AS_IS},
    /* ViTamin: stages of convolutions, and products that GELU gates [timm,
     * models/vitamin.py] */
    {"patch_embed.proj.weight", {"patch_embed.backbone.pool.proj.weight"},
     VIT_AS_IS},
    {"patch_embed.proj.bias", {"patch_embed.backbone.pool.proj.bias"},
     VIT_AS_IS},
    {"blocks.#.mlp.fc1.weight",
     {"blocks.#.mlp.w0.weight", "blocks.#.mlp.w1.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc1.bias",
     {"blocks.#.mlp.w0.bias", "blocks.#.mlp.w1.bias"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.weight", {"blocks.#.mlp.w2.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.bias", {"blocks.#.mlp.w2.bias"}, VIT_AS_IS},
    /* three convolutions make patches
     * [timm, models/vision_transformer_hybrid.py] */
    {"patch_embed.proj.weight", {"patch_embed.backbone.2.conv.weight"},
     VIT_AS_IS},
    {"patch_embed.proj.bias", {"patch_embed.backbone.2.conv.bias"}, VIT_AS_IS},
    /* attention and MLP side by side */
    {"blocks.#.norm1.weight", {"blocks.#.in_norm.weight"}, VIT_AS_IS},
    {"blocks.#.norm1.bias", {"blocks.#.in_norm.bias"}, VIT_AS_IS},
    {"blocks.#.attn.proj.weight", {"blocks.#.attn_out_proj.weight"}, VIT_AS_IS},
    {"blocks.#.attn.proj.bias", {"blocks.#.attn_out_proj.bias"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.weight", {"blocks.#.mlp_out_proj.weight"}, VIT_AS_IS},
    {"blocks.#.mlp.fc2.bias", {"blocks.#.mlp_out_proj.bias"}, VIT_AS_IS},
    {"blocks.#.attn.q_norm.weight", {"blocks.#.q_norm.weight"}, VIT_AS_IS},
    {"blocks.#.attn.q_norm.bias", {"blocks.#.q_norm.bias"}, VIT_AS_IS},
    {"blocks.#.attn.k_norm.weight", {"blocks.#.k_norm.weight"}, VIT_AS_IS},
    {"blocks.#.attn.k_norm.bias", {"blocks.#.k_norm.bias"}, VIT_AS_IS},
    {"blocks.#.attn.lambda_q1", {"blocks.#.lambda_q1"}, VIT_AS_IS},
    {"blocks.#.attn.lambda_k1", {"blocks.#.lambda_k1"}, VIT_AS_IS},
    {"blocks.#.attn.lambda_q2", {"blocks.#.lambda_q2"}, VIT_AS_IS},
    {"blocks.#.attn.lambda_k2", {"blocks.#.lambda_k2"}, VIT_AS_IS},
    {"blocks.#.attn.sub_norm.weight", {"blocks.#.sub_norm.weight"}, VIT_AS_IS},
    {"blocks.#.ls1.gamma", {"blocks.#.ls.gamma"}, VIT_AS_IS},
    {"blocks.#.ls2.gamma", {"blocks.#.ls.gamma"}, VIT_AS_IS},
    /* layers of class attention [timm, models/cait.py] */
    CLASS_LAYER(0)
    CLASS_LAYER(1)
    /* what hands patches on to language models
     * [timm, models/deepseek_vit.py] */
    {"merger.fc1.weight", {"aligner.fc1.weight"}, VIT_AS_IS},
    {"merger.fc1.bias", {"aligner.fc1.bias"}, VIT_AS_IS},
    {"merger.fc2.weight", {"aligner.fc2.weight"}, VIT_AS_IS},
    {"merger.fc2.bias", {"aligner.fc2.bias"}, VIT_AS_IS},
    /* beside open_clip's timm towers */
    {"visual_projection.weight", {"head.proj.weight"}, VIT_AS_IS},
    {"visual_projection.bias", {"head.proj.bias"}, VIT_AS_IS},
    {"logit_scale", {"logit_scale"}, VIT_VECTOR},
    {"logit_bias", {"logit_bias"}, VIT_VECTOR},
    {0},
};

#define ANCHOR "patch_embed.proj.weight"
#define LAYER "blocks.#."

const vit_layout tomevit_layout_timm = {
    .name = "timm",
    .anchor = ANCHOR,
    .layer = LAYER,
    .rules = rules,
};

/* Keys have a bias as well, as in Sapiens2. */
const vit_layout tomevit_layout_timm_biased = {
    .name = "timm",
    .anchor = ANCHOR,
    .witness = "blocks.0.attn.k_proj.bias",
    .layer = LAYER,
    .rules = rules + UNBIASED_KEYS,
};

int tomevit_layout_is_timm(const vit_layout *layout)
{
    return layout->rules == rules || layout->rules == rules + UNBIASED_KEYS;
}

/* What MAE's pre-training leaves. */
const vit_layout tomevit_layout_mae = {
    .name = "MAE",
    .anchor = ANCHOR,
    .witness = "decoder_embed.weight",
    .layer = LAYER,
    .rules = rules,
};

const vit_layout tomevit_layout_dinov2_registers = {
    .name = "DINOv2",
    .anchor = ANCHOR,
    .witness = "register_tokens",
    .layer = LAYER,
    .rules = rules,
};

/* Without registers its positions are resized in another way.
 * [dinov2/hub/backbones.py: interpolate_offset] */
static const vit_implied dinov2_implied[] = {
    {"position_resize", "bicubic_offset", 1}, {0},
};

const vit_layout tomevit_layout_dinov2 = {
    .name = "DINOv2",
    .anchor = ANCHOR,
    .witness = "mask_token",
    .layer = LAYER,
    .rules = rules,
    .implied = dinov2_implied,
};
