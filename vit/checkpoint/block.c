/* SPDX-License-Identifier: MIT */
/* Of what kind a model's layers are, beyond the widths of their products. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "description.h"
#include "../base/real.h"

/* Of the block what metadata say and no tensor shows. */
void tomevit_find_block(const vit_tensors *file, tomevit_description *d)
{
    if (tomevit_has(file, "blocks.0.mega.mx.weight"))
        d->block = tomevit_has(file, "blocks.0.mega.rms.weight")
                       ? TOMEVIT_BLOCK_MEGALODON : TOMEVIT_BLOCK_MEGA;
    d->rms_norm = tomevit_says(file, "norm", "rms");
    d->unbiased = d->rms_norm && !tomevit_has(file, "blocks.0.attn.proj.bias");
    d->mlp_unbiased = d->rms_norm && !d->unbiased &&
                      tomevit_has(file, "blocks.0.attn.proj.bias") &&
                      !tomevit_has(file, "blocks.0.mlp.fc1.bias") &&
                      tomevit_has(file, "blocks.0.mlp.fc1.weight");
    d->in_order = tomevit_says(file, "order", "places");
    if (tomevit_has(file, "blocks.0.in_proj.weight")) {
        d->parallel = tomevit_has(file, "blocks.0.out_proj.weight") ? 2 : 1;
        d->qkv_bias = tomevit_has(file, "blocks.0.in_proj.bias");
    }
    d->post_norm = tomevit_says(file, "block", "res_post_norm")   ? 1
                   : tomevit_says(file, "block", "sandwich_norm") ? 2
                                                          : 0;
    if (d->block == TOMEVIT_BLOCK_MEGALODON) {
        d->unbiased = 1;
        d->layer_scale = tomevit_has(file, "blocks.0.ls2.gamma");
    }
}

void tomevit_find_bare_norm(const vit_tensors *file, tomevit_description *d)
{
    d->bare_norm = tomevit_says(file, "bare_norm", "after pooling") ? 1
                   : !tomevit_says(file, "bare_norm", "scaled")     ? 0
                   : tomevit_has(file, "std_bias")          ? 3
                                                            : 2;
}

/* A tensor of a layer of Mega's kind, of so many dimensions. */
static const vit_stored *part(const vit_tensors *file, const char *name,
                              size_t dims)
{
    const vit_stored *t = tomevit_tensors_find(file, name);

    return t && t->dims == dims ? t : NULL;
}

/* Sizes that Mega's kind of block has. */
static int find_averages(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    const vit_stored *gamma = part(file, "blocks.0.mega.gamma", 2);
    const vit_stored *v = part(file, "blocks.0.mega.v.weight", 2);
    const vit_stored *alpha = part(file, "blocks.0.mega.ema.alpha", 3);

    if (!gamma || !v || !alpha ||
        gamma->shape[1] < 1 || gamma->shape[1] > VIT_MAX_DIM ||
        v->shape[0] < 1 || v->shape[0] > VIT_MAX_MLP ||
        alpha->shape[1] < 1 || alpha->shape[1] > VIT_MAX_STATES)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors of blocks.0: "
                            "expected those of Mega's kind: gamma [2, z], "
                            "values of [v, dim], alpha [2 dim, states, 1] "
                            "with at most %d states", (int)VIT_MAX_STATES);
    d->in_order = 1;
    d->mega.shared = gamma->shape[1];
    d->mega.value = v->shape[0];
    d->mega.states = alpha->shape[1];
    return 0;
}

/* A number that the metadata have to say. */
static int said_number(const vit_tensors *file, const char *key, size_t least,
                       size_t *value, const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, key);

    *value = 0;
    if (text && !tomevit_count_read(text, value) && *value >= least &&
        *value <= VIT_MAX_TOKENS)
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "expected \"%s\" in the "
                        "metadata, which no tensor of a Megalodon shows, "
                        "found %.40s", key, text ? text : "none");
}

static int find_megalodon(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    int code;

    if ((code = find_averages(file, d, report)) ||
        (code = said_number(file, "num_heads", 1, &d->heads, report)) ||
        (code = said_number(file, "groups", 1, &d->mega.groups, report)) ||
        (code = said_number(file, "chunk", 0, &d->mega.chunk, report)))
        return code;
    if (d->activation != TOMEVIT_SWIGLU)
        d->activation = TOMEVIT_SILU;
    if (d->mega.shared % (2 * d->heads) || d->mega.value % d->heads ||
        d->dim % d->heads || d->dim % d->mega.groups)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected heads that "
                            "divide %zu, %zu values and %zu pairs of keys, "
                            "and groups that divide the first, found %zu "
                            "heads, %zu groups", d->dim, d->mega.value,
                            d->mega.shared / 2, d->heads, d->mega.groups);
    if (d->rope.kind != TOMEVIT_ROTARY_LINE || d->rope.halves)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected a Megalodon's "
                            "rotary positions along a line, of neighbouring "
                            "channels, and their base in the metadata, found "
                            "%s", d->rope.kind ? "others" : "none");
    return 0;
}

static int find_mega(const vit_tensors *file, tomevit_description *d,
                     const vit_report *report)
{
    const vit_stored *relative = part(file, "blocks.0.mega.rel_pos_bias", 1);
    const char *attention = tomevit_tensors_metadata(file, "attention");
    int code = find_averages(file, d, report);

    if (code)
        return code;
    if (!relative || relative->shape[0] % 2 == 0)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors of blocks.0: "
                            "expected Mega's rel_pos_bias of odd length");
    if (attention && strcmp(attention, "laplace") &&
        strcmp(attention, "softmax"))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"attention\": "
                            "expected laplace or softmax, found \"%.40s\"",
                            attention);
    d->heads = 1;
    d->activation = TOMEVIT_SILU;
    d->mega.chunk = (relative->shape[0] + 1) / 2;
    d->mega.laplace = !attention || !strcmp(attention, "laplace");
    return 0;
}

/* The matrix of queries, keys and values of a layer; NULL: there is none. */
static const vit_stored *products_of(const vit_tensors *file, size_t layer,
                                     char name[64])
{
    const vit_stored *t;

    snprintf(name, 64, "blocks.%zu.attn.qkv.weight", layer);
    t = tomevit_tensors_find(file, name);
    return t && t->dims == 2 ? t : NULL;
}

/* 1 if a layer's matrix may have fewer keys than queries; that of a layer which
 * is not the first, and has no keys at all, has a shape that is wrong. */
static int has_fewer(const vit_stored *t, const tomevit_description *d,
                     size_t layer)
{
    return t->shape[0] != 3 * d->dim &&
           (layer == 0 || (t->shape[0] > d->dim && t->shape[1] == d->dim));
}

/* The layers before, and behind, those whose keys are fewer than queries. The
 * first of these, NULL if all layers have as many. */
static const vit_stored *find_whole(const vit_tensors *file,
                                    tomevit_description *d, char name[64])
{
    const vit_stored *first = NULL, *t;
    size_t layer = 0;
    char next[64];

    for (; (t = products_of(file, layer, next)); layer++)
        if (!has_fewer(t, d, layer)) {
            d->whole[first != NULL]++;
        } else {
            d->whole[1] = 0;
            if (!first)
                strcpy(name, next);
            first = first ? first : t;
        }
    if (!first)
        d->whole[0] = 0;
    return first;
}

/* Fewer heads of keys and values than of queries show in the rows of the
 * matrix of all three; the queries' number has to be known. */
int tomevit_find_kv_heads(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    const vit_stored *t;
    size_t head, rows;
    char name[64];
    int code;

    if (d->block == TOMEVIT_BLOCK_MEGA)
        return find_mega(file, d, report);
    if (d->block == TOMEVIT_BLOCK_MEGALODON)
        return find_megalodon(file, d, report);
    t = find_whole(file, d, name);
    if (!t)
        return 0;
    if ((d->whole[0] || d->whole[1]) &&
        (d->differential || d->talking || d->parallel ||
         tomevit_tensors_metadata(file, "share")))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": fewer "
                            "keys than in other layers, beside differential "
                            "attention, heads that talk, an MLP side by side "
                            "or shared layers, cannot be run here",
                            tomevit_origin_of(file, name).name);
    code = tomevit_metadata_heads(file, d, report);
    if (code)
        return code;
    rows = t->shape[0];
    head = d->dim / d->heads;
    if (rows > 3 * d->dim || rows < d->dim + 2 * head ||
        (rows - d->dim) % (2 * head) ||
        d->heads % ((rows - d->dim) / (2 * head)))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "[dim + 2 heads of keys, dim] with dim %zu, %zu "
                            "heads of queries and a divisor of that, found %s",
                            tomevit_origin_of(file, name).name, d->dim,
                            d->heads,
                            tomevit_shape_text(t->shape, t->dims).text);
    d->kv_heads = (rows - d->dim) / (2 * head);
    return 0;
}

/* Biases as far as all patches are apart are for attention among all; fewer for
 * chunks, of which the last may be shorter. */
int tomevit_find_chunk(tomevit_description *d, const vit_report *report)
{
    if (d->block == TOMEVIT_BLOCK_VIT)
        return 0;
    if (d->block == TOMEVIT_BLOCK_MEGA && d->mega.chunk > d->tokens)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"rel_pos_bias\": "
                            "expected biases of at most %zu patches, found "
                            "those of %zu", d->tokens, d->mega.chunk);
    if (d->mega.chunk >= d->tokens)
        d->mega.chunk = 0;
    return 0;
}

/* How often each layer's weights run. */
int tomevit_find_share(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "share");
    size_t share = 1;

    if (text && (tomevit_count_read(text, &share) || share < 1 ||
                 share > VIT_MAX_DEPTH || d->depth * share > VIT_MAX_DEPTH))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"share\": "
                            "expected how often each layer runs, at most %d "
                            "in all, found \"%.40s\"", (int)VIT_MAX_DEPTH,
                            text);
    d->share = share;
    d->depth *= share;
    return 0;
}

/* Attention that is the difference of two: its norm shows the heads' width. */
int tomevit_find_differential(const vit_tensors *file, tomevit_description *d,
                              const vit_report *report)
{
    const char *name = "blocks.0.attn.sub_norm.weight";
    const vit_stored *t = tomevit_tensors_find(file, name);
    size_t width = t && t->dims == 1 ? t->shape[0] : 0;

    if (!t)
        return 0;
    if (width < 2 || width % 2 || d->dim % width)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "an even number that divides dim %zu, found %s",
                            name, d->dim,
                            tomevit_shape_text(t->shape, t->dims).text);
    t = tomevit_tensors_find(file, "blocks.0.attn.qkv.weight");
    if (d->qk_norm || d->attn_norm || d->relative || d->rope.kind ||
        d->post_norm || tomevit_tensors_metadata(file, "share") ||
        (t && t->dims == 2 && t->shape[0] != 3 * d->dim))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": "
                            "differential attention beside other norms, "
                            "rotary or relative positions, fewer keys than "
                            "queries, or shared layers cannot be run here",
                            name);
    d->differential = 1;
    return tomevit_heads_told(file, name, d->dim / width, d, report);
}

/* A stored product of the MLP and of what attention sees, in one. */
int tomevit_check_parallel(const tomevit_description *d,
                           const vit_report *report)
{
    if (!d->parallel || (!d->attn_norm && !d->mlp_norm && !d->relative &&
                         !d->post_norm && !d->rms_norm && d->share <= 1 &&
                         !d->kv_heads && d->block == TOMEVIT_BLOCK_VIT))
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"blocks.0.in_proj."
                        "weight\": attention and MLP side by side beside "
                        "other norms, relative positions or shared layers "
                        "cannot be run here");
}

/* Heads that talk show their number in what mixes them. [timm, models/cait.py:
 * the class token comes in behind such layers] */
int tomevit_find_talking(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    const char *mix = "blocks.0.attn.proj_l.weight";
    const char *first = "blocks_token_only.0.norm1.weight";
    const char *fc1 = "blocks_token_only.0.mlp.fc1.weight";
    const vit_stored *t = tomevit_tensors_find(file, mix);
    int code;

    if (!t && !tomevit_has(file, first))
        return 0;
    if ((code = tomevit_need(file, mix, "[heads, heads]", 2, &t, report)) ||
        (code = tomevit_limit(mix, "a number of heads", t->shape[0], d->dim,
                              report)))
        return code;
    if (d->dim % t->shape[0] || !tomevit_has(file, first) || d->qk_norm ||
        d->attn_norm || d->mlp_norm || d->relative || d->rope.kind ||
        d->post_norm || d->differential || d->rms_norm || d->fc_norm ||
        d->distilled || d->activation == TOMEVIT_SWIGLU ||
        tomevit_tensors_metadata(file, "share"))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": heads "
                            "that talk, other than in layers of CaiT, cannot "
                            "be run here", mix);
    if ((code = tomevit_heads_told(file, mix, t->shape[0], d, report)))
        return code;
    d->talking = 1;
    d->pool_heads = d->heads;
    if ((code = tomevit_need(file, fc1, "[mlp dim, dim]", 2, &t, report)) ||
        (code = tomevit_limit(fc1, "an MLP dim", t->shape[0], VIT_MAX_MLP,
                              report)))
        return code;
    d->pool_mlp_dim = t->shape[0];
    d->pool = TOMEVIT_POOL_CLASS_LAYERS;
    d->class_layers = tomevit_has(file, "blocks_token_only.1.norm1.weight")
                          ? 2 : 1;
    return 0;
}
