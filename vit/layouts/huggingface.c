/* SPDX-License-Identifier: MIT */
/*
 * The names of Hugging Face's transformers: ViT, DeiT, DINOv2 (with and
 * without registers), and the image towers of CLIP, SigLIP and SigLIP 2.
 * [transformers, models/vit, deit, dinov2, clip, siglip, siglip2]
 */
#include "config.h"

#include "layout.h"

/* Weight and bias of one and of three joined modules. */
#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define JOINED(name, a, b, c) \
    {name ".weight", {a ".weight", b ".weight", c ".weight"}, VIT_AS_IS}, \
    {name ".bias", {a ".bias", b ".bias", c ".bias"}, VIT_AS_IS}

#define LAYER "encoder.layer.#."
#define SHORT "layers.#."

/* Once a layer: as files have it, and as version 5 has it in memory. */
#define IN_LAYERS(layer) \
    BOTH("blocks.#.norm1", layer "layernorm_before"), \
    BOTH("blocks.#.norm1", layer "norm1"), \
    JOINED("blocks.#.attn.qkv", layer "attention.attention.query", \
           layer "attention.attention.key", \
           layer "attention.attention.value"), \
    JOINED("blocks.#.attn.qkv", layer "attention.q_proj", \
           layer "attention.k_proj", layer "attention.v_proj"), \
    BOTH("blocks.#.attn.proj", layer "attention.output.dense"), \
    BOTH("blocks.#.attn.proj", layer "attention.o_proj"), \
    {"blocks.#.ls1.gamma", {layer "layer_scale1.lambda1"}, VIT_AS_IS}, \
    BOTH("blocks.#.norm2", layer "layernorm_after"), \
    BOTH("blocks.#.norm2", layer "norm2"), \
    BOTH("blocks.#.mlp.fc1", layer "intermediate.dense"), \
    BOTH("blocks.#.mlp.fc1", layer "mlp.fc1"), \
    BOTH("blocks.#.mlp.fc1", layer "mlp.weights_in"), \
    BOTH("blocks.#.mlp.fc2", layer "output.dense"), \
    BOTH("blocks.#.mlp.fc2", layer "mlp.fc2"), \
    BOTH("blocks.#.mlp.fc2", layer "mlp.weights_out"), \
    {"blocks.#.ls2.gamma", {layer "layer_scale2.lambda1"}, VIT_AS_IS}

/* Once a model. */
#define OUTSIDE \
    {"cls_token", {"embeddings.cls_token"}, VIT_AS_IS}, \
    {"dist_token", {"embeddings.distillation_token"}, VIT_AS_IS}, \
    {"reg_token", {"embeddings.register_tokens"}, VIT_AS_IS}, \
    {"pos_embed", {"embeddings.position_embeddings"}, VIT_AS_IS}, \
    BOTH("patch_embed.proj", "embeddings.patch_embeddings.projection"), \
    BOTH("norm", "layernorm"), \
    BOTH("head", "classifier"), \
    BOTH("head", "cls_classifier"), \
    BOTH("head_dist", "distillation_classifier")

static const vit_rule rules[] = {OUTSIDE, IN_LAYERS(LAYER), {0}};
static const vit_rule short_rules[] = {OUTSIDE, IN_LAYERS(SHORT), {0}};

/* What the library's configurations begin with; config.json may differ. */
static const vit_implied implied[] = {
    {"norm_eps", "1e-12", 0}, {"activation", "gelu", 0},
    {"position_resize", "bicubic", 1}, {0},
};

const vit_layout tomevit_layout_huggingface = {
    .name = "Hugging Face",
    .anchor = "embeddings.patch_embeddings.projection.weight",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};

static const vit_implied dinov2_implied[] = {
    {"norm_eps", "1e-6", 0}, {"activation", "gelu", 0},
    {"position_resize", "bicubic", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_short = {
    .name = "Hugging Face",
    .anchor = "embeddings.patch_embeddings.projection.weight",
    .witness = "layers.0.layernorm_before.weight",
    .layer = SHORT,
    .rules = short_rules,
    .implied = implied,
};

/* With registers its positions are resized in another way.
 * [transformers, modeling_dinov2_with_registers.py] */
static const vit_implied registers_implied[] = {
    {"norm_eps", "1e-6", 0}, {"activation", "gelu", 0},
    {"position_resize", "bicubic_antialias", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_registers = {
    .name = "Hugging Face DINOv2",
    .anchor = "embeddings.patch_embeddings.projection.weight",
    .witness = "embeddings.register_tokens",
    .layer = LAYER,
    .rules = rules,
    .implied = registers_implied,
};

const vit_layout tomevit_layout_huggingface_dinov2 = {
    .name = "Hugging Face DINOv2",
    .anchor = "embeddings.patch_embeddings.projection.weight",
    .witness = "encoder.layer.0.layer_scale1.lambda1",
    .layer = LAYER,
    .rules = rules,
    .implied = dinov2_implied,
};

#undef LAYER
#define LAYER "encoder.layers.#."
#define SELF LAYER "self_attn."

static const vit_rule clip_rules[] = {
    {"cls_token", {"embeddings.class_embedding"}, VIT_TOKENS},
    {"pos_embed", {"embeddings.position_embedding.weight"}, VIT_TOKENS},
    {"patch_embed.proj.weight", {"embeddings.patch_embedding.weight"},
     VIT_PATCH_ROWS}, /* which it is in SigLIP 2 alone */
    {"patch_embed.proj.bias", {"embeddings.patch_embedding.bias"}, VIT_AS_IS},
    BOTH("norm_pre", "pre_layrnorm"),
    BOTH("blocks.#.norm1", LAYER "layer_norm1"),
    JOINED("blocks.#.attn.qkv", SELF "q_proj", SELF "k_proj", SELF "v_proj"),
    BOTH("blocks.#.attn.proj", SELF "out_proj"),
    BOTH("blocks.#.norm2", LAYER "layer_norm2"),
    BOTH("blocks.#.mlp.fc1", LAYER "mlp.fc1"),
    BOTH("blocks.#.mlp.fc2", LAYER "mlp.fc2"),
    BOTH("norm", "post_layernorm"),
    {"attn_pool.latent", {"head.probe"}, VIT_AS_IS},
    {"attn_pool.q.weight", {"head.attention.in_proj_weight"},
     VIT_FIRST_THIRD},
    {"attn_pool.q.bias", {"head.attention.in_proj_bias"}, VIT_FIRST_THIRD},
    {"attn_pool.kv.weight", {"head.attention.in_proj_weight"},
     VIT_OTHER_THIRDS},
    {"attn_pool.kv.bias", {"head.attention.in_proj_bias"}, VIT_OTHER_THIRDS},
    BOTH("attn_pool.proj", "head.attention.out_proj"),
    BOTH("attn_pool.norm", "head.layernorm"),
    BOTH("attn_pool.mlp.fc1", "head.mlp.fc1"),
    BOTH("attn_pool.mlp.fc2", "head.mlp.fc2"),
    BOTH("head", "classifier"),
    {"logit_scale", {"logit_scale"}, VIT_VECTOR},
    {"logit_bias", {"logit_bias"}, VIT_VECTOR},
    {0},
};

static const vit_implied clip_implied[] = {
    {"norm_eps", "1e-5", 0}, {"activation", "quick_gelu", 0},
    {"position_resize", "bicubic", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_clip = {
    .name = "Hugging Face CLIP",
    .anchor = "embeddings.patch_embedding.weight",
    .witness = "embeddings.class_embedding",
    .layer = LAYER,
    .rules = clip_rules,
    .implied = clip_implied,
};

static const vit_implied siglip_implied[] = {
    {"norm_eps", "1e-6", 0}, {"activation", "gelu_tanh", 0},
    {"position_resize", "bicubic", 1}, {0},
};

const vit_layout tomevit_layout_huggingface_siglip = {
    .name = "Hugging Face SigLIP",
    .anchor = "embeddings.patch_embedding.weight",
    .layer = LAYER,
    .rules = clip_rules,
    .implied = siglip_implied,
};

/* NaFlex: images keep their proportions, patches go through a product of rows.
 * [SigLIP 2, arXiv 2502.14786, section 2.3] */
static const vit_implied siglip2_implied[] = {
    {"norm_eps", "1e-6", 0}, {"activation", "gelu_tanh", 0},
    {"position_resize", "linear_antialias", 1}, {"max_patches", "256", 0},
    {"interpolation", "bilinear", 0}, {0},
};

const vit_layout tomevit_layout_huggingface_siglip2 = {
    .name = "Hugging Face SigLIP 2",
    .anchor = "embeddings.patch_embedding.weight",
    .dims = 2,
    .layer = LAYER,
    .rules = clip_rules,
    .implied = siglip2_implied,
};
