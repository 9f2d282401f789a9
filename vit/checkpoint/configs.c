/* SPDX-License-Identifier: MIT */
/* What transformers' config.json says of a model.
 * [transformers, configuration_utils.py] */
#include "config.h"

#include "../base/real.h"
#include "../layouts/layout.h"
#include "architectures.h"
#include "neighbour.h"

#include <stdio.h>
#include <string.h>

/* ---- transformers -------------------------------------------------------- */

json_t *tomevit_activation_name(const json_t *object, const char *member)
{
    static const char *const same[][2] = {
        {"gelu_pytorch_tanh", "gelu_tanh"}, {"gelu_new", "gelu_tanh"},
        {"gelu_fast", "gelu_tanh"}, {"gelu_accurate", "gelu_tanh"},
        {"gelu_python", "gelu"}, {"quickgelu", "quick_gelu"},
    };
    const char *name = tomevit_json_text(object, member);

    for (size_t i = 0; name && i < sizeof(same) / sizeof(*same); i++)
        if (!strcmp(name, same[i][0]))
            name = same[i][1];
    return name ? json_string(name) : NULL;
}

/* What a configuration that does not say it has by its class. */
static void say_defaults(const vit_neighbour *n)
{
    static const struct {
        const char *layout, *activation, *norm_eps;
    } classes[] = {
        {"Hugging Face", "gelu", "1e-12"},
        {"Hugging Face DINOv2", "gelu", "1e-6"},
        {"Hugging Face DINOv3", "gelu", "1e-5"},
        {"Hugging Face BEiT", "gelu", "1e-12"},
        {"Hugging Face InternVL", "gelu", "1e-6"},
        {"Hugging Face AIMv2", "silu", "1e-5"},
        {"Hugging Face CLIP", "quick_gelu", "1e-5"},
        {"Hugging Face SigLIP", "gelu_tanh", "1e-6"},
        {"Hugging Face SigLIP 2", "gelu_tanh", "1e-6"},
        {"Hugging Face Gemma 4", NULL, "1e-6"},
    };
    const char *layout = tomevit_view_layout(n->view);

    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
        if (!strcmp(layout, classes[i].layout)) {
            if (classes[i].activation)
                tomevit_neighbour_say(n, "activation",
                                      json_string(classes[i].activation));
            tomevit_neighbour_say(n, "norm_eps",
                                  json_string(classes[i].norm_eps));
        }
}

/* Patches are told apart by where their centres lie. [transformers,
 * models/dinov3_vit, models/sapiens2] */
typedef struct centred {
    const char *type, *class, *layout, *activation;
} centred;

static const centred centred_kinds[] = {
    {"dinov3_vit", "DINOv3ViTModel", "Hugging Face DINOv3", "gelu"},
    {"sapiens2", "Sapiens2Model", "Sapiens2", "silu"},
};

/* That of a class, or where none is named of a type; NULL: of another kind. */
static const centred *centred_of(const char *class, const char *type)
{
    for (size_t i = 0; i < sizeof(centred_kinds) / sizeof(*centred_kinds); i++)
        if (class ? !strcmp(class, centred_kinds[i].class)
                  : type && !strcmp(type, centred_kinds[i].type))
            return &centred_kinds[i];
    return NULL;
}

static int say_centred(const vit_neighbour *n, const json_t *config,
                       const centred *of)
{
    json_t *theta = json_object_get(config, "rope_theta");
    const char *activation = tomevit_json_text(config, "hidden_act");
    const json_t *side = json_object_get(config, "image_size");
    char rule[96], real[32];

    if (strcmp(tomevit_view_layout(n->view), of->layout))
        return tomevit_neighbour_refuse(n, "\"%s\", the tensors are others",
                                        of->class);
    activation = activation ? activation : of->activation;
    if (json_is_true(json_object_get(config, "use_gated_mlp")) &&
        strcmp(activation, "silu"))
        return tomevit_neighbour_refuse(n, "\"hidden_act\" \"%.40s\" cannot "
                                        "be done here with \"use_gated_mlp\"",
                                        activation);
    tomevit_real_write(theta ? json_number_value(theta) : 100.0, 9, real,
                       sizeof(real));
    snprintf(rule, sizeof(rule), "rotary centred theta=%s axes=hw "
             "layout=halves", real);
    tomevit_neighbour_say(n, "positions", json_string(rule));
    if (json_is_array(side))
        return tomevit_neighbour_sides(
            n, json_integer_value(json_array_get(side, 0)),
            json_integer_value(json_array_get(side, 1)));
    tomevit_neighbour_pass(n, "input_size", config, "image_size");
    return 0;
}

/* Rotations, a gate, and what the tensors alone show. How many patches make a
 * square changes no mean as long as all squares are whole.
 * [transformers, models/gemma4] */
static int say_gemma4(const vit_neighbour *n, const json_t *parts)
{
    static const vit_json_member members[] = {
        {"rope_theta", VIT_JSON_NUMBER}, {"rope_type", VIT_JSON_TEXT},
        {NULL, 0}
    };
    const json_t *rope = json_object_get(parts, "rope_parameters");
    const json_t *theta = json_object_get(rope, "rope_theta");
    const char *type = tomevit_json_text(rope, "rope_type");
    json_t *act = tomevit_activation_name(parts, "hidden_activation");
    int gate = !act || !strcmp(json_string_value(act), "gelu_tanh");
    char rule[96], real[32];
    int code = tomevit_neighbour_members(n, rope, members);

    json_decref(act);
    if (code)
        return code;
    if (strcmp(tomevit_view_layout(n->view), "Hugging Face Gemma 4"))
        return tomevit_neighbour_refuse(n, "\"gemma4_vision\", the tensors are "
                                        "others");
    if (!gate)
        return tomevit_neighbour_refuse(n, "\"hidden_activation\" \"%.40s\" "
                                        "cannot be done here as a gate",
                                        tomevit_json_text(
                                            parts, "hidden_activation"));
    if (type && strcmp(type, "axial"))
        return tomevit_neighbour_refuse(n, "\"rope_type\" \"%.40s\" cannot be "
                                        "done here", type);
    tomevit_real_write(theta ? json_number_value(theta) : 100.0, 9, real,
                       sizeof(real));
    snprintf(rule, sizeof(rule), "rotary index theta=%s axes=xy "
             "layout=quarters", real);
    tomevit_neighbour_say(n, "positions", json_string(rule));
    tomevit_neighbour_pass(n, "pooled_square", parts, "pooling_kernel_size");
    tomevit_neighbour_say(n, "pooled_square", json_string("3"));
    return 0;
}

/* 1 if the tensors are those of the class of SigLIP or SigLIP 2. */
static int is_siglip(const vit_neighbour *n, const char *name)
{
    return !strcmp(tomevit_view_layout(n->view),
                   strncmp(name, "Siglip2", 7) ? "Hugging Face SigLIP"
                                               : "Hugging Face SigLIP 2");
}

/* Classes that are known not to run, whatever else they say. */
static int check_missing(const vit_neighbour *n, const json_t *config)
{
    const json_t *list = json_object_get(config, "architectures");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const char *missing = name ? tomevit_transformers_missing(name)
                                   : NULL;

        if (missing)
            return tomevit_neighbour_refuse(n, "\"%.60s\" cannot be run here: "
                                            "%s", name, missing);
    }
    return 0;
}

/* The classes that the weights are of. */
static int check_classes(const vit_neighbour *n, const json_t *config)
{
    const json_t *list = json_object_get(config, "architectures");
    const char *type = tomevit_json_text(config, "model_type");
    int code = 0;

    if (!json_array_size(list) && centred_of(NULL, type))
        return say_centred(n, config, centred_of(NULL, type));
    for (size_t i = 0; !code && i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name && !strncmp(name, "Siglip", 6) && !is_siglip(n, name))
            return tomevit_neighbour_refuse(n, "\"%.60s\", the tensors are "
                                            "others", name);
        if (name && centred_of(name, NULL))
            code = say_centred(n, config, centred_of(name, NULL));
        else if (name && tomevit_transformers_known(name))
            tomevit_neighbour_say(n, "positions", json_string("learned"));
    }
    return code;
}

/* Sides that differ would be taken for those of a square with as many patches
 * if they were not said, and a gate by another function than SiLU for one by
 * it. */
static int check_shape(const vit_neighbour *n, const json_t *parts)
{
    const char *type = tomevit_json_text(parts, "model_type");
    const json_t *side = json_object_get(parts, "image_size");
    const char *act = tomevit_json_text(parts, "hidden_act");
    const vit_stored *pos = tomevit_tensors_find(n->view, "pos_embed");
    size_t patches = tomevit_json_size(parts, "num_patches");

    if (patches && pos && pos->dims == 3 && pos->shape[1] != patches &&
        !strcmp(tomevit_view_layout(n->view), "Hugging Face SigLIP 2"))
        return tomevit_neighbour_refuse(n, "\"num_patches\" is %zu, the "
                                        "tensors have positions of %zu",
                                        patches, pos->shape[1]);
    if (json_is_array(side) && !json_equal(json_array_get(side, 0),
                                           json_array_get(side, 1))) {
        int code = tomevit_neighbour_sides(
            n, json_integer_value(json_array_get(side, 0)),
            json_integer_value(json_array_get(side, 1)));

        if (code)
            return code;
    }
    if (act && strcmp(act, "silu") &&
        !strcmp(tomevit_view_layout(n->view), "Hugging Face AIMv2"))
        return tomevit_neighbour_refuse(n, "\"hidden_act\" \"%.40s\" cannot "
                                        "be done here as a gate", act);
    return (type && !strcmp(type, "gemma4_vision")) ||
                   !strcmp(tomevit_view_layout(n->view),
                           "Hugging Face Gemma 4")
               ? say_gemma4(n, parts) : 0;
}

/* Layers that the tensors show. */
static size_t depth_of(const vit_neighbour *n)
{
    size_t found = 0;
    char name[80];

    do
        snprintf(name, sizeof(name), "blocks.%zu.norm1.weight", found++);
    while (vit_has(n, name));
    return found - 1;
}

static int check_depth(const vit_neighbour *n, const json_t *parts)
{
    size_t depth = tomevit_json_size(parts, "num_hidden_layers");
    size_t found = depth_of(n);

    if (!depth || depth == found || !found)
        return 0;
    return tomevit_neighbour_refuse(n, "\"num_hidden_layers\" is %zu, the "
                                    "tensors are those of %zu layers", depth,
                                    found);
}

/* transformers leaves out what a file holds beyond its configuration, and makes
 * up what it lacks: either would be another model than these tensors are. */
static int check_shown(const vit_neighbour *n, const json_t *parts)
{
    const char *norm = tomevit_json_text(parts, "norm_type");
    int biased = vit_has(n, "blocks.0.attn.qkv.bias") ||
                 vit_has(n, "blocks.0.attn.q_bias");
    int gated = tomevit_neighbour_gated(n);
    const struct {
        const char *member;
        int shown;
    } members[] = {
        {"qkv_bias", biased}, {"attention_bias", biased},
        {"query_bias", biased}, {"value_bias", biased},
        {"key_bias", vit_has(n, "blocks.0.attn.qkv.bias")},
        {"proj_bias", vit_has(n, "blocks.0.attn.proj.bias")},
        {"mlp_bias", vit_has(n, "blocks.0.mlp.fc1.bias")},
        {"use_qk_norm", vit_has(n, "blocks.0.attn.q_norm.weight")},
        {"use_relative_position_bias",
         vit_has(n, "blocks.0.attn.relative_position_bias_table")},
        {"use_shared_relative_position_bias",
         vit_has(n, "rel_pos_bias.relative_position_bias_table")},
        {"use_absolute_position_embeddings", vit_has(n, "pos_embed")},
        {"use_mean_pooling", !vit_has(n, "norm.weight")},
        {"use_gated_mlp", gated}, {"use_swiglu_ffn", gated},
        {"use_clipped_linears", vit_has(n, "blocks.0.attn.q.input_range")},
        {"standardize", vit_has(n, "std_bias")},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        const json_t *said = json_object_get(parts, members[i].member);

        if (json_is_boolean(said) && json_is_true(said) != members[i].shown)
            return tomevit_neighbour_refuse(n, "\"%s\" is %s, the tensors show "
                                            "otherwise", members[i].member,
                                            members[i].shown ? "false"
                                                             : "true");
    }
    /* A classifier on a tower with one may have none. */
    if (json_is_false(json_object_get(parts, "vision_use_head")) &&
        vit_has(n, "attn_pool.latent"))
        return tomevit_neighbour_refuse(n, "\"vision_use_head\" is false, the "
                                        "tensors show otherwise");
    if (norm && !strcmp(norm, vit_has(n, "blocks.0.norm1.bias") ? "rms_norm"
                                                            : "layer_norm"))
        return tomevit_neighbour_refuse(n, "\"norm_type\" is \"%.20s\", the "
                                        "tensors show otherwise", norm);
    return 0;
}

const json_t *tomevit_transformers_part(const json_t *config, const char *part)
{
    static const char *const types[] = {"clip", "altclip", "chinese_clip",
                                        "clipseg", "metaclip_2"};
    const char *type = tomevit_json_text(config, "model_type");
    const json_t *found = json_object_get(config, part);
    char older[40];

    snprintf(older, sizeof(older), "%.30s_dict", part);
    for (size_t i = 0; type && i < sizeof(types) / sizeof(*types); i++)
        if (!strcmp(type, types[i]) &&
            json_is_object(json_object_get(config, older)))
            found = json_object_get(config, older);
    return json_is_object(found) ? found : NULL;
}

/* Where a model of several parts has its tower of images. */
static const json_t *find_parts(const json_t *config)
{
    static const char *const towers[] = {"vision_config", "encoder",
                                         "backbone_config"};

    for (size_t i = 0; i < sizeof(towers) / sizeof(*towers); i++) {
        const json_t *tower = tomevit_transformers_part(config, towers[i]);

        if (tower)
            return tower;
    }
    return config;
}

/* 1 if a backbone gives maps of layers before the last alone. Without either
 * list it is the last one's, which ends both where it is in them.
 * [transformers, backbone_utils.py: BackboneConfigMixin] */
static int ends_early(const vit_neighbour *n, const json_t *parts)
{
    const json_t *names = json_object_get(parts, "out_features"),
                 *numbers = json_object_get(parts, "out_indices");
    size_t depth = depth_of(n);
    char last[32];

    snprintf(last, sizeof(last), "stage%zu", depth);
    if (json_array_size(names) > 0) {
        const char *name = json_string_value(
            json_array_get(names, json_array_size(names) - 1));

        return !name || strcmp(name, last) != 0;
    }
    if (json_array_size(numbers) > 0) {
        json_int_t number = json_integer_value(
            json_array_get(numbers, json_array_size(numbers) - 1));

        return number != -1 && number != (json_int_t)depth;
    }
    return 0;
}

/* Feature maps without the last norm, whose weights the file has, or of a layer
 * that is not the last. [transformers, modeling_dinov2.py: Dinov2Backbone] */
static int check_backbone(const vit_neighbour *n, const json_t *config,
                          const json_t *parts)
{
    const json_t *list = json_object_get(config, "architectures");
    int backbone = parts == json_object_get(config, "backbone_config");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        backbone |= name && strstr(name, "Backbone") != NULL;
    }
    if (backbone && json_is_false(json_object_get(parts, "apply_layernorm")))
        return tomevit_neighbour_refuse(n, "\"apply_layernorm\" false cannot "
                                        "be done here");
    return backbone && ends_early(n, parts)
               ? tomevit_neighbour_refuse(n, "\"out_features\" without the "
                                          "last layer cannot be done here")
               : 0;
}

/* What is read of the file, and of the tower. Numbers as texts, and true for
 * yes as 1, are no configuration to transformers either. */
static const vit_json_member whole_members[] = {
    {"model_type", VIT_JSON_TEXT}, {"architectures", VIT_JSON_TEXTS},
    {"vision_config", VIT_JSON_OBJECT}, {"encoder", VIT_JSON_OBJECT},
    {"vision_config_dict", VIT_JSON_OBJECT},
    {"backbone_config", VIT_JSON_OBJECT}, {NULL, 0}
};

static const vit_json_member tower_members[] = {
    {"hidden_size", VIT_JSON_COUNT}, {"num_attention_heads", VIT_JSON_COUNT},
    {"num_hidden_layers", VIT_JSON_COUNT}, {"num_patches", VIT_JSON_COUNT},
    {"image_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
    {"hidden_act", VIT_JSON_TEXT}, {"norm_type", VIT_JSON_TEXT},
    {"layer_norm_eps", VIT_JSON_NUMBER}, {"rms_norm_eps", VIT_JSON_NUMBER},
    {"rope_theta", VIT_JSON_NUMBER}, {"qkv_bias", VIT_JSON_TRUTH},
    {"attention_bias", VIT_JSON_TRUTH}, {"query_bias", VIT_JSON_TRUTH},
    {"value_bias", VIT_JSON_TRUTH}, {"key_bias", VIT_JSON_TRUTH},
    {"proj_bias", VIT_JSON_TRUTH}, {"mlp_bias", VIT_JSON_TRUTH},
    {"use_qk_norm", VIT_JSON_TRUTH}, {"use_mean_pooling", VIT_JSON_TRUTH},
    {"use_relative_position_bias", VIT_JSON_TRUTH},
    {"use_shared_relative_position_bias", VIT_JSON_TRUTH},
    {"vision_use_head", VIT_JSON_TRUTH}, {"apply_layernorm", VIT_JSON_TRUTH},
    {"use_absolute_position_embeddings", VIT_JSON_TRUTH},
    {"use_gated_mlp", VIT_JSON_TRUTH}, {"use_swiglu_ffn", VIT_JSON_TRUTH},
    {"use_clipped_linears", VIT_JSON_TRUTH}, {"standardize", VIT_JSON_TRUTH},
    {"model_type", VIT_JSON_TEXT}, {"hidden_activation", VIT_JSON_TEXT},
    {"rope_parameters", VIT_JSON_OBJECT},
    {"pooling_kernel_size", VIT_JSON_COUNT}, {NULL, 0}
};

int tomevit_from_transformers(const vit_neighbour *n, json_t *config)
{
    const json_t *parts = find_parts(config);
    int code = tomevit_neighbour_members(n, config, whole_members);

    if (code || !tomevit_neighbour_fits(n, parts, "hidden_size"))
        return code;
    if (!(code = check_missing(n, config)) &&
        !(code = tomevit_neighbour_members(n, parts, tower_members)) &&
        !(code = check_shape(n, parts)) &&
        !(code = check_classes(n, config)) &&
        !(code = check_depth(n, parts)) &&
        !(code = check_backbone(n, config, parts)) &&
        !(code = check_shown(n, parts)))
        code = tomevit_neighbour_names(n, config, "id2label");
    if (code)
        return code;
    tomevit_neighbour_pass(n, "num_heads", parts, "num_attention_heads");
    tomevit_neighbour_pass(n, "norm_eps", parts, "layer_norm_eps");
    tomevit_neighbour_pass(n, "norm_eps", parts, "rms_norm_eps");
    tomevit_neighbour_say(n, "activation",
                          tomevit_activation_name(parts, "hidden_act"));
    say_defaults(n);
    return 0;
}
