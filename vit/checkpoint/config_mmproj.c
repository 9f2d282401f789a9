/* SPDX-License-Identifier: MIT */
/*
 * What llama.cpp's files of image towers say of them: sizes in numbers, and all
 * that no number says by the type of what hands patches on to the language
 * model. A type that is not listed here is refused by its name.
 * [llama.cpp, tools/mtmd/clip.cpp: load_hparams; conversion/]
 *
 * The activation is what the models were trained with: "use_gelu" stands for
 * the exact function and for its approximation alike.
 */
#include "config.h"

#include "config_mmproj.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/real.h"
#include "../containers/json.h"
#include "../layouts/layout.h"
#include "checks.h"

#define VISION "clip.vision."
#define TYPE "clip.projector_type"

/* From where a value is that a type implies, and one that it leaves open. */
#define IMPLIED TYPE
#define OPEN "?guess"

typedef struct kind {
    const char *type, *family;
    const char *plain, *gelu, *silu; /* the activation by use_gelu, use_silu,
                                      * or neither; NULL: not seen */
    const char *positions;
    int endless;           /* there may be no norm behind the last layer */
    int pairs;             /* of pictures, and squares of patches */
    int rms;               /* norms are RMSNorm */
    const char *pixels[3]; /* how images are resized: crop_mode, interpolation,
                            * and from where that is */
} kind;

/* Queries and keys lie in the file as neighbours turn together. */
#define PIXTRAL "rotary index theta=10000 axes=hw layout=interleaved " \
                "periods=between"
#define LLAVA {"squash", "bicubic", OPEN}

/* Of LLaVA's projectors any tower may stand before: CLIP's activation shows in
 * the metadata, as neither flag is set for its own function. */
static const kind kinds[] = {
    {"mlp", "clip", "quick_gelu", "gelu", NULL, "learned", 1, 0, 0, LLAVA},
    {"mlp_norm", "clip", "quick_gelu", "gelu", NULL, "learned", 1, 0, 0, LLAVA},
    {"ldp", "clip", "quick_gelu", "gelu", NULL, "learned", 1, 0, 0, LLAVA},
    {"ldpv2", "clip", "quick_gelu", "gelu", NULL, "learned", 1, 0, 0, LLAVA},
    {"gemma3", "siglip", NULL, "gelu_tanh", NULL, "learned", 0, 0, 0,
     {"squash", "bilinear", IMPLIED}},
    {"idefics3", "siglip", NULL, "gelu_tanh", NULL, "learned", 0, 0, 0,
     {"squash", "bicubic", OPEN}},
    {"internvl", "internvl", NULL, "gelu", NULL, "learned", 1, 0, 0,
     {"squash", "bicubic", OPEN}},
    {"qwen3vl_merger", "qwen3-vl", NULL, "gelu_tanh", NULL,
     "rotary index theta=10000 axes=hw layout=halves", 0, 1, 0,
     {"squash", "bicubic", OPEN}},
    {"pixtral", "pixtral", NULL, NULL, "silu", PIXTRAL, 1, 0, 1,
     {"squash", "bicubic", OPEN}},
    {"lightonocr", "pixtral", NULL, NULL, "silu", PIXTRAL, 1, 0, 1,
     {"squash", "bicubic", OPEN}},
};

/* Types whose towers are known not to run, and why. */
static const struct {
    const char *type, *missing;
} missing[] = {
    {"qwen2vl_merger", "rotary positions alone, of pairs of pictures"},
    {"qwen2.5vl_merger", "attention in windows"},
    {"qwen2.5o", "attention in windows"},
    {"gemma3nv", "MobileNetV5, which is no ViT"},
    {"gemma4v", "norms of values, behind attention and MLP"},
    {"resampler", "positions of images of any aspect"},
    {"lfm2", "positions of images of any aspect"},
    {"phi4", "positions of images of any aspect"},
    {"deepseekocr", "SAM's windows before a CLIP"},
    {"youtuvl", "attention in windows"},
};

/* ---- one value ----------------------------------------------------------- */

static const char *said(const vit_tensors *file, const char *key)
{
    return tomevit_tensors_metadata(file, key);
}

static int is_true(const vit_tensors *file, const char *key)
{
    const char *text = said(file, key);

    return text && !strcmp(text, "true");
}

/* llama.cpp reads nothing else as true or false. */
static int check_truths(const vit_tensors *file, const vit_report *report)
{
    static const char *const keys[] = {"clip.has_llava_projector",
                                       "clip.use_gelu", "clip.use_silu"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *text = said(file, keys[i]);

        if (text && strcmp(text, "true") && strcmp(text, "false"))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"%s\": "
                                "expected true or false, found %.40s", keys[i],
                                text);
    }
    return 0;
}

/* What stands under one key, under another too. */
static int pass(vit_tensors *view, const char *key, const char *from)
{
    const char *text = said(view, from);

    return text ? tomevit_tensors_say(view, key, text, "metadata") : 0;
}

/* ---- the kind ------------------------------------------------------------ */

static const char *type_of(const vit_tensors *file)
{
    const char *type = said(file, TYPE);

    return type ? type : said(file, VISION "projector_type");
}

static int is_mmproj(const vit_tensors *file)
{
    return !strcmp(tomevit_view_layout(file), "mmproj");
}

static int refuse_type(const char *type, const vit_report *report)
{
    const char *why = "it is not known here";

    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
        if (!strcmp(type, missing[i].type))
            why = missing[i].missing;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(type, kinds[i].type))
            why = "tensor \"v.patch_embd.weight\" is missing";
    return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"" TYPE "\": the "
                        "tower of \"%.40s\" cannot be run here: %s", type, why);
}

/* NULL and *code 0 for a CLIP alone, which hands nothing on. */
static const kind *kind_of(const vit_tensors *view, int *code,
                           const vit_report *report)
{
    const char *type = type_of(view);
    const char *architecture = said(view, "general.architecture");

    *code = 0;
    if (!architecture || strcmp(architecture, "clip"))
        *code = tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"general."
                             "architecture\": expected \"clip\", found %.40s",
                             architecture ? architecture : "none");
    else if (!type && !is_true(view, "clip.has_llava_projector") &&
             !tomevit_has(view, "cls_token"))
        *code = tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"" TYPE "\": "
                             "expected the type of a tower without a class "
                             "token, found none");
    if (*code || (!type && !is_true(view, "clip.has_llava_projector")))
        return NULL;
    if (!type)
        type = "mlp";      /* files from before there were others */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(type, kinds[i].type))
            return &kinds[i];
    *code = refuse_type(type, report);
    return NULL;
}

/* Features of several layers side by side, as Granite's, or of one before the
 * last that the file has. */
static int check_features(const vit_tensors *view, const vit_report *report)
{
    const char *layers = said(view, VISION "feature_layer");
    const char *blocks = said(view, VISION "block_count");
    char one[32];

    if (!layers)
        return 0;
    snprintf(one, sizeof(one), "[%.20s]", blocks ? blocks : "");
    return !strcmp(layers, one) ? 0
        : tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"" VISION
                       "feature_layer\": expected the last layer, %s, found "
                       "%.40s: features of others cannot be run here", one,
                       layers);
}

/* No type that is run has them, whatever else a file says of itself. */
static int check_windows(const vit_tensors *view, const vit_report *report)
{
    static const char *const keys[] = {VISION "n_wa_pattern",
                                       VISION "wa_layer_indexes",
                                       VISION "wa_pattern_mode"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *text = said(view, keys[i]);

        if (text && strcmp(text, "0") && strcmp(text, "[]"))
            return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"%s\": "
                                "attention in windows cannot be run here",
                                keys[i]);
    }
    return 0;
}

/* ---- names --------------------------------------------------------------- */

static int swap(vit_tensors *view, size_t layer, const char *end,
                const vit_report *report)
{
    char a[64], b[64];
    int code;

    snprintf(a, sizeof(a), "blocks.%zu.mlp.fc1.%s", layer, end);
    snprintf(b, sizeof(b), "blocks.%zu.mlp.fc2.%s", layer, end);
    if (!tomevit_has(view, a) || !tomevit_has(view, b))
        return 0;
    code = tomevit_view_rename(view, "swapped", a, report);
    if (!code)
        code = tomevit_view_rename(view, a, b, report);
    return code ? code : tomevit_view_rename(view, b, "swapped", report);
}

/* Older files call the first of an MLP's products "down" and the second "up".
 * Their shapes show it, unless they are square. */
static int settle_products(vit_tensors *view, const vit_report *report)
{
    const vit_stored *fc2 = tomevit_tensors_find(view,
                                                 "blocks.0.mlp.fc2.weight");
    const vit_stored *fc1 = tomevit_tensors_find(view,
                                                 "blocks.0.mlp.fc1.weight");
    const vit_stored *patch = tomevit_tensors_find(view,
                                                   "patch_embed.proj.weight");
    int code = 0;

    if (!fc1 || !fc2 || !patch || fc1->dims != 2 || fc2->dims != 2 ||
        patch->dims != 4)
        return 0;
    if (fc2->shape[0] == fc2->shape[1])
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors \"v.blk.0.ffn_up."
                            "weight\" and \"v.blk.0.ffn_down.weight\": both "
                            "are square, and nothing says which is first");
    if (fc2->shape[1] != patch->shape[0] || fc1->shape[0] != patch->shape[0])
        return 0;
    for (size_t layer = 0; !code; layer++) {
        char name[64];

        snprintf(name, sizeof(name), "blocks.%zu.mlp.fc1.weight", layer);
        if (!tomevit_has(view, name))
            break;
        code = swap(view, layer, "weight", report);
        if (!code)
            code = swap(view, layer, "bias", report);
    }
    return code;
}

/* ---- what it says -------------------------------------------------------- */

static int say_activation(vit_tensors *view, const kind *k,
                          const vit_report *report)
{
    int gelu = is_true(view, "clip.use_gelu");
    int silu = is_true(view, "clip.use_silu");
    const char *name = gelu ? k->gelu : silu ? k->silu : k->plain;
    const char *from = IMPLIED;

    if (!name || (gelu && silu))
        return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"clip.use_%s\": "
                            "expected another function in the MLP of \"%s\"",
                            silu ? "silu" : "gelu", k->type);
    if (k->plain) {
        /* LLaVA's towers: CLIP's has a class token, SigLIP's the approximation
         * under either flag. */
        from = gelu || !said(view, "clip.use_gelu") ? OPEN : "clip.use_gelu";
        if (!tomevit_has(view, "cls_token"))
            name = "gelu_tanh", from = OPEN;
    }
    return tomevit_tensors_say(view, "activation", name, from);
}

static int say_pixels(vit_tensors *view, const kind *k)
{
    return tomevit_tensors_say(view, "crop_pct", "1", k->pixels[2]) ||
           tomevit_tensors_say(view, "crop_mode", k->pixels[0],
                               k->pixels[2]) ||
           tomevit_tensors_say(view, "interpolation", k->pixels[1],
                               k->pixels[2]);
}

static int say_kind(vit_tensors *view, const kind *k)
{
    return tomevit_tensors_say(view, "family", k->family, IMPLIED) ||
           tomevit_tensors_say(view, "positions", k->positions, IMPLIED) ||
           /* every patch is handed on: which of them is asked for is open */
           tomevit_tensors_say(view, "pool", "mean", OPEN) ||
           (k->rms && tomevit_tensors_say(view, "norm", "rms", IMPLIED)) ||
           (k->pairs && (tomevit_tensors_say(view, "cells", "patches",
                                             IMPLIED) ||
                         tomevit_tensors_say(view, "position_resize",
                                             "linear_corners", IMPLIED))) ||
           (k->endless && !tomevit_has(view, "norm.weight") &&
            tomevit_tensors_say(view, "final_norm", "none", IMPLIED)) ||
           say_pixels(view, k);
}

/* clip.cpp's own files, of a CLIP whole or its image tower. */
static int say_clip(vit_tensors *view)
{
    static const char from[] = "general.architecture";
    const char *gelu = said(view, "clip.use_gelu");

    return tomevit_tensors_say(view, "family", "clip", from) ||
           tomevit_tensors_say(view, "positions", "learned", from) ||
           tomevit_tensors_say(view, "pool", "class", from) ||
           tomevit_tensors_say(view, "activation",
                               gelu && !strcmp(gelu, "true") ? "gelu"
                                                             : "quick_gelu",
                               gelu ? "clip.use_gelu" : OPEN);
}

/* Of the models there are all have the same. */
static int check_theta(const vit_tensors *view, const kind *k,
                       const vit_report *report)
{
    const char *text = said(view, "clip.rope.freq_base");

    double theta = 0;

    return !k || !text || (!tomevit_real_read(text, &theta) && theta == 10000.0)
               ? 0 : tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"clip."
                                  "rope.freq_base\": expected 10000, found "
                                  "%.40s", text);
}

static int say_numbers(vit_tensors *view)
{
    return pass(view, "num_heads", VISION "attention.head_count") ||
           pass(view, "norm_eps", VISION "attention.layer_norm_epsilon") ||
           pass(view, "input_size", VISION "image_size") ||
           pass(view, "mean", VISION "image_mean") ||
           pass(view, "std", VISION "image_std");
}

int tomevit_mmproj_say(vit_tensors *view, const vit_report *report)
{
    const kind *k;
    int code;

    /* Towers of sound, and others that do not begin with patches. */
    if (!is_mmproj(view))
        return type_of(view) ? refuse_type(type_of(view), report) : 0;
    if ((code = check_truths(view, report)))
        return code;
    k = kind_of(view, &code, report);
    if (!code && k && k->pairs != tomevit_has(view, "merger.fc1.weight"))
        code = tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"" TYPE "\": "
                            "expected %s \"v.patch_embd.weight.1\" and "
                            "\"mm.0.weight\" with \"%s\"", k->pairs
                                ? "tensors" : "not both of tensors", k->type);
    if (!code)
        code = check_features(view, report);
    if (!code)
        code = check_windows(view, report);
    if (!code)
        code = settle_products(view, report);
    if (!code)
        code = check_theta(view, k, report);
    if (!code && k)
        code = say_activation(view, k, report);
    if (code)
        return code;
    return say_numbers(view) || (k ? say_kind(view, k) : say_clip(view))
               ? tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory") : 0;
}

int tomevit_mmproj_check(const vit_tensors *file, const tomevit_description *d,
                         const vit_report *report)
{
    const struct {
        const char *key;
        size_t value;
    } known[] = {
        {VISION "embedding_length", d->dim},
        {VISION "feed_forward_length", d->mlp_dim},
        {VISION "block_count", d->depth},
        {VISION "attention.head_count", d->heads},
        {VISION "patch_size", d->patch},
        {VISION "image_size", d->image_size},
        {VISION "spatial_merge_size", d->cells.side}, /* 0: not the tower's */
    };

    for (size_t i = 0; is_mmproj(file) && i < sizeof(known) / sizeof(*known);
         i++) {
        const char *text = said(file, known[i].key);
        char expected[32];

        snprintf(expected, sizeof(expected), "%zu", known[i].value);
        if (text && known[i].value && strcmp(text, expected))
            return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"%s\": "
                                "expected %s, as its tensors have it, found "
                                "%.40s", known[i].key, expected, text);
    }
    return 0;
}
