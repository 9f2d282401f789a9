/* SPDX-License-Identifier: MIT */
/*
 * What open_clip_config.json says of an image tower and its pixels.
 * [open_clip, model.py: CLIPVisionCfg; factory.py]
 */
#include "config.h"

#include "neighbour.h"

#include <string.h>

/* What is read of the parts of the file. */
static const vit_json_member whole_members[] = {
    {"model_cfg", VIT_JSON_OBJECT}, {"preprocess_cfg", VIT_JSON_OBJECT},
    {NULL, 0}
};

static const vit_json_member model_members[] = {
    {"vision_cfg", VIT_JSON_OBJECT}, {"quick_gelu", VIT_JSON_TRUTH}, {NULL, 0}
};

static const vit_json_member vision_members[] = {
    {"width", VIT_JSON_COUNT}, {"head_width", VIT_JSON_COUNT},
    {"image_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
    {"timm_model_name", VIT_JSON_TEXT}, {"timm_pool", VIT_JSON_TEXT},
    {"pool_type", VIT_JSON_TEXT}, {"final_ln_after_pool", VIT_JSON_TRUTH},
    {"attentional_pool", VIT_JSON_TRUTH | VIT_JSON_TEXT},
    {"attn_pooler_heads", VIT_JSON_COUNT}, {"norm_kwargs", VIT_JSON_OBJECT},
    {"act_kwargs", VIT_JSON_OBJECT}, {NULL, 0}
};

static const vit_json_member pixel_members[] = {
    {"mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"std", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"interpolation", VIT_JSON_TEXT}, {"resize_mode", VIT_JSON_TEXT},
    {"size", VIT_JSON_COUNT | VIT_JSON_COUNTS}, {NULL, 0}
};

static int check_members(const vit_neighbour *n, const json_t *config)
{
    const json_t *model = json_object_get(config, "model_cfg");
    const json_t *vision = json_object_get(model, "vision_cfg");
    const struct {
        const json_t *object;
        const vit_json_member *members;
    } parts[] = {
        {config, whole_members}, {model, model_members},
        {vision, vision_members},
        {json_object_get(config, "preprocess_cfg"), pixel_members},
    };
    int code = 0;

    for (size_t i = 0; !code && i < sizeof(parts) / sizeof(*parts); i++)
        code = tomevit_neighbour_members(n, parts[i].object, parts[i].members);
    return code;
}

/* A number or [height, width]; 0 for anything else. */
static json_int_t side_of(const json_t *size, size_t axis)
{
    return json_is_integer(size) ? json_integer_value(size)
           : json_array_size(size) == 2
               ? json_integer_value(json_array_get(size, axis)) : 0;
}

/* The tower's own sides are those of the pixels, whatever is said of these.
 * [open_clip, factory.py: create_model] */
static const json_t *sides_of(const json_t *vision, const json_t *pixels)
{
    const json_t *own = json_object_get(vision, "image_size");

    return own && !json_is_null(own) ? own : json_object_get(pixels, "size");
}

static int say_sides(const vit_neighbour *n, const json_t *size)
{
    return size && !json_is_null(size)
               ? tomevit_neighbour_sides(n, side_of(size, 0),
                                         side_of(size, 1)) : 0;
}

/* What stands for a mean or std that is not there, or 0.
 * [open_clip, constants.py; transform.py: image_transform] */
static void say_three(const vit_neighbour *n, const char *key,
                      const json_t *pixels, const char *otherwise)
{
    const json_t *value = json_object_get(pixels, key);

    if (!json_is_number(value) || json_number_value(value) != 0)
        tomevit_neighbour_three(n, key, pixels, key);
    tomevit_neighbour_say(n, key, json_string(otherwise));
}

/* Pixels as open_clip resizes them: the shorter side, or both. What it resizes
 * by to a crop that is no square, cut out of the shorter, is bicubic whatever
 * is said, and so is what is random in training.
 * [open_clip, transform.py: image_transform] */
static int open_clip_pixels(const vit_neighbour *n, const json_t *pixels,
                            const json_t *size)
{
    const char *mode = tomevit_json_text(pixels, "resize_mode");
    const char *filter = tomevit_json_text(pixels, "interpolation");
    int squash = mode && !strcmp(mode, "squash");

    if (mode && strcmp(mode, "shortest") && !squash)
        return tomevit_neighbour_refuse(n, "\"resize_mode\" \"%.40s\" cannot "
                                        "be done here: expected shortest or "
                                        "squash", mode);
    say_three(n, "mean", pixels, "[0.48145466,0.4578275,0.40821073]");
    say_three(n, "std", pixels, "[0.26862954,0.26130258,0.27577711]");
    if (!filter || !strcmp(filter, "random") ||
        (!squash && side_of(size, 0) != side_of(size, 1)))
        tomevit_neighbour_say(n, "interpolation", json_string("bicubic"));
    tomevit_neighbour_pass(n, "interpolation", pixels, "interpolation");
    tomevit_neighbour_crop(n, 1, 1, squash);
    return 0;
}

/* Of CoCa's pooling. */
static int say_pool_heads(const vit_neighbour *n, const json_t *vision)
{
    if (json_object_get(vision, "attn_pooler_heads"))
        tomevit_neighbour_pass(n, "pool_heads", vision, "attn_pooler_heads");
    else
        tomevit_neighbour_say(n, "pool_heads", json_string("8"));
    return 0;
}

/* Its own towers: the class token, or the mean of patches; the last norm before
 * pooling, or behind it; or the first of CoCa's queries.
 * [open_clip, transformer.py: VisionTransformer._pool] */
static int say_open_clip_pool(const vit_neighbour *n, const json_t *vision)
{
    const char *pool = tomevit_json_text(vision, "pool_type");
    int queries = tomevit_tensors_find(n->view, "attn_pool.query") != NULL;

    if (!pool)
        pool = "tok";
    if (json_is_true(json_object_get(vision, "attentional_pool")) != queries)
        return tomevit_neighbour_refuse(n, "\"attentional_pool\": expected it "
                                        "to be as the tensors are, %s queries",
                                        queries ? "with" : "without");
    if (queries && strcmp(pool, "tok"))
        return tomevit_neighbour_refuse(n, "\"pool_type\" \"%.40s\" of queries "
                                        "cannot be done here", pool);
    if (queries)
        return say_pool_heads(n, vision);
    if (!strcmp(pool, "avg") &&
        json_is_true(json_object_get(vision, "final_ln_after_pool")))
        tomevit_neighbour_say(n, "final_norm", json_string("after pooling"));
    return tomevit_say_pool(n, "pool_type", pool);
}

/* What shapes show, what changes nothing when it is run, or is read below.
 * [open_clip, model.py: CLIPVisionCfg] */
static int check_vision(const vit_neighbour *n, const json_t *vision)
{
    static const vit_known known[] = {
        {"layers", NULL}, {"width", NULL}, {"head_width", NULL},
        {"mlp_ratio", NULL}, {"patch_size", NULL}, {"image_size", NULL},
        {"ls_init_value", NULL}, {"patch_dropout", NULL},
        {"attentional_pool", NULL}, {"attn_pooler_queries", NULL},
        {"attn_pooler_heads", NULL}, {"no_ln_pre", NULL},
        {"pos_embed_type", NULL}, {"final_ln_after_pool", NULL},
        {"pool_type", NULL}, {"output_tokens", NULL}, {"act_kwargs", NULL},
        {"norm_kwargs", NULL}, {"block_type", "\"default\""},
        {"timm_model_name", NULL}, {"timm_model_pretrained", NULL},
        {"timm_pool", NULL}, {"timm_proj", NULL}, {"timm_proj_bias", NULL},
        {"timm_drop", NULL}, {"timm_drop_path", NULL}, {NULL, NULL}
    };
    const char *pool = tomevit_json_text(vision, "attentional_pool");

    if (pool)
        return tomevit_neighbour_refuse(n, "a second attention pooling "
                                        "(\"attentional_pool\" \"%.40s\") "
                                        "cannot be run here", pool);
    return tomevit_neighbour_known(n, vision, "vision_cfg", known,
                                   VIT_OTHERS_OFF);
}

int tomevit_open_clip_kwargs(const vit_neighbour *n, const json_t *tower,
                             int quick, const char **activation)
{
    static const vit_json_member norm_members[] = {
        {"eps", VIT_JSON_NUMBER}, {NULL, 0}
    }, act_members[] = {{"approximate", VIT_JSON_TEXT}, {NULL, 0}};
    static const vit_known norm_known[] = {{"eps", NULL}, {NULL, NULL}},
        act_known[] = {{"approximate", NULL}, {NULL, NULL}},
        none[] = {{NULL, NULL}};
    const json_t *norm = json_object_get(tower, "norm_kwargs");
    const json_t *act = json_object_get(tower, "act_kwargs");
    const char *how = tomevit_json_text(act, "approximate");
    int code = tomevit_neighbour_members(n, norm, norm_members);

    if (!code)
        code = tomevit_neighbour_members(n, act, act_members);
    if (!code)
        code = tomevit_neighbour_known(n, norm, "norm_kwargs", norm_known,
                                       VIT_OTHERS_NONE);
    if (!code)
        code = tomevit_neighbour_known(n, act, "act_kwargs",
                                       quick ? none : act_known,
                                       VIT_OTHERS_NONE);
    if (!code && how && strcmp(how, "tanh") && strcmp(how, "none"))
        code = tomevit_neighbour_refuse(n, "\"approximate\" \"%.40s\" of "
                                        "\"act_kwargs\" cannot be done here",
                                        how);
    *activation = quick ? "quick_gelu"
                  : how && !strcmp(how, "tanh") ? "gelu_tanh" : "gelu";
    return code;
}

/* Its own towers. */
static int say_own(const vit_neighbour *n, const json_t *vision, int quick)
{
    const json_t *norm = json_object_get(vision, "norm_kwargs");
    size_t width = tomevit_json_size(vision, "width");
    size_t head = tomevit_json_size(vision, "head_width");
    const char *activation;
    int code = tomevit_open_clip_kwargs(n, vision, quick, &activation);

    if (!code)
        code = say_open_clip_pool(n, vision);
    if (code)
        return code;
    tomevit_neighbour_pass(n, "norm_eps", norm, "eps");
    tomevit_neighbour_say(n, "norm_eps", json_string("1e-5"));
    tomevit_neighbour_say(n, "activation", json_string(activation));
    /* Otherwise a head is 64 wide. [open_clip, model.py: CLIPVisionCfg] */
    if (width && width % (head ? head : 64) == 0)
        tomevit_neighbour_say(n, "num_heads", json_integer(
                                  (json_int_t)(width / (head ? head : 64))));
    return 0;
}

/* Those of timm's, which have their own activation whatever "quick_gelu" is:
 * patches are averaged if nothing else is said, and pooled as timm does it if
 * that is null or empty. [open_clip, model.py: CLIPVisionCfg; timm_model.py] */
static int say_timm(const vit_neighbour *n, const json_t *vision,
                    const char *name)
{
    const char *pool = json_object_get(vision, "timm_pool")
                           ? tomevit_json_text(vision, "timm_pool") : "avg";
    int code = tomevit_say_pool(n, "timm_pool", pool);

    return code ? code : tomevit_say_architecture(n, name, NULL);
}

int tomevit_from_open_clip(const vit_neighbour *n, json_t *config)
{
    const json_t *model = json_object_get(config, "model_cfg");
    const json_t *vision = json_object_get(model, "vision_cfg");
    const json_t *pixels = json_object_get(config, "preprocess_cfg");
    const json_t *size = sides_of(vision, pixels);
    const char *tower = tomevit_json_text(vision, "timm_model_name");
    int code;

    code = check_members(n, config);
    if (code || !tomevit_neighbour_fits(n, vision, "width"))
        return code;
    code = check_vision(n, vision);
    if (!code)
        code = tower ? say_timm(n, vision, tower)
                     : say_own(n, vision, json_is_true(json_object_get(
                                              model, "quick_gelu")));
    if (!code)
        code = say_sides(n, size);
    return code ? code : open_clip_pixels(n, pixels, size);
}
