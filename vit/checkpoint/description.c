/* SPDX-License-Identifier: MIT */
/* What model a file's tensors make up, under timm's names. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "config_mmproj.h"
#include "config_own.h"
#include "description.h"
#include "rope.h"
#include "../layouts/layout.h"

/* Outside the blocks a tensor that nobody reads does no harm (a decoder, a
 * mask token), except these: they change what the model computes. */
static const char *const unsupported[] = {
    "attn_pool.", "merger.", "aligner.", "patch_embed.",
    "pre_logits.", "register_tokens", "rel_pos_bias.", "rope.",
    "shared_rel_pos.", "blocks_token_only.", "attn_pool_contrastive.",
};

/* ---- sizes --------------------------------------------------------------- */

static int find_widths(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report)
{
    const vit_stored *t;
    const char *name = "patch_embed.proj.weight";
    int joint, code = tomevit_need(file, name, "[dim, 3, patch, patch]", 4, &t,
                                   report);

    if (code)
        return code;
    d->dim = t->shape[0];
    d->patch = t->shape[2];
    if ((code = tomevit_find_stem(file, d, report)) ||
        (code = tomevit_find_stages(file, d, report)))
        return code;
    code = tomevit_limit(name, "a dim", d->dim, VIT_MAX_DIM, report);
    if (!code)
        code = tomevit_limit(name, "a patch side", d->patch, VIT_MAX_PATCH,
                             report);
    if (code)
        return code;

    joint = tomevit_has(file, "blocks.0.out_proj.weight");
    name = joint ? "blocks.0.out_proj.weight" : "blocks.0.mlp.fc2.weight";
    code = tomevit_need(file, name, joint ? "[dim, dim + mlp dim]"
                                          : "[dim, mlp dim]", 2, &t, report);
    if (code)
        return code;
    d->mlp_dim = joint ? t->shape[1] > d->dim ? t->shape[1] - d->dim : 0
                       : t->shape[1];
    return tomevit_limit(name, "an MLP dim", d->mlp_dim, VIT_MAX_MLP, report);
}

/* Where every head has a norm, or what they do together its own tensors, these
 * tell their number. */
static int find_head_dim(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    const char *name = "blocks.0.attn.q_norm.weight";
    const vit_stored *t;
    int code;

    if ((code = tomevit_check_rates(file, d, report)) ||
        (code = tomevit_find_differential(file, d, report)) ||
        (code = tomevit_find_talking(file, d, report)))
        return code;
    if (!d->qk_norm)
        return 0;
    code = tomevit_need(file, name, "[dim / heads]", 1, &t, report);
    if (code)
        return code;
    if (t->shape[0] == 0 || d->dim % t->shape[0])
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "a length that divides %zu, found %zu", name,
                            d->dim, t->shape[0]);
    return tomevit_heads_told(file, name, d->dim / t->shape[0], d, report);
}

/* An MLP of twice the rows gates them. [arXiv 2002.05202] */
static int find_activation(const vit_tensors *file, tomevit_description *d,
                           const vit_report *report)
{
    const vit_stored *t;
    int code;

    if (d->parallel)
        return 0;
    code = tomevit_need(file, "blocks.0.mlp.fc1.weight", "[mlp dim, dim]", 2,
                        &t, report);
    if (!code && t->shape[0] == 2 * d->mlp_dim)
        d->activation = tomevit_says(file, "gate", "gelu_tanh")
                            ? TOMEVIT_GEGLU_TANH : TOMEVIT_SWIGLU;
    return code;
}

/* Classes given as embeddings of text, with or without a projection to their
 * space. */
static int find_texts(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    const char *name = "text_embeddings";
    const vit_stored *t, *projection = NULL;
    size_t width;
    int code = tomevit_need(file, name, "[classes, embedding]", 2, &t, report);

    if (code)
        return code;
    d->zero_shot = 1;
    d->classes = t->shape[0];
    d->embedding = t->shape[1];
    d->projection = tomevit_has(file, "visual_projection.weight");
    d->projection_bias = tomevit_has(file, "visual_projection.bias");
    d->logit_scale = tomevit_has(file, "logit_scale");
    d->logit_bias = tomevit_has(file, "logit_bias");
    code = tomevit_limit(name, "a width", d->embedding, VIT_MAX_DIM, report);
    if (!code && d->projection)
        code = tomevit_need(file, "visual_projection.weight",
                            "[embedding, features]", 2, &projection, report);
    width = d->projection && !code ? projection->shape[0] : d->features;
    if (!code && d->embedding != width)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "embeddings of %zu numbers, found %zu", name,
                            width, d->embedding);
    return code ? code : tomevit_limit(name, "a number of classes", d->classes,
                               VIT_MAX_CLASSES, report);
}

/* A head that sees twice the width sees the class token and the mean. No head
 * at all leaves features only. */
static int find_head(const vit_tensors *file, tomevit_description *d,
                     const vit_report *report)
{
    const vit_stored *t;
    int code;

    if (d->pool != TOMEVIT_POOL_QUERY)
        d->features = d->cells.side ? d->cells.out : d->dim;
    if (tomevit_has(file, "text_embeddings"))
        return find_texts(file, d, report);
    if (!tomevit_has(file, "head.weight") && !tomevit_has(file, "head.bias") &&
        !tomevit_has(file, "head_dist.weight"))
        return 0;
    code = tomevit_need(file, "head.weight", "[classes, dim]", 2, &t, report);
    if (code)
        return code;
    d->classes = t->shape[0];
    if (t->shape[1] == 2 * d->dim && d->pool == TOMEVIT_POOL_CLASS &&
        !d->distilled)
        d->pool = TOMEVIT_POOL_CLASS_MEAN;
    if (d->pool == TOMEVIT_POOL_CLASS_MEAN)
        d->features = 2 * d->dim;
    return tomevit_limit("head.weight", "a number of classes", d->classes,
                 VIT_MAX_CLASSES, report);
}

/* Class, distillation and register tokens stand before the patches. */
static int find_prefix(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report)
{
    const vit_stored *t;
    int code;

    d->prefix = (size_t)(d->class_token + d->distilled);
    if (!tomevit_has(file, "reg_token"))
        return 0;
    code = tomevit_need(file, "reg_token", "[1, registers, dim]", 3, &t,
                        report);
    if (!code && t->shape[1] == 0)
        return 0;                       /* as DINOv3's without registers */
    if (!code)
        code = tomevit_limit("reg_token", "a number of registers", t->shape[1],
                     VIT_MAX_TOKENS, report);
    if (code)
        return code;
    d->registers = t->shape[1];
    d->prefix += d->registers;
    return 0;
}

/* The layer that a name starts with: 1 and the layer, 0 if with none. */
static int layer_of(const char *name, size_t *layer)
{
    const char *s = name + strlen("blocks.");

    if (strncmp(name, "blocks.", strlen("blocks.")) ||
        !isdigit((unsigned char)*s))
        return 0;
    for (*layer = 0; isdigit((unsigned char)*s); s++)
        if (*layer < VIT_MAX_DEPTH)
            *layer = *layer * 10 + (size_t)(*s - '0');
    return *s == '.';
}

static int find_depth(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    size_t i, layer;

    d->depth = 0;
    for (i = 0; i < file->count; i++) {
        const char *name = file->list[i].name;

        if (!layer_of(name, &layer) || layer < d->depth)
            continue;
        if (layer >= VIT_MAX_DEPTH)
            return tomevit_fail(report, TOMEVIT_EMODEL,
                                "tensor \"%.80s\": expected at most %d layers",
                                tomevit_origin_of(file, name).name,
                                (int)VIT_MAX_DEPTH);
        d->depth = layer + 1;
    }
    return 0;
}

/* ---- parts --------------------------------------------------------------- */

/* transformers' classifiers on CLIP's and SigLIP's towers see the mean of
 * tokens: SigLIP's after the last norm, past its attention pooling; CLIP's that
 * of patches, before the last norm. */
static int is_classifier(const vit_tensors *file, const char *layout)
{
    return tomevit_has(file, "head.weight") &&
           !strncmp(tomevit_view_layout(file), layout, strlen(layout));
}

/* timm's models with rotary positions look at all tokens [timm, models/eva.py],
 * its others at patches unless they say so. */
static int find_attention_pool(const vit_tensors *file, tomevit_description *d,
                               const vit_report *report)
{
    const char *name = "attn_pool.mlp.fc1.weight";
    const vit_stored *t;
    const char *said = tomevit_tensors_metadata(file, "pool_tokens");
    int others = d->class_token || tomevit_has(file, "reg_token"), code;

    d->pool_prefix = others && (d->rope.kind != TOMEVIT_ROTARY_NONE ||
                                (said && !strcmp(said, "all")));
    if (others && !d->pool_prefix)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors "
                            "\"attn_pool.latent\" and \"%s\": attention "
                            "pooling beside other tokens than patches cannot "
                            "be run here", d->class_token ? "cls_token"
                                                         : "reg_token");
    code = tomevit_need(file, name, "[mlp dim, dim]", 2, &t, report);
    if (code)
        return code;
    d->pool_mlp_dim = t->shape[0];
    return tomevit_limit(name, "an MLP dim", d->pool_mlp_dim, VIT_MAX_MLP,
                         report);
}

static int find_pool(const vit_tensors *file, tomevit_description *d,
                     const vit_report *report)
{
    int attention = tomevit_has(file, "attn_pool.latent");

    if (is_classifier(file, "Hugging Face CLIP")) {
        d->pool = TOMEVIT_POOL_MEAN;
        d->final_norm = 0;
        return 0;
    }
    if (is_classifier(file, "Hugging Face SigLIP"))
        attention = 0;
    if (tomevit_has(file, "merger.fc1.weight"))
        return tomevit_find_cells(file, d, report);
    if (tomevit_has(file, "attn_pool.query"))
        return tomevit_find_queries(file, d, report);
    d->pool = attention                     ? TOMEVIT_POOL_ATTENTION
              : d->fc_norm || !d->class_token ? TOMEVIT_POOL_MEAN
                                              : TOMEVIT_POOL_CLASS;
    return attention ? find_attention_pool(file, d, report) : 0;
}

/* CLIPA leaves out the norm, and has no bias either; its configuration says how
 * it pools, in another way than others. [arXiv 2305.07017] So may CoCa. */
static int is_clipa(const vit_tensors *file)
{
    const char *said = tomevit_tensors_metadata(file, "patch_bias");

    return (said && !strcmp(said, "none")) ||
           !strcmp(tomevit_view_layout(file), "CoCa") ||
           (!strcmp(tomevit_view_layout(file), "CLIP") &&
            tomevit_tensors_metadata(file, "pool"));
}

static int find_parts(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    const char *said;
    int code;

    d->class_token = tomevit_has(file, "cls_token") &&
                     !tomevit_has(file, "blocks_token_only.0.norm1.weight");
    d->distilled = tomevit_has(file, "dist_token");
    d->norm_pre = tomevit_has(file, "norm_pre.weight");
    d->pos_embed = tomevit_has(file, "pos_embed");
    d->signed_pixels = (uint32_t)tomevit_says(file, "pixels", "signed");
    code = tomevit_find_relative(file, d, report);
    if (code)
        return code;
    /* Only models of CLIP's kind, which begin with a norm, do without. */
    d->patch_bias = (!d->norm_pre && !is_clipa(file)) ||
                    tomevit_has(file, "patch_embed.proj.bias");
    d->head_bias = !d->norm_pre || tomevit_has(file, "head.bias");
    d->qkv_bias = tomevit_has(file, "blocks.0.attn.qkv.bias")  ? 1
                  : tomevit_has(file, "blocks.0.attn.q_bias") ? 2
                                                              : 0;
    d->patch_norm = tomevit_has(file, "patch_embed.norm.weight");
    d->attn_norm = tomevit_has(file, "blocks.0.attn.norm.weight");
    d->mlp_norm = tomevit_has(file, "blocks.0.mlp.norm.weight");
    d->qk_norm = tomevit_has(file, "blocks.0.attn.q_norm.weight");
    if (d->qk_norm && tomevit_says(file, "attention", "normed"))
        d->qk_norm = 2;
    d->layer_scale = !tomevit_has(file, "blocks.0.ls1.gamma")  ? 0
                     : tomevit_has(file, "blocks.0.ls2.gamma") ? 1
                                                               : 2;
    d->fc_norm = tomevit_has(file, "fc_norm.weight");
    tomevit_find_block(file, d);
    code = find_activation(file, d, report);
    if (!code)
        code = tomevit_check_stages(file, d, report);
    if (!code)
        code = tomevit_metadata_rope(file, d, report);
    if (code)
        return code;
    /* Others go without where something says so: a file may be cut off. */
    said = tomevit_tensors_metadata(file, "final_norm");
    d->final_norm = d->fc_norm || tomevit_has(file, "norm.weight") ||
                    !(d->rope.kind || (said && !strcmp(said, "none")));
    tomevit_find_bare_norm(file, d);
    code = find_pool(file, d, report);
    if (code)
        return code;
    if (d->post_norm && (d->attn_norm || d->layer_scale))
        return tomevit_fail(report, TOMEVIT_EMODEL, "norms after attention and "
                            "MLP beside %s cannot be run here", d->attn_norm
                                ? "norms inside" : "layer scale");
    if (d->distilled && d->pool != TOMEVIT_POOL_CLASS)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"dist_token\": "
                            "expected it beside cls_token and without fc_norm");
    if (d->fc_norm && d->pool == TOMEVIT_POOL_ATTENTION)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors "
                            "\"attn_pool.latent\" and \"fc_norm.weight\": "
                            "expected one of them, found both");
    if (d->fc_norm && tomevit_has(file, "norm.weight"))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors \"norm.weight\" "
                            "and \"fc_norm.weight\": expected one of them, "
                            "found both");
    return 0;
}

/* The matrix of int8 that these would be the scales of, if they fitted. */
static const char *unscaled(const vit_tensors *file, const char *name)
{
    size_t length = strlen(name), tail = strlen("_scale");
    const vit_stored *matrix;
    char base[256];

    if (length <= tail || length >= sizeof(base) ||
        strcmp(name + length - tail, "_scale"))
        return NULL;
    snprintf(base, sizeof(base), "%.*s", (int)(length - tail), name);
    matrix = tomevit_tensors_find(file, base);
    return matrix && !strcmp(matrix->dtype->name, "I8") ? matrix->name : NULL;
}

static int has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);

    return length >= tail && !strcmp(name + length - tail, ending);
}

/* Refuses tensors that are not the model's and would make it compute
 * something else. */
static int check_others(const vit_tensors *file, const tomevit_description *d,
                        const vit_report *report)
{
    size_t i, k;

    for (i = 0; i < file->count; i++) {
        const char *name = file->list[i].name;
        size_t layer = 0;
        int refused = layer_of(name, &layer);

        for (k = 0; k < sizeof(unsupported) / sizeof(*unsupported); k++)
            refused |= !strncmp(name, unsupported[k], strlen(unsupported[k]));
        if (!strncmp(name, "attn_pool.", strlen("attn_pool.")) &&
            is_classifier(file, "Hugging Face SigLIP"))
            refused = 0;
        if (!refused || tomevit_tensor_known(d, layer, name) ||
            has_ending(name, ".attn.qkv.bias_mask") ||
            has_ending(name, ".num_batches_tracked"))
            continue;
        if (unscaled(file, name))
            return tomevit_refuse_int8(file, unscaled(file, name), report);
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%.80s\": a part "
                            "of the model that cannot be run here",
                            tomevit_origin_of(file, name).name);
    }
    return 0;
}

/* A word anywhere in the file's name, in any case. */
static int named(const char *path, const char *word)
{
    const char *slash = strrchr(path, '/');
    const char *s = slash ? slash + 1 : path;

    for (; *s; s++) {
        size_t i = 0;

        while (word[i] && tolower((unsigned char)s[i]) == word[i])
            i++;
        if (!word[i])
            return 1;
    }
    return 0;
}

static const char *family_of(const vit_tensors *file,
                             const tomevit_description *d)
{
    const char *layout = tomevit_view_layout(file);
    const char *said = tomevit_tensors_metadata(file, "family");

    if (said)
        return said;
    if (d->rope.kind)
        return tomevit_rope_family(d);
    if (!strcmp(layout, "SWAG"))
        return "swag";
    /* ..._lc_swag-....pth: SWAG's layers, and its pixels, at 224. */
    if (!strcmp(layout, "torchvision"))
        return named(file->path, "_swag") ? "swag" : "torchvision";
    if (d->norm_pre)
        return "clip";
    if (d->pool == TOMEVIT_POOL_ATTENTION || d->zero_shot)
        return "siglip";
    if (d->distilled)
        return "deit-distilled";
    if (d->layer_scale && d->pos_prefix == 0 && !d->registers)
        return "deit3";
    if (d->layer_scale && d->class_token)
        return "dinov2";
    if (d->fc_norm && d->class_token)
        return "mae";
    return named(file->path, "deit") ? "deit" : "vit";
}

int tomevit_describe_file(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    int code;

    memset(d, 0, sizeof(*d));
    if ((code = tomevit_check_supported(file, report)) ||
        (code = find_widths(file, d, report)) ||
        (code = find_parts(file, d, report)) ||
        (code = find_head_dim(file, d, report)) ||
        (code = tomevit_find_kv_heads(file, d, report)) ||
        (code = tomevit_metadata_activation(file, d, report)) ||
        (code = tomevit_metadata_pool(file, d, report)) ||
        (code = find_prefix(file, d, report)) ||
        (code = tomevit_find_tokens(file, d, report)) ||
        (code = tomevit_find_chunk(d, report)) ||
        (code = find_head(file, d, report)) ||
        (code = find_depth(file, d, report)) ||
        (code = tomevit_find_ranges(file, d, report)) ||
        (code = tomevit_find_share(file, d, report)) ||
        (code = tomevit_check_parallel(d, report)) ||
        (code = check_others(file, d, report)) ||
        (code = tomevit_metadata_heads(file, d, report)) ||
        (code = tomevit_check_table(file, d, report)))
        return code;
    if ((code = tomevit_metadata_pool_heads(file, d, report)) ||
        (code = tomevit_check_rope(file, d, report)) ||
        (code = tomevit_config_check(file, d, report)) ||
        (code = tomevit_mmproj_check(file, d, report)))
        return code;
    d->parameters = tomevit_count_parameters(d);
    snprintf(d->family, sizeof(d->family), "%.31s", family_of(file, d));
    tomevit_family_preprocessing(d);
    return tomevit_metadata_preprocessing(file, d, report);
}
