/* SPDX-License-Identifier: MIT */
/*
 * The names of Google's .npz files: the original ViT and AugReg, and
 * big_vision's (SigLIP's among them), layer by layer or stacked. Kernels are
 * [in, out], attention's with an axis of heads.
 * [google-research/vision_transformer, vit_jax/models_vit.py;
 * google-research/big_vision, big_vision/models/vit.py]
 */
#include "config.h"

#include "layout.h"

#define DENSE(name, from) \
    {name ".weight", {from "/kernel"}, VIT_TRANSPOSED}, \
    {name ".bias", {from "/bias"}, VIT_AS_IS}
#define NORM(name, from) \
    {name ".weight", {from "/scale"}, VIT_AS_IS}, \
    {name ".bias", {from "/bias"}, VIT_AS_IS}
#define OUT(name, from) \
    {name ".weight", {from "/out/kernel"}, VIT_FROM_HEADS}, \
    {name ".bias", {from "/out/bias"}, VIT_AS_IS}

/* attention, the norms before it and before the MLP, and the MLP */
#define IN_LAYERS(layer, attention, norm1, norm2, mlp) \
    NORM("blocks.#.norm1", layer norm1), \
    {"blocks.#.attn.qkv.weight", \
     {layer attention "/query/kernel", layer attention "/key/kernel", \
      layer attention "/value/kernel"}, VIT_TO_HEADS}, \
    {"blocks.#.attn.qkv.bias", \
     {layer attention "/query/bias", layer attention "/key/bias", \
      layer attention "/value/bias"}, VIT_VECTOR}, \
    OUT("blocks.#.attn.proj", layer attention), \
    NORM("blocks.#.norm2", layer norm2), \
    DENSE("blocks.#.mlp.fc1", layer mlp "/Dense_0"), \
    DENSE("blocks.#.mlp.fc2", layer mlp "/Dense_1")

#define LAYER "Transformer/encoderblock_#/"
#define POOL "MAPHead_0/"
#define PROBE POOL "MultiHeadDotProductAttention_0"

static const vit_rule rules[] = {
    {"cls_token", {"cls"}, VIT_AS_IS},
    {"pos_embed", {"Transformer/posembed_input/pos_embedding"}, VIT_TOKENS},
    {"pos_embed", {"pos_embedding"}, VIT_TOKENS},
    {"patch_embed.proj.weight", {"embedding/kernel"}, VIT_HWIO},
    {"patch_embed.proj.bias", {"embedding/bias"}, VIT_AS_IS},
    IN_LAYERS(LAYER, "MultiHeadDotProductAttention_1", "LayerNorm_0",
              "LayerNorm_2", "MlpBlock_3"),
    IN_LAYERS(LAYER, "MultiHeadDotProductAttention_0", "LayerNorm_0",
              "LayerNorm_1", "MlpBlock_0"),
    IN_LAYERS("Transformer/encoderblock/", "MultiHeadDotProductAttention_0",
              "LayerNorm_0", "LayerNorm_1", "MlpBlock_0"),
    NORM("norm", "Transformer/encoder_norm"),
    {"attn_pool.latent", {POOL "probe"}, VIT_TOKENS},
    {"attn_pool.q.weight", {PROBE "/query/kernel"}, VIT_TO_HEADS},
    {"attn_pool.q.bias", {PROBE "/query/bias"}, VIT_VECTOR},
    {"attn_pool.kv.weight", {PROBE "/key/kernel", PROBE "/value/kernel"},
     VIT_TO_HEADS},
    {"attn_pool.kv.bias", {PROBE "/key/bias", PROBE "/value/bias"},
     VIT_VECTOR},
    OUT("attn_pool.proj", PROBE),
    NORM("attn_pool.norm", POOL "LayerNorm_0"),
    DENSE("attn_pool.mlp.fc1", POOL "MlpBlock_0/Dense_0"),
    DENSE("attn_pool.mlp.fc2", POOL "MlpBlock_0/Dense_1"),
    DENSE("head", "head"),
    {"logit_scale", {"t"}, VIT_VECTOR},
    {"logit_bias", {"b"}, VIT_VECTOR},
    {0},
};

/* flax's gelu is the one by tanh unless told otherwise. */
static const vit_implied implied[] = {
    {"activation", "gelu_tanh", 1}, {"norm_eps", "1e-6", 1},
    {"position_resize", "linear_corners", 1}, {0},
};

const vit_layout tomevit_layout_google = {
    .name = "Google",
    .anchor = "embedding/kernel",
    .layer = LAYER,
    .rules = rules,
    .implied = implied,
};
