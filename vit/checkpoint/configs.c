/* SPDX-License-Identifier: MIT */
/*
 * What config.json (timm's or transformers') and open_clip_config.json say of
 * a model.
 * [timm, models/_hub.py; transformers, configuration_utils.py; open_clip,
 * factory.py]
 */
#include "config.h"

#include "neighbour.h"

#include <stdio.h>
#include <string.h>

/* ---- transformers ---------------------------------------------------------- */

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

/* Class names, and that they were found here: another number of them than the
 * model has classes is then no reason to refuse the model. */
static void say_names(const vit_neighbour *n, json_t *names)
{
    if (names)
        tomevit_neighbour_say(n, "class_names_source", json_string(n->name));
    tomevit_neighbour_say(n, "class_names", names);
}

int tomevit_from_transformers(const vit_neighbour *n, json_t *config)
{
    const json_t *vision = json_object_get(config, "vision_config");
    const json_t *parts = vision ? vision : config;

    if (!tomevit_neighbour_fits(n, parts, "hidden_size"))
        return 0;
    tomevit_neighbour_pass(n, "num_heads", parts, "num_attention_heads");
    tomevit_neighbour_pass(n, "norm_eps", parts, "layer_norm_eps");
    tomevit_neighbour_say(n, "activation", activation(parts));
    say_names(n, labels(json_object_get(config, "id2label")));
    return 0;
}

/* ---- timm ------------------------------------------------------------------- */

static int mentions(const char *text, const char *word)
{
    return text && strstr(text, word);
}

/* What timm's function of this name passes to the model. */
static void from_architecture(const vit_neighbour *n, const char *name)
{
    int siglip = mentions(name, "_siglip_");

    if (mentions(name, "quickgelu"))
        tomevit_neighbour_say(n, "activation", json_string("quick_gelu"));
    if (siglip && (mentions(name, "so400m_patch16") ||
                   mentions(name, "giantopt") || mentions(name, "patch32") ||
                   mentions(name, "siglip_512") ||
                   mentions(name, "siglip_gap_512")))
        tomevit_neighbour_say(n, "activation", json_string("gelu_tanh"));
    if (mentions(name, "giantopt"))
        tomevit_neighbour_say(n, "num_heads", json_integer(16));
    if (mentions(name, "_rpn_"))
        tomevit_neighbour_say(n, "block", json_string("res_post_norm"));
}

int tomevit_from_timm(const vit_neighbour *n, json_t *config)
{
    const json_t *nested = json_object_get(config, "pretrained_cfg");
    const json_t *cfg = nested ? nested : config;
    const json_t *args = json_object_get(config, "model_args");
    const char *pool = tomevit_json_text(config, "global_pool");

    if (!tomevit_neighbour_fits(n, config, "num_features"))
        return 0;
    tomevit_neighbour_say(n, "preprocessing_source", json_string(n->name));
    tomevit_neighbour_pass(n, "mean", cfg, "mean");
    tomevit_neighbour_pass(n, "std", cfg, "std");
    tomevit_neighbour_pass(n, "crop_pct", cfg, "crop_pct");
    tomevit_neighbour_pass(n, "crop_mode", cfg, "crop_mode");
    tomevit_neighbour_pass(n, "interpolation", cfg, "interpolation");
    say_names(n, json_incref(json_object_get(cfg, "label_names")));
    say_names(n, json_incref(json_object_get(config, "label_names")));
    tomevit_neighbour_pass(n, "num_heads", args, "num_heads");
    tomevit_neighbour_pass(n, "activation", args, "act_layer");
    from_architecture(n, tomevit_json_text(config, "architecture"));
    if (pool && !strcmp(pool, "avg"))
        tomevit_neighbour_say(n, "pool", json_string("mean"));
    return 0;
}

/* ---- open_clip ------------------------------------------------------------------ */

/* Pixels as open_clip resizes them: the shorter side, or both. */
static int open_clip_pixels(const vit_neighbour *n, const json_t *pixels)
{
    const char *mode = tomevit_json_text(pixels, "resize_mode");

    if (!json_object_get(pixels, "mean"))
        return 0;
    if (mode && strcmp(mode, "shortest") && strcmp(mode, "squash"))
        return tomevit_neighbour_refuse(n, "\"resize_mode\" \"%.40s\" cannot "
                                        "be done here: expected shortest or "
                                        "squash", mode);
    tomevit_neighbour_say(n, "preprocessing_source", json_string(n->name));
    tomevit_neighbour_pass(n, "mean", pixels, "mean");
    tomevit_neighbour_pass(n, "std", pixels, "std");
    tomevit_neighbour_pass(n, "interpolation", pixels, "interpolation");
    tomevit_neighbour_pass(n, "input_size", pixels, "size");
    tomevit_neighbour_crop(n, 1, 1, mode && !strcmp(mode, "squash"));
    return 0;
}

int tomevit_from_open_clip(const vit_neighbour *n, json_t *config)
{
    const json_t *model = json_object_get(config, "model_cfg");
    const json_t *vision = json_object_get(model, "vision_cfg");
    size_t width = tomevit_json_size(vision, "width");
    size_t head = tomevit_json_size(vision, "head_width");

    if (!tomevit_neighbour_fits(n, vision, "width"))
        return 0;
    if (json_is_true(json_object_get(model, "quick_gelu")))
        tomevit_neighbour_say(n, "activation", json_string("quick_gelu"));
    if (width && head && width % head == 0)
        tomevit_neighbour_say(n, "num_heads",
                              json_integer((json_int_t)(width / head)));
    return open_clip_pixels(n, json_object_get(config, "preprocess_cfg"));
}
