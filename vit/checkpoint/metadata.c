/* SPDX-License-Identifier: MIT */
/* What a checkpoint's metadata say: heads, epsilon, pixels, class names. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "description.h"
#include "../base/real.h"
#include "../containers/json.h"
#include "../network/positions.h"

enum { DEPTH = 8 };

/* Metadata values are strings; most hold JSON. NULL if this one does not. */
static json_t *parse_value(const char *text)
{
    json_error_t error;

    return tomevit_json_parse(text, strlen(text), DEPTH, &error);
}

static int wrong(const char *key, const char *expected, const char *found,
                 const vit_report *report)
{
    return tomevit_fail(report, TOMEVIT_EFORMAT,
                        "metadata \"%s\": expected %s, found \"%.80s\"", key,
                        expected, found);
}

/* ---- heads and epsilon --------------------------------------------------- */

/* Published shapes whose heads are not 64 wide.
 * [timm, vision_transformer.py] */
static const struct {
    size_t dim, depth, heads;
} other_heads[] = {
    {768, 8, 8},                            /* the first vit_small */
    {1152, 27, 16},                         /* so400m */
    {1280, 32, 16},                         /* huge */
    {1408, 40, 16},                         /* giant */
    {1664, 48, 16},                         /* gigantic */
};

/* By shape alone; 0 if it does not tell. */
static size_t usual_heads(size_t dim, size_t depth)
{
    size_t i;

    for (i = 0; i < sizeof(other_heads) / sizeof(*other_heads); i++)
        if (other_heads[i].dim == dim && other_heads[i].depth == depth)
            return other_heads[i].heads;
    return dim % 64 == 0 ? dim / 64 : 0;
}

/* 64 wide, but for the largest. [facebookresearch/dinov3, hub/backbones.py] */
static size_t dinov3_heads(size_t dim)
{
    return dim == 4096 ? 32 : dim % 64 == 0 ? dim / 64 : 0;
}

static int check_heads(tomevit_description *d, const char *key,
                       const char *text, const json_t *value,
                       const vit_report *report)
{
    json_int_t heads = json_integer_value(value);
    char expected[64];

    if (json_is_integer(value) && heads > 0 &&
        (unsigned long long)heads <= d->dim && d->dim % (size_t)heads == 0) {
        d->heads = (size_t)heads;
        return 0;
    }
    snprintf(expected, sizeof(expected), "a number of heads that divides %zu",
             d->dim);
    return wrong(key, expected, text, report);
}

static int find_heads(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "num_heads");
    const char *key = "num_heads";
    json_t *value = text ? parse_value(text) : NULL, *heads = value;
    int code = 0;

    if (!text && (text = tomevit_tensors_metadata(file, "arch"))) {
        /* May also be no more than a name: then it does not say. */
        key = "arch";
        value = parse_value(text);
        heads = json_object_get(value, "num_heads");
        if (!heads)
            text = NULL;
    }
    if (text)
        code = check_heads(d, key, text, heads, report);
    else if (!(d->heads = d->rope.kind == TOMEVIT_ROTARY_CENTRED
                              ? dinov3_heads(d->dim)
                              : usual_heads(d->dim, d->depth)))
        code = tomevit_fail(report, TOMEVIT_EMODEL, "the number of heads is "
                            "not known for dim %zu: add \"num_heads\" to the "
                            "file's metadata", d->dim);
    json_decref(value);
    return code;
}

int tomevit_metadata_heads(const vit_tensors *file, tomevit_description *d,
                           const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "norm_eps");
    const char *said = tomevit_tensors_metadata(file, "num_heads");
    size_t told = d->heads;
    int code = told && !said ? 0 : find_heads(file, d, report);

    d->norm_eps = d->norm_pre || d->rope.kind == TOMEVIT_ROTARY_CENTRED
                      ? 1e-5f : 1e-6f;
    if (!code && told && d->heads != told)
        return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"num_heads\": "
                            "expected %zu, which the tensors show, found %zu",
                            told, d->heads);
    if (!code && text) {
        json_t *value = parse_value(text);
        double eps = json_number_value(value);

        json_decref(value);
        if (!(eps >= 1e-30 && eps < 1))
            return wrong("norm_eps", "a number between 0 and 1", text, report);
        d->norm_eps = (float)eps;
    }
    return code;
}

int tomevit_metadata_pool_heads(const vit_tensors *file,
                                tomevit_description *d,
                                const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "pool_heads");
    size_t heads = d->heads;

    if (!tomevit_pool_width(d))
        return 0;
    if (text && tomevit_count_read(text, &heads))
        heads = 0;
    /* Perception Encoder's, whatever its width, and CoCa's.
     * [arXiv 2504.13181; open_clip, model.py: CLIPVisionCfg] */
    if (!text && (d->rope.kind || d->pool == TOMEVIT_POOL_QUERY))
        heads = 8;
    if (heads < 1 || tomevit_pool_width(d) % heads)
        return wrong("pool_heads", "a number of heads that divides the width",
                     text ? text : "8", report);
    d->pool_heads = heads;
    return 0;
}

/* ---- parts that no tensor shows ------------------------------------------ */

int tomevit_metadata_activation(const vit_tensors *file, tomevit_description *d,
                                const vit_report *report)
{
    static const char *const names[] = {
        [TOMEVIT_GELU] = "gelu",
        [TOMEVIT_GELU_TANH] = "gelu_tanh",
        [TOMEVIT_QUICK_GELU] = "quick_gelu",
    };
    const char *text = tomevit_tensors_metadata(file, "activation");
    int kind;

    if (!text || tomevit_gated(d) ||
        (!strcmp(text, "silu") && d->activation == TOMEVIT_SILU))
        return 0;
    for (kind = 0; kind <= TOMEVIT_QUICK_GELU; kind++)
        if (!strcmp(text, names[kind])) {
            d->activation = kind;
            return 0;
        }
    return wrong("activation", "gelu, gelu_tanh or quick_gelu", text, report);
}

int tomevit_metadata_pool(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "pool");

    if (!text || tomevit_pool_width(d) || d->pool == TOMEVIT_POOL_CELLS)
        return 0;
    if (d->pool == TOMEVIT_POOL_CLASS_LAYERS)
        return strcmp(text, "class")
                   ? wrong("pool", "class, of layers of class attention", text,
                           report)
                   : 0;
    if (!strcmp(text, "mean"))
        d->pool = TOMEVIT_POOL_MEAN;
    else if (strcmp(text, "class") || !d->class_token || d->fc_norm)
        return wrong("pool", "mean, or class with a class token and without "
                     "fc_norm", text, report);
    return 0;
}

int tomevit_metadata_positions(const vit_tensors *file, int *how,
                               const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "position_resize");

    *how = text ? tomevit_positions_from_name(text) : VIT_POSITIONS_ANTIALIAS;
    return *how >= 0 ? 0 : wrong("position_resize", "a way to resize such as "
                                 "bicubic_antialias", text, report);
}

/* ---- pixels -------------------------------------------------------------- */

/* "[a, b, c]" or "a, b, c"; each finite, and above `above`. 1 if so. */
static int get_three(const char *text, double above, float out[3])
{
    size_t length = strlen(text), i;
    char *list = malloc(length + 3);
    json_t *value;
    int good;

    if (!list)
        return 0;
    snprintf(list, length + 3, strchr(text, '[') ? "%s" : "[%s]", text);
    value = parse_value(list);
    free(list);
    good = json_is_array(value) && json_array_size(value) == 3;
    for (i = 0; good && i < 3; i++) {
        const json_t *item = json_array_get(value, i);
        double number = json_number_value(item);

        good = json_is_number(item) && number > above && fabs(number) < 1e6;
        out[i] = (float)number;
    }
    json_decref(value);
    return good;
}

static int get_interpolation(const char *text, int *out)
{
    if (!strcmp(text, "bicubic") || !strcmp(text, "\"bicubic\""))
        *out = TOMEVIT_BICUBIC;
    else if (!strcmp(text, "bilinear") || !strcmp(text, "\"bilinear\""))
        *out = TOMEVIT_BILINEAR;
    else
        return 0;
    return 1;
}

const char *tomevit_crop_mode_word(int mode)
{
    static const char *const words[] = {"center", "squash", "border"};

    return words[mode];
}

static int get_crop_mode(const char *text, int *out)
{
    for (int i = TOMEVIT_CENTER; i <= TOMEVIT_BORDER; i++)
        if (!strcmp(text, tomevit_crop_mode_word(i))) {
            *out = i;
            return 1;
        }
    return 0;
}

static int get_crop(const char *text, double *out)
{
    json_t *value = parse_value(text);
    double crop = json_number_value(value);

    json_decref(value);
    if (!(crop >= 0.01 && crop <= 1))
        return 0;
    *out = crop;
    return 1;
}

int tomevit_metadata_preprocessing(const vit_tensors *file,
                                   tomevit_description *d,
                                   const vit_report *report)
{
    tomevit_preprocessing *pre = &d->preprocessing;
    const char *mean = tomevit_tensors_metadata(file, "mean");
    const char *std = tomevit_tensors_metadata(file, "std");
    const char *crop = tomevit_tensors_metadata(file, "crop_pct");
    const char *filter = tomevit_tensors_metadata(file, "interpolation");
    const char *mode = tomevit_tensors_metadata(file, "crop_mode");
    const char *from = tomevit_tensors_from(file, mean ? "mean" : std ? "std"
                                                  : crop ? "crop_pct"
                                                  : filter ? "interpolation"
                                                           : "crop_mode");

    if (mean && !get_three(mean, -1e6, pre->mean))
        return wrong("mean", "three numbers", mean, report);
    if (std && !get_three(std, 1e-6, pre->std))
        return wrong("std", "three positive numbers", std, report);
    if (crop && !get_crop(crop, &pre->crop_pct))
        return wrong("crop_pct", "a number from 0.01 to 1", crop, report);
    if (filter && !get_interpolation(filter, &pre->interpolation))
        return wrong("interpolation", "bicubic or bilinear", filter, report);
    if (mode && !get_crop_mode(mode, &pre->crop_mode))
        return wrong("crop_mode", "center, squash or border", mode, report);
    if (mean || std || crop || filter || mode)
        snprintf(d->preprocessing_source, sizeof(d->preprocessing_source),
                 "%.31s", from + (from[0] == '?'));
    return 0;
}

/* What a family was trained and is published with, in the order of their
 * names' beginnings. [timm, models/vision_transformer.py and deit.py,
 * default_cfgs; facebookresearch/mae; openai/CLIP] */
static const struct {
    const char *family;
    float mean[3], std[3];
    double crop_pct, crop_pct_large; /* of images up to 224, and larger ones */
} families[] = {
    {"clip", {0.48145466f, 0.4578275f, 0.40821073f},
     {0.26862954f, 0.26130258f, 0.27577711f}, 1.0, 1.0},
    {"mega", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f},
     0.875, 0.875},
    {"dinov3", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 1.0, 1.0},
    {"sapiens2", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 1.0, 1.0},
    {"gemma4", {0, 0, 0}, {1, 1, 1}, 1.0, 1.0},
    {"eva02", {0.48145466f, 0.4578275f, 0.40821073f},
     {0.26862954f, 0.26130258f, 0.27577711f}, 1.0, 1.0},
    {"pe", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1.0, 1.0},
    {"rope-vit", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f},
     0.9, 1.0},
    {"dino", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, 1.0},
    {"deit", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.9, 1.0},
    {"mae", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, 1.0},
    {"swag", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 1.0, 1.0},
    {"torchvision", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f},
     1.0, 1.0},
    {"siglip", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 0.9, 0.9},
    {"", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 0.9, 1.0},
};

/* torchvision's first weights are bilinear, and ViT-L/16's for an image of 242;
 * those from SWAG take all of a bicubic one. [torchvision,
 * models/vision_transformer.py: ViT_*_Weights] */
static void torchvision_pixels(const tomevit_description *d,
                               tomevit_preprocessing *pre)
{
    if (d->image_size > 224 || d->dim == 1280)
        return;
    pre->interpolation = TOMEVIT_BILINEAR;
    pre->crop_pct = d->dim == 1024 && d->patch == 16 ? 224.0 / 242 : 0.875;
}

void tomevit_family_preprocessing(tomevit_description *d)
{
    tomevit_preprocessing *pre = &d->preprocessing;
    size_t i = 0, large = 384;

    while (strncmp(d->family, families[i].family, strlen(families[i].family)))
        i++;
    if (!strcmp(families[i].family, "mae") ||
        !strcmp(families[i].family, "dino") ||
        !strcmp(families[i].family, "torchvision"))
        large = 225;
    pre->size = d->image_size;
    pre->interpolation = TOMEVIT_BICUBIC;
    pre->crop_mode = TOMEVIT_CENTER;
    memcpy(pre->mean, families[i].mean, sizeof(pre->mean));
    memcpy(pre->std, families[i].std, sizeof(pre->std));
    pre->crop_pct = d->image_size >= large ? families[i].crop_pct_large
                                           : families[i].crop_pct;
    if (!strcmp(families[i].family, "torchvision"))
        torchvision_pixels(d, pre);
    if (!strcmp(families[i].family, "pe") ||
        !strcmp(families[i].family, "sapiens2")) {
        pre->interpolation = TOMEVIT_BILINEAR;
        pre->crop_mode = TOMEVIT_SQUASH;
    }
    strcpy(d->preprocessing_source, families[i].family[0] ? "family"
                                                          : "default");
}

/* ---- class names --------------------------------------------------------- */

/* An array of strings into one allocation: the pointers, then the texts. */
static char **copy_names(const json_t *list, size_t count)
{
    size_t bytes = (count + 1) * sizeof(char *), i;
    char **names, *text;

    for (i = 0; i < count; i++)
        bytes += json_string_length(json_array_get(list, i)) + 1;
    names = malloc(bytes);
    if (!names)
        return NULL;
    text = (char *)(names + count + 1);
    for (i = 0; i < count; i++) {
        const json_t *name = json_array_get(list, i);

        names[i] = text;
        strcpy(text, json_string_value(name));
        text += json_string_length(name) + 1;
    }
    names[count] = NULL;
    return names;
}

int tomevit_metadata_class_names(const vit_tensors *file, size_t classes,
                                 char ***names, const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "class_names");
    const char *from = tomevit_tensors_from(file, "class_names");
    int beside = from && strcmp(from, "metadata");
    json_t *list;
    size_t i = 0;
    int code = 0;

    *names = NULL;
    if (!text)
        return 0;
    list = parse_value(text);
    if (json_is_array(list) && json_array_size(list) == classes)
        while (i < classes && json_is_string(json_array_get(list, i)))
            i++;
    if (i < classes && beside)
        ;               /* of another head than this one: numbers, then */
    else if (i < classes)
        code = tomevit_fail(report, TOMEVIT_EFORMAT,
                            "metadata \"class_names\": expected a JSON array "
                            "of %zu strings, found \"%.60s\"", classes, text);
    else if (!(*names = copy_names(list, classes)))
        code = tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for %zu class names", classes);
    json_decref(list);
    return code;
}
