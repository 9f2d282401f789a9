/* SPDX-License-Identifier: MIT */
/*
 * Image towers of language models, under the names that llama.cpp has them in
 * beside the language model: "mmproj" files, and clip.cpp's before them.
 * [llama.cpp, tools/mtmd/clip-impl.h; gguf-py, gguf/constants.py]
 *
 * What hands patches on to the language model ("mm.") is no part of the tower,
 * but for Qwen's, where squares of patches are one of its own.
 */
#include "config.h"

#include "layout.h"

#define BOTH(name, from) \
    {name ".weight", {from ".weight"}, VIT_AS_IS}, \
    {name ".bias", {from ".bias"}, VIT_AS_IS}
#define JOINED(name, ...) \
    {name ".weight", {PARTS(".weight", __VA_ARGS__)}, VIT_AS_IS}, \
    {name ".bias", {PARTS(".bias", __VA_ARGS__)}, VIT_AS_IS}
#define PARTS(end, a, b, c) a end, b end, c end

#define ANCHOR "v.patch_embd.weight"
#define LAYER "v.blk.#."

#define RULES \
    {"cls_token", {"v.class_embd"}, VIT_TOKENS}, \
    {"pos_embed", {"v.position_embd.weight"}, VIT_TOKENS}, \
    {"patch_embed.proj.bias", {"v.patch_embd.bias"}, VIT_AS_IS}, \
    BOTH("norm_pre", "v.pre_ln"), \
    BOTH("blocks.#.norm1", LAYER "ln1"), \
    BOTH("blocks.#.attn.qkv", LAYER "attn_qkv"), \
    JOINED("blocks.#.attn.qkv", LAYER "attn_q", LAYER "attn_k", \
           LAYER "attn_v"), \
    BOTH("blocks.#.attn.q_norm", LAYER "attn_q_norm"), \
    BOTH("blocks.#.attn.k_norm", LAYER "attn_k_norm"), \
    BOTH("blocks.#.attn.proj", LAYER "attn_out"), \
    {"blocks.#.ls1.gamma", {LAYER "ls1.weight"}, VIT_AS_IS}, \
    BOTH("blocks.#.norm2", LAYER "ln2"), \
    {"blocks.#.mlp.fc1.weight", {LAYER "ffn_gate.weight", \
     LAYER "ffn_up.weight"}, VIT_AS_IS}, \
    {"blocks.#.mlp.fc1.bias", {LAYER "ffn_gate.bias", LAYER "ffn_up.bias"}, \
     VIT_AS_IS}, \
    BOTH("blocks.#.mlp.fc1", LAYER "ffn_up"), \
    BOTH("blocks.#.mlp.fc2", LAYER "ffn_down"), \
    {"blocks.#.ls2.gamma", {LAYER "ls2.weight"}, VIT_AS_IS}, \
    BOTH("norm", "v.post_ln")

static const vit_rule rules[] = {
    {"patch_embed.proj.weight", {ANCHOR}, VIT_AS_IS},
    {"visual_projection.weight", {"visual_projection.weight"}, VIT_AS_IS},
    RULES, {0},
};

/* Of two pictures in a row there is one here: the sum of what the two are
 * multiplied by. [transformers, models/qwen3_vl: Qwen3VLVisionPatchEmbed] */
static const vit_rule pairs_rules[] = {
    {"patch_embed.proj.weight", {ANCHOR, ANCHOR ".1"}, VIT_SUMMED},
    BOTH("merger.fc1", "mm.0"), BOTH("merger.fc2", "mm.2"),
    RULES, {0},
};

const vit_layout tomevit_layout_mmproj_pairs = {
    .name = "mmproj",
    .anchor = ANCHOR,
    .witness = ANCHOR ".1",
    .layer = LAYER,
    .rules = pairs_rules,
};

const vit_layout tomevit_layout_mmproj = {
    .name = "mmproj",
    .anchor = ANCHOR,
    .layer = LAYER,
    .rules = rules,
};
