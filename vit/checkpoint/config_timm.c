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
    /* A gate that the architecture has not is of a class given by hand. */
    if (a->activation && tomevit_neighbour_gated(n))
        tomevit_tensors_say(n->view, "gate", "silu", "?guess");
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
static const vit_known understood[] = {
    {"img_size", NULL}, {"patch_size", NULL}, {"in_chans", NULL},
    {"num_classes", NULL}, {"embed_dim", NULL}, {"depth", NULL},
    {"num_heads", NULL}, {"mlp_ratio", NULL}, {"qkv_bias", NULL},
    {"qk_norm", NULL}, {"init_values", NULL}, {"class_token", NULL},
    {"reg_tokens", NULL}, {"no_embed_class", NULL}, {"pre_norm", NULL},
    {"fc_norm", NULL}, {"final_norm", NULL}, {"dynamic_img_size", NULL},
    {"act_layer", NULL}, {"global_pool", NULL}, {"pos_embed", NULL},
    {"drop_rate", NULL}, {"pos_drop_rate", NULL}, {"patch_drop_rate", NULL},
    {"proj_drop_rate", NULL}, {"attn_drop_rate", NULL},
    {"drop_path_rate", NULL}, {"weight_init", NULL}, {"fix_init", NULL},
    {"pretrained_cfg", NULL}, {"pretrained_cfg_overlay", NULL},
    {"strict_img_size", NULL}, {"encoder_pool", NULL}, {"out_features", NULL},
    {"num_kv_heads", NULL}, {"standardize", NULL},
    {"use_clipped_linears", NULL}, {"intermediate_size", NULL},
    {"position_embedding_size", NULL}, {"pooling_kernel_size", NULL},
    {NULL, NULL}
};

/* What an architecture has on and no tensor shows is another model where it is
 * turned off. [timm, models/eva.py, vision_transformer.py] */
static int check_turned_off(const vit_neighbour *n, const char *name,
                            const json_t *args)
{
    const vit_architecture *a = name ? tomevit_architecture(name) : NULL;
    const struct {
        const char *arg;
        int on;
    } parts[] = {
        {"use_rot_pos_emb", a && !strncmp(a->positions, "rotary", 6)},
        {"rope_rotate_half", a && strstr(a->positions, "layout=halves")},
        {"use_post_norm", a && !strncmp(name, "eva02_enormous_", 15)},
        {"pool_include_prefix", a && !strcmp(name, "test_vit3")},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (parts[i].on && json_is_false(json_object_get(args, parts[i].arg)))
            return tomevit_neighbour_refuse(n, "\"%s\" false of \"model_args\" "
                                            "cannot be done here",
                                            parts[i].arg);
    return 0;
}

/* An MLP whose first product makes a gate takes that for the gate's function.
 * [timm, layers/mlp.py: SwiGLU, GluMlp] */
static int check_gate(const vit_neighbour *n, const json_t *args)
{
    json_t *named = tomevit_activation_name(args, "act_layer");
    const char *gate = vit_has(n, "patch_embed.backbone.stem.conv1.weight")
                           ? "gelu" : is_gemma4(n) ? "gelu_tanh" : "silu";
    int fits = !named || !tomevit_neighbour_gated(n) ||
               !strcmp(json_string_value(named), gate);

    json_decref(named);
    return fits ? 0 : tomevit_neighbour_refuse(
        n, "\"act_layer\" \"%.40s\" cannot be done here as a gate",
        tomevit_json_text(args, "act_layer"));
}

/* Of NaFlex what is on by default changes what is computed where it is off. */
static int check_args(const vit_neighbour *n, const char *name,
                      const json_t *args)
{
    int code = tomevit_neighbour_known(n, args, "model_args", understood,
                                       is_naflex(n) ? VIT_OTHERS_NONE
                                                    : VIT_OTHERS_OFF);

    if (!code)
        code = check_turned_off(n, name, args);
    return code ? code : check_gate(n, args);
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

/* Where nothing is pooled, that of the architecture is a guess; what Gemma 4's
 * encoder and those of Qwen and DeepSeek give is known. */
static void guess_pool(const vit_neighbour *n, const char *name,
                       const char *pool)
{
    const vit_architecture *a = name ? tomevit_architecture(name) : NULL;

    if (a && a->pool && pool && !pool[0] && !is_gemma4(n) &&
        !vit_has(n, "merger.fc1.weight") && !is_encoders(n))
        tomevit_tensors_say(n->view, "pool", a->pool, "?guess");
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
    {"mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"std", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"crop_pct", VIT_JSON_NUMBER}, {"crop_mode", VIT_JSON_TEXT},
    {"interpolation", VIT_JSON_TEXT}, {"input_size", VIT_JSON_COUNTS},
    {NULL, 0}
};

static const vit_json_member args_members[] = {
    {"img_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
    {"num_heads", VIT_JSON_COUNT}, {"embed_dim", VIT_JSON_COUNT},
    {"depth", VIT_JSON_COUNT}, {"act_layer", VIT_JSON_TEXT},
    {"global_pool", VIT_JSON_TEXT}, {"encoder_pool", VIT_JSON_TEXT},
    {"final_norm", VIT_JSON_TRUTH}, {"pooling_kernel_size", VIT_JSON_COUNT},
    {NULL, 0}
};

/* Mean or std: one number is every channel's, and 0 as if it was not there.
 * [timm, data/config.py: resolve_data_config] */
static void say_three(const vit_neighbour *n, const json_t *cfg,
                      const char *key)
{
    const json_t *value = json_object_get(cfg, key);

    if (!json_is_number(value) || json_number_value(value) != 0)
        tomevit_neighbour_three(n, key, cfg, key);
}

/* What the configuration says of pixels and classes. */
static int say_cfg(const vit_neighbour *n, const json_t *cfg,
                   const json_t *config)
{
    /* A class less than the file has, of a checkpoint as TensorFlow had it.
     * [timm, models/_builder.py: load_pretrained] */
    static const vit_known settled[] = {{"label_offset", "0"}, {NULL, NULL}};
    int code = tomevit_neighbour_members(n, cfg, cfg_members);

    if (!code)
        code = tomevit_neighbour_known(n, cfg, NULL, settled, VIT_OTHERS_ANY);
    say_three(n, cfg, "mean");
    say_three(n, cfg, "std");
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
    if ((code = check_args(n, name, args)) ||
        (code = say_input_size(n, cfg, args)) ||
        (code = tomevit_say_pool(n, "global_pool", pool)))
        return code;
    if (is_gemma4(n) && (pool ? !strcmp(pool, "soft")
                              : name && strstr(name, "_enc"))) {
        tomevit_neighbour_pass(n, "pooled_square", args,
                               "pooling_kernel_size");
        tomevit_neighbour_say(n, "pooled_square", json_string("3"));
    }
    guess_pool(n, name, pool);
    return name ? tomevit_say_architecture(n, name, args) : 0;
}
