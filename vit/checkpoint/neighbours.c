/* SPDX-License-Identifier: MIT */
/*
 * From the configurations that libraries write beside their weights to the
 * metadata that this library reads.
 * [timm, models/_hub.py; transformers, configuration_utils.py,
 * image_processing_base.py; open_clip, factory.py]
 */
#include "config.h"

#include "neighbours.h"

#include "../containers/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 << 20, DEPTH = 16, PATH = 4096 };

/* ---- files ----------------------------------------------------------------- */

/* All of a stream in memory, NULL without memory or over MOST bytes. */
static char *read_all(FILE *in, size_t *length)
{
    size_t space = 1 << 16;
    char *text = malloc(space);

    for (*length = 0; text;) {
        char *larger;

        *length += fread(text + *length, 1, space - *length, in);
        if (*length < space)
            return text;
        space *= 2;
        larger = space <= MOST ? realloc(text, space) : NULL;
        if (!larger)
            free(text);
        text = larger;
    }
    return NULL;
}

/* *value is the JSON in the file `name` beside the view's, NULL if there is
 * no such file. */
static int load(const vit_tensors *view, const char *name, json_t **value,
                json_error_t *error)
{
    const char *slash = strrchr(view->path, '/');
    int folder = slash ? (int)(slash + 1 - view->path) : 0;
    char path[PATH], *text;
    size_t length;
    FILE *in;

    *value = NULL;
    if (snprintf(path, sizeof path, "%.*s%s", folder, view->path, name) >=
            PATH || !(in = fopen(path, "rb")))
        return 0;
    text = read_all(in, &length);
    fclose(in);
    if (text)
        *value = tomevit_json_parse(text, length, DEPTH, error);
    else
        snprintf(error->text, sizeof error->text, "too long");
    free(text);
    return *value ? 0 : -1;
}

/* ---- metadata ---------------------------------------------------------------- */

/* Sets a key unless it is there or the value is NULL, which is given away. */
static void say(vit_tensors *view, const char *key, json_t *value)
{
    char *text = json_is_string(value)
                     ? strdup(json_string_value(value))
                     : value ? json_dumps(value, JSON_ENCODE_ANY |
                                                     JSON_COMPACT)
                             : NULL;

    if (text && !json_object_get(view->metadata, key))
        json_object_set_new(view->metadata, key, json_string(text));
    free(text);
    json_decref(value);
}

/* The same from a member of an object. */
static void pass(vit_tensors *view, const char *key, const json_t *object,
                 const char *member)
{
    say(view, key, json_incref(json_object_get(object, member)));
}

static size_t number(const json_t *object, const char *member)
{
    json_int_t value = json_integer_value(json_object_get(object, member));

    return value > 0 ? (size_t)value : 0;
}

/* 1 if an object's member, where it is a number, is the model's width. */
static int fits(const vit_tensors *view, const json_t *object,
                const char *member)
{
    const vit_stored *t = tomevit_tensors_find(view, "patch_embed.proj.weight");
    size_t dim = number(object, member);

    return !dim || !t || t->dims < 1 || t->shape[0] == dim;
}

/* The part of the resized image that a crop of `crop` pixels keeps: such that
 * cutting crop / part to a whole number gives `resized` again. */
static double crop_part(size_t crop, size_t resized)
{
    double part = (double)crop / (double)resized;

    return floor((double)crop / part) == (double)resized
               ? part : (double)crop / ((double)resized + 0.5);
}

static void say_crop(vit_tensors *view, size_t crop, size_t resized,
                     int squash)
{
    if (!crop || !resized || crop > resized)
        return;
    say(view, "crop_pct", json_real(crop_part(crop, resized)));
    say(view, "crop_mode", json_string(squash ? "squash" : "center"));
}

/* ---- transformers -------------------------------------------------------------- */

/* "gelu_pytorch_tanh" and its like under one name. */
static json_t *activation(const json_t *config)
{
    const char *name = json_string_value(json_object_get(config,
                                                         "hidden_act"));

    if (name && (!strcmp(name, "gelu_pytorch_tanh") ||
                 !strcmp(name, "gelu_new")))
        name = "gelu_tanh";
    return name ? json_string(name) : NULL;
}

/* Names in the order of their indices; NULL where they are only LABEL_N, or
 * not all there. */
static json_t *labels(const json_t *id2label)
{
    size_t count = json_object_size(id2label), i;
    json_t *names = json_array();

    for (i = 0; i < count; i++) {
        char index[24], plain[32];
        const char *name;

        snprintf(index, sizeof index, "%zu", i);
        snprintf(plain, sizeof plain, "LABEL_%zu", i);
        name = json_string_value(json_object_get(id2label, index));
        if (!name || !strcmp(name, plain))
            break;
        json_array_append_new(names, json_string(name));
    }
    if (count == 0 || i < count) {
        json_decref(names);
        return NULL;
    }
    return names;
}

static void from_transformers(vit_tensors *view, const json_t *config)
{
    const json_t *vision = json_object_get(config, "vision_config");
    const json_t *parts = vision ? vision : config;

    if (!fits(view, parts, "hidden_size"))
        return;
    pass(view, "num_heads", parts, "num_attention_heads");
    pass(view, "norm_eps", parts, "layer_norm_eps");
    say(view, "activation", activation(parts));
    say(view, "class_names", labels(json_object_get(config, "id2label")));
}

/* A side given as a number or as {name: number}. */
static size_t side(const json_t *size, const char *name)
{
    if (json_is_integer(size))
        return json_integer_value(size) > 0 ? (size_t)json_integer_value(size)
                                            : 0;
    return number(size, name);
}

static void from_preprocessor(vit_tensors *view, const json_t *config)
{
    const json_t *size = json_object_get(config, "size");
    const json_t *crop = json_object_get(config, "crop_size");
    size_t shortest = number(size, "shortest_edge");
    size_t resized = shortest ? shortest : side(size, "height");
    json_int_t filter = json_integer_value(json_object_get(config,
                                                           "resample"));
    int crops = json_is_true(json_object_get(config, "do_center_crop"));

    if (!json_object_get(config, "image_mean"))
        return;
    say(view, "preprocessing_source",
        json_string("preprocessor_config.json"));
    pass(view, "mean", config, "image_mean");
    pass(view, "std", config, "image_std");
    if (filter == 2 || filter == 3)
        say(view, "interpolation",
            json_string(filter == 2 ? "bilinear" : "bicubic"));
    say_crop(view, crops && side(crop, "height") ? side(crop, "height")
                                                 : resized,
             resized, !shortest);
}

/* ---- timm ---------------------------------------------------------------------- */

static int mentions(const char *text, const char *word)
{
    return text && strstr(text, word);
}

/* What timm's function of this name passes to the model. */
static void from_architecture(vit_tensors *view, const char *name)
{
    int siglip = mentions(name, "_siglip_");

    if (mentions(name, "quickgelu"))
        say(view, "activation", json_string("quick_gelu"));
    if (siglip && (mentions(name, "so400m_patch16") ||
                   mentions(name, "giantopt") || mentions(name, "patch32") ||
                   mentions(name, "siglip_512") ||
                   mentions(name, "siglip_gap_512")))
        say(view, "activation", json_string("gelu_tanh"));
    if (mentions(name, "giantopt"))
        say(view, "num_heads", json_integer(16));
    if (mentions(name, "_rpn_"))
        say(view, "block", json_string("res_post_norm"));
}

static void from_timm(vit_tensors *view, const json_t *config)
{
    const json_t *nested = json_object_get(config, "pretrained_cfg");
    const json_t *cfg = nested ? nested : config;
    const json_t *args = json_object_get(config, "model_args");
    const char *pool = json_string_value(json_object_get(config,
                                                         "global_pool"));

    if (!fits(view, config, "num_features"))
        return;
    say(view, "preprocessing_source", json_string("config.json"));
    pass(view, "mean", cfg, "mean");
    pass(view, "std", cfg, "std");
    pass(view, "crop_pct", cfg, "crop_pct");
    pass(view, "crop_mode", cfg, "crop_mode");
    pass(view, "interpolation", cfg, "interpolation");
    pass(view, "class_names", cfg, "label_names");
    pass(view, "class_names", config, "label_names");
    pass(view, "num_heads", args, "num_heads");
    pass(view, "activation", args, "act_layer");
    from_architecture(view, json_string_value(json_object_get(
                                config, "architecture")));
    if (pool && !strcmp(pool, "avg"))
        say(view, "pool", json_string("mean"));
}

/* ---- open_clip ------------------------------------------------------------------ */

static void from_open_clip(vit_tensors *view, const json_t *config)
{
    const json_t *model = json_object_get(config, "model_cfg");
    const json_t *vision = json_object_get(model, "vision_cfg");
    const json_t *pixels = json_object_get(config, "preprocess_cfg");
    size_t width = number(vision, "width");
    size_t head = number(vision, "head_width");

    if (!fits(view, vision, "width"))
        return;
    if (json_is_true(json_object_get(model, "quick_gelu")))
        say(view, "activation", json_string("quick_gelu"));
    if (width && head && width % head == 0)
        say(view, "num_heads", json_integer((json_int_t)(width / head)));
    if (!json_object_get(pixels, "mean"))
        return;
    say(view, "preprocessing_source", json_string("open_clip_config.json"));
    pass(view, "mean", pixels, "mean");
    pass(view, "std", pixels, "std");
    pass(view, "interpolation", pixels, "interpolation");
    if (json_string_value(json_object_get(pixels, "resize_mode")))
        say_crop(view, 1, 1,
                 !strcmp(json_string_value(json_object_get(pixels,
                                                           "resize_mode")),
                         "squash"));
}

/* ---- all of them ------------------------------------------------------------------ */

/* config.json is timm's or transformers'. */
static void from_config(vit_tensors *view, const json_t *config)
{
    if (json_object_get(config, "model_type"))
        from_transformers(view, config);
    else if (json_object_get(config, "architecture"))
        from_timm(view, config);
}

int tomevit_neighbours(vit_tensors *view, const vit_report *report)
{
    static const struct {
        const char *name;
        void (*read)(vit_tensors *view, const json_t *config);
    } files[] = {
        {"preprocessor_config.json", from_preprocessor},
        {"config.json", from_config},
        {"open_clip_config.json", from_open_clip},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        json_error_t error;
        json_t *config;

        if (load(view, files[i].name, &config, &error))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "%s beside it: "
                                "expected JSON: %s", files[i].name,
                                error.text);
        if (config)
            files[i].read(view, config);
        json_decref(config);
    }
    return 0;
}
