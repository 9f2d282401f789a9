/* SPDX-License-Identifier: MIT */
/* What timm's config.json says of a model, and what follows from the name of
 * its architecture; open_clip names towers of timm's as well.
 * [timm, models/_hub.py, _builder.py; open_clip, timm_model.py] */
#include "config.h"

#include "architectures.h"
#include "neighbour.h"
#include "../layouts/layout.h"

#include <stdio.h>
#include <string.h>

static int is_naflex(const vit_neighbour *n)
{
    return !strcmp(tomevit_view_layout(n->view), "timm NaFlex");
}

static int is_gemma4(const vit_neighbour *n)
{
    return !strcmp(tomevit_view_layout(n->view), "timm Gemma 4");
}

/* A classifier's names have its encoder before them, with or without a head. */
static int is_encoders(const vit_neighbour *n)
{
    char origin[256];

    tomevit_view_origin(n->view, "patch_embed.proj.weight", origin);
    return strstr(origin, "encoder.") != NULL;
}

/* ---- the architecture ---------------------------------------------------- */

/* The tensors are those of so many layers of this width. */
static int has_shape(const vit_neighbour *n, size_t dim, size_t depth)
{
    const vit_stored *t = tomevit_tensors_find(n->view,
                                               "patch_embed.proj.weight");
    char last[64], beyond[64];

    snprintf(last, sizeof(last), "blocks.%zu.norm1.weight", depth - 1);
    snprintf(beyond, sizeof(beyond), "blocks.%zu.norm1.weight", depth);
    return !t || t->dims < 1 ||
           (t->shape[0] == dim && vit_has(n, last) && !vit_has(n, beyond));
}

/* The tensors tell patches apart as this architecture does: by embeddings, by
 * rotations, or by both. */
static int has_positions(const vit_neighbour *n, const vit_architecture *a)
{
    int rotary = !strncmp(a->positions, "rotary", 6);
    int relative = strcmp(a->positions, "relative") == 0;
    int inner = strncmp(a->name, "beit3_", 6) == 0;
    int staged = strncmp(a->name, "vitamin_", 8) == 0;
    int embeds = !strcmp(a->positions, "learned") || strstr(a->name, "_ape_") ||
                 strstr(a->name, "eva02_") || strstr(a->name, "vit_pe_") ||
                 strstr(a->name, "qwen3_vit") || strstr(a->name, "gemma4_");

    if (vit_has(n, "pos_embed") != embeds ||
        vit_has(n, "patch_embed.backbone.stem.conv1.weight") != staged)
        return 0;
    if (relative != (vit_has(n, "blocks.0.attn.relative_position_bias_table") ||
                     vit_has(n, "blocks.0.attn.rel_pos.mlp.fc2.weight") ||
                     vit_has(n, "shared_rel_pos.mlp.fc2.weight")))
        return 0;
    return rotary ||
           (vit_has(n, "blocks.0.attn.norm.weight") == inner &&
            vit_has(n, "blocks.0.mlp.norm.weight") == (inner || staged) &&
            !vit_has(n, "rope.freqs") && !vit_has(n, "rope.periods"));
}

static size_t or_else(size_t size, size_t otherwise)
{
    return size ? size : otherwise;
}

/* Which norms do without what others have: towers that end without one, and
 * norms that only scale. */
static void say_norms(const vit_neighbour *n, const char *name,
                      const json_t *args)
{
    const json_t *last = json_object_get(args, "final_norm");
    static const char *const endless[] = {"_radio_", "vit_intern", "qwen3_vit",
                                          "gemma4_vit"};
    static const char *const rms[] = {"aimv2_", "test_vit4", "deepseek_vit",
                                      "_sapiens2", "gemma4_vit"};

    int wrapped = strstr(name, "qwen3_vit") || strstr(name, "deepseek_vit") ||
                  strstr(name, "gemma4_vit");

    /* These two end as their encoder does; their own norm comes behind. */
    if (wrapped && !json_is_false(last) && !strstr(name, "_enc"))
        tomevit_neighbour_say(n, "bare_norm", json_string("after pooling"));
    else if (is_gemma4(n) && json_is_false(last))
        tomevit_neighbour_say(n, "bare_norm", json_string("none"));
    if (wrapped)
        last = NULL;
    if (json_is_false(last))
        tomevit_neighbour_say(n, "final_norm", json_string("none"));
    for (size_t i = 0; !last && i < sizeof(endless) / sizeof(*endless); i++)
        if (strstr(name, endless[i]))
            tomevit_neighbour_say(n, "final_norm", json_string("none"));
    for (size_t i = 0; i < sizeof(rms) / sizeof(*rms); i++)
        if (strstr(name, rms[i]))
            tomevit_neighbour_say(n, "norm", json_string("rms"));
}

/* How positions are resized, where it is not as most do. */
static void say_resize(const vit_neighbour *n, const char *name)
{
    const char *how = NULL;

    if (strstr(name, "qwen3_vit"))
        how = "linear_corners";
    else if (!strcmp(name, "naflexvit_base_patch16_radio_v3") ||
             !strcmp(name, "naflexvit_huge_patch16_radio_v3"))
        how = "linear_corners_square";
    else if (!strncmp(name, "naflexvit_", 10))
        how = strstr(name, "_radio_") || strstr(name, "_parfac_")
                  ? "linear_square"
              : strstr(name, "_par_")   ? "bicubic_antialias_square"
              : strstr(name, "_siglip") ? "linear_antialias"
                                        : "bicubic_antialias";
    tomevit_neighbour_say(n, "position_resize", how ? json_string(how) : NULL);
}

int tomevit_say_architecture(const vit_neighbour *n, const char *name,
                             const json_t *args)
{
    const char *missing = tomevit_timm_missing(name);
    const vit_architecture *a = tomevit_architecture(name);

    if (missing)
        return tomevit_neighbour_refuse(n, "\"%.60s\" cannot be run here: %s",
                                        name, missing);
    /* Whatever else it may be. */
    if (!a && strstr(name, "quickgelu"))
        tomevit_neighbour_say(n, "activation", json_string("quick_gelu"));
    if (!a)
        return 0;
    if (!has_shape(n, or_else(tomevit_json_size(args, "embed_dim"), a->dim),
                   or_else(tomevit_json_size(args, "depth"), a->depth)))
        return tomevit_neighbour_refuse(n, "\"%.60s\" has %zu layers of width "
                                        "%zu, the tensors are others", name,
                                        a->depth, a->dim);
    if (!has_positions(n, a))
        return tomevit_neighbour_refuse(n, "\"%.60s\" has %s, the tensors are "
                                        "others", name,
                                        strcmp(a->positions, "learned")
                                            ? a->positions
                                            : "learned positions alone");
    tomevit_neighbour_say(n, "num_heads", json_integer((json_int_t)a->heads));
    tomevit_neighbour_say(n, "norm_eps", json_string(a->norm_eps));
    tomevit_neighbour_say(n, "activation", a->activation
                              ? json_string(a->activation) : NULL);
    tomevit_neighbour_say(n, "positions", json_string(a->positions));
    say_norms(n, name, args);
    if (vit_has(n, "merger.fc1.weight"))
        tomevit_neighbour_say(n, "cells", json_string(
            strstr(name, "deepseek_vit") ? "channels" : "patches"));
    say_resize(n, name);
    if (strstr(name, "_rpn_") || !strncmp(name, "eva02_enormous_", 15))
        tomevit_neighbour_say(n, "block", json_string("res_post_norm"));
    if (!strcmp(name, "test_vit3"))
        tomevit_neighbour_say(n, "pool_tokens", json_string("all"));
    if (!strncmp(a->positions, "rotary", 6) && !a->pool)
        tomevit_neighbour_say(n, "pool_heads", json_string("8"));
    if (!vit_has(n, "attn_pool.latent"))
        tomevit_neighbour_say(n, "pool", a->pool ? json_string(a->pool)
                                                 : NULL);
    return 0;
}

/* ---- arguments of the model ---------------------------------------------- */

/* What shapes show, what changes nothing when it is run, or is read below. */
static const char *const understood[] = {
    "img_size", "patch_size", "in_chans", "num_classes", "embed_dim", "depth",
    "num_heads", "mlp_ratio", "qkv_bias", "qk_norm", "init_values",
    "class_token", "reg_tokens", "no_embed_class", "pre_norm", "fc_norm",
    "final_norm", "dynamic_img_size", "act_layer", "global_pool", "pos_embed",
    "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate",
    "attn_drop_rate", "drop_path_rate", "weight_init", "fix_init",
    "pretrained_cfg", "pretrained_cfg_overlay", "strict_img_size",
    "encoder_pool", "out_features", "num_kv_heads", "standardize",
    "use_clipped_linears", "intermediate_size", "position_embedding_size",
    "pooling_kernel_size",
};

/* Of NaFlex what is on by default changes what is computed where it is off. */
static int check_args(const vit_neighbour *n, json_t *args, int any)
{
    const char *key;
    json_t *value;

    json_object_foreach(args, key, value) {
        size_t i = 0;

        while (i < sizeof(understood) / sizeof(*understood) &&
               strcmp(key, understood[i]))
            i++;
        if (i == sizeof(understood) / sizeof(*understood) &&
            !json_is_null(value) && (any || !json_is_false(value)))
            return tomevit_neighbour_refuse(n, "\"%.40s\" of \"model_args\" "
                                            "cannot be done here", key);
    }
    return 0;
}

int tomevit_say_pool(const vit_neighbour *n, const char *key, const char *pool)
{
    int attention = vit_has(n, "attn_pool.latent");

    /* The mean of means of squares, behind a factor. */
    if (pool && !strcmp(pool, "soft") && is_gemma4(n) &&
        !vit_has(n, "head.weight")) {
        tomevit_neighbour_say(n, "bare_norm", json_string("scaled"));
        return 0;
    }
    if (pool && !strcmp(pool, "avg") && is_gemma4(n) &&
        !vit_has(n, "head.weight") && !is_encoders(n))
        tomevit_neighbour_say(n, "bare_norm", json_string("none"));
    if (!pool || !pool[0] || (attention && !strcmp(pool, "map")) ||
        (vit_has(n, "merger.fc1.weight") && (!strcmp(pool, "avg") ||
                                         !strcmp(pool, "merge") ||
                                         !strcmp(pool, "align"))))
        return 0;
    if (!attention && !strcmp(pool, "avg"))
        tomevit_neighbour_say(n, "pool", json_string("mean"));
    else if (!attention && (!strcmp(pool, "token") || !strcmp(pool, "tok")))
        tomevit_neighbour_say(n, "pool", json_string("class"));
    else
        return tomevit_neighbour_refuse(n, "\"%s\" \"%.40s\" cannot be done "
                                        "here%s", key, pool, attention
                                            ? " of a model with attention "
                                              "pooling" : "");
    return 0;
}

/* ---- pixels -------------------------------------------------------------- */

/* The crop's sides: what the model was made for, else what it is published
 * with. Of a side that is no multiple of the patch timm leaves the last pixels
 * out, after the crop. */
static int say_input_size(const vit_neighbour *n, const json_t *cfg,
                          const json_t *args)
{
    const json_t *made = json_object_get(args, "img_size");
    const json_t *size = json_object_get(cfg, "input_size");
    json_int_t high = json_integer_value(json_array_get(size, 1));
    json_int_t wide = json_integer_value(json_array_get(size, 2));

    if (json_is_array(made)) {
        high = json_integer_value(json_array_get(made, 0));
        wide = json_integer_value(json_array_get(made, 1));
    } else if (made && !json_is_null(made)) {
        high = wide = json_integer_value(made);
    } else if (!json_is_array(size)) {
        return 0;
    }
    return tomevit_neighbour_sides(n, high, wide);
}

/* What is read of the file, of its "pretrained_cfg", which may be the file
 * itself, and of its "model_args". */
static const vit_json_member whole_members[] = {
    {"architecture", VIT_JSON_TEXT}, {"num_features", VIT_JSON_COUNT},
    {"global_pool", VIT_JSON_TEXT}, {"pretrained_cfg", VIT_JSON_OBJECT},
    {"model_args", VIT_JSON_OBJECT}, {NULL, 0}
};

static const vit_json_member cfg_members[] = {
    {"mean", VIT_JSON_THREE}, {"std", VIT_JSON_THREE},
    {"crop_pct", VIT_JSON_NUMBER}, {"crop_mode", VIT_JSON_TEXT},
    {"interpolation", VIT_JSON_TEXT}, {"input_size", VIT_JSON_COUNTS},
    {NULL, 0}
};

static const vit_json_member args_members[] = {
    {"img_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
    {"num_heads", VIT_JSON_COUNT}, {"embed_dim", VIT_JSON_COUNT},
    {"depth", VIT_JSON_COUNT}, {"act_layer", VIT_JSON_TEXT},
    {"global_pool", VIT_JSON_TEXT}, {"encoder_pool", VIT_JSON_TEXT},
    {"final_norm", VIT_JSON_TRUTH}, {NULL, 0}
};

/* What the configuration says of pixels and classes. */
static int say_cfg(const vit_neighbour *n, const json_t *cfg,
                   const json_t *config)
{
    int code = tomevit_neighbour_members(n, cfg, cfg_members);

    tomevit_neighbour_pass(n, "mean", cfg, "mean");
    tomevit_neighbour_pass(n, "std", cfg, "std");
    tomevit_neighbour_pass(n, "crop_pct", cfg, "crop_pct");
    tomevit_neighbour_pass(n, "crop_mode", cfg, "crop_mode");
    tomevit_neighbour_pass(n, "interpolation", cfg, "interpolation");
    if (!code)
        code = tomevit_neighbour_names(n, cfg, "label_names");
    return code ? code : tomevit_neighbour_names(n, config, "label_names");
}

int tomevit_from_timm(const vit_neighbour *n, json_t *config)
{
    const json_t *nested = json_object_get(config, "pretrained_cfg");
    const json_t *cfg = json_is_object(nested) ? nested : config;
    json_t *args = json_object_get(config, "model_args");
    const char *name = tomevit_json_text(config, "architecture");
    const char *pool = tomevit_json_text(args, "global_pool");
    int code = tomevit_neighbour_members(n, config, whole_members);

    if (code || (!vit_has(n, "merger.fc1.weight") &&
                 !tomevit_neighbour_fits(n, config, "num_features")))
        return code;
    if ((code = tomevit_neighbour_members(n, args, args_members)) ||
        (code = say_cfg(n, cfg, config)))
        return code;
    tomevit_neighbour_pass(n, "num_heads", args, "num_heads");
    tomevit_neighbour_say(n, "activation",
                          tomevit_activation_name(args, "act_layer"));
    if (!pool)
        pool = tomevit_json_text(config, "global_pool");
    if (is_gemma4(n) && tomevit_json_text(args, "encoder_pool") &&
        !strcmp(tomevit_json_text(args, "encoder_pool"), "soft"))
        return tomevit_neighbour_refuse(n, "\"encoder_pool\" \"soft\" cannot "
                                        "be done here before a classifier");
    if ((code = check_args(n, args, is_naflex(n))) ||
        (code = say_input_size(n, cfg, args)) ||
        (code = tomevit_say_pool(n, "global_pool", pool)))
        return code;
    return name ? tomevit_say_architecture(n, name, args) : 0;
}
