/* SPDX-License-Identifier: MIT */
/*
 * timm's models for images of any aspect (NaFlex): patches go through a product
 * of rows whose channels lie last, positions are a grid, and what stands before
 * the layers has names of its own. Here an image is a square of a fixed size.
 * [timm, models/naflexvit.py; NaViT, arXiv 2307.06304]
 */
#include "config.h"

#include "layout.h"

static const vit_rule rules[] = {
    {"cls_token", {"embeds.cls_token"}, VIT_AS_IS},
    {"reg_token", {"embeds.reg_token"}, VIT_AS_IS},
    {"pos_embed", {"embeds.pos_embed"}, VIT_TOKENS},
    {"pos_embed", {"embeds.pos_embed_y", "embeds.pos_embed_x"}, VIT_AS_IS},
    {"patch_embed.proj.weight", {"embeds.proj.weight"}, VIT_PATCH_ROWS},
    {"patch_embed.proj.bias", {"embeds.proj.bias"}, VIT_AS_IS},
    {"patch_embed.norm.weight", {"embeds.norm.weight"}, VIT_AS_IS},
    {"patch_embed.norm.bias", {"embeds.norm.bias"}, VIT_AS_IS},
    {0},
};

/* How its positions are resized every model of the kind says for itself. */
static const vit_implied implied[] = {
    {"position_resize", "bicubic_antialias", 0}, {0},
};

const vit_layout tomevit_layout_naflex = {
    .name = "timm NaFlex",
    .anchor = "embeds.proj.weight",
    .layer = "blocks.#.",
    .rules = rules,
    .implied = implied,
};
