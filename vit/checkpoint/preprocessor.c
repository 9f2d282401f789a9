/* SPDX-License-Identifier: MIT */
/*
 * What transformers writes of the pixels: preprocessor_config.json, and the
 * "image_processor" of processor_config.json. A step that cannot be done here
 * is refused by the name of its key: none is left out in silence.
 * [transformers, image_processing_base.py, image_transforms.py,
 * models/clip, vit, siglip, siglip2, bit, dpt: image_processing_*.py]
 */
#include "config.h"

#include "neighbour.h"

#include "../layouts/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The crop's side of every class that cuts one out, if a file says none. */
enum { CROP = 224 };

/* What the images become, as far as it can be done here. */
typedef struct pixels {
    size_t resized;        /* the side, or both with `squash` */
    size_t width;          /* of both, if they differ; 0: it is the side */
    size_t crop;           /* 0: none */
    int squash;
    const struct processor *by;
} pixels;

/* 1 if a member is true, `otherwise` if it is not there: null is no step, too,
 * whatever the class does by itself. */
static int is_true(const json_t *config, const char *member, int otherwise)
{
    const json_t *value = json_object_get(config, member);

    return value ? json_is_true(value) : otherwise;
}

/* ---- whose they are ------------------------------------------------------ */

/* What a class of processors does where a file does not say it. */
typedef struct processor {
    const char *name;      /* before "ImageProcessor" or "FeatureExtractor" */
    int shorter;           /* a size that is a number is the shorter side's */
    int crop;              /* cuts a centre out */
} processor;

static const processor processors[] = {
    {"CLIP", 1, 1}, {"ChineseCLIP", 1, 1}, {"Bit", 1, 1}, {"Llava", 1, 1},
    {"DeiT", 0, 1}, {"Flava", 0, 1}, {"ViT", 0, 0}, {"Beit", 0, 0},
    {"Blip", 0, 0}, {"DINOv3ViT", 0, 0}, {"DPT", 0, 0}, {"GotOcr2", 0, 0},
    {"Gemma3", 0, 0}, {"Gemma4", 0, 0}, {"OwlViT", 0, 0}, {"Sapiens2", 0, 0},
    {"Siglip", 0, 0}, {"Siglip2", 0, 0},
};

/* Of a class that is not listed it is not known what else it does. */
static const processor unknown = {NULL, 0, 0};

static int is_class(const char *type, const char *name)
{
    size_t length = strlen(name);

    return !strncmp(type, name, length) &&
           (!strncmp(type + length, "ImageProcessor", 14) ||
            !strncmp(type + length, "FeatureExtractor", 16));
}

/* Files of old versions may not say whose they are: then it is the one that
 * comes with the model. */
static const processor *processor_of(const vit_neighbour *n,
                                     const json_t *config)
{
    const char *type = tomevit_json_text(config, "image_processor_type");
    const char *layout = tomevit_view_layout(n->view);
    size_t count = sizeof(processors) / sizeof(*processors), i = 0;

    if (!type)
        type = tomevit_json_text(config, "feature_extractor_type");
    if (!type)
        type = !strcmp(layout, "Hugging Face CLIP") ||
                       !strcmp(layout, "Hugging Face DINOv2")
                   ? "CLIPImageProcessor" : "ViTImageProcessor";
    while (i < count && !is_class(type, processors[i].name))
        i++;
    return i < count ? &processors[i] : &unknown;
}

/* ---- sides --------------------------------------------------------------- */

/* A number, or {height, width} of one number; 0 for anything else. */
static size_t square_side(const json_t *size)
{
    size_t height = tomevit_json_size(size, "height");

    if (json_is_integer(size))
        return json_integer_value(size) > 0 ? (size_t)json_integer_value(size)
                                            : 0;
    return height == tomevit_json_size(size, "width") ? height : 0;
}

static int find_resized(const vit_neighbour *n, const json_t *config,
                        pixels *p)
{
    const json_t *size = json_object_get(config, "size");
    size_t shortest = tomevit_json_size(size, "shortest_edge");
    size_t multiple = tomevit_json_size(config, "ensure_multiple_of");

    if (json_is_number(json_object_get(size, "longest_edge")))
        return tomevit_neighbour_refuse(n, "\"size\" with \"longest_edge\" "
                                        "cannot be done here");
    p->squash = !shortest && (json_is_object(size) || !p->by->shorter);
    /* Kosmos-2's, which others pass over. */
    p->squash |= p->by->name && !strcmp(p->by->name, "CLIP") &&
                 is_true(config, "use_square_size", 0);
    p->resized = shortest ? shortest : square_side(size);
    if (!p->resized && p->squash &&
        !is_true(config, "do_center_crop", p->by->crop)) {
        p->resized = tomevit_json_size(size, "height");
        p->width = p->resized ? tomevit_json_size(size, "width") : 0;
    }
    if (multiple && (p->resized % multiple || p->width % multiple))
        return tomevit_neighbour_refuse(n, "\"ensure_multiple_of\" %zu changes "
                                        "\"size\" %zu, which cannot be done "
                                        "here", multiple, p->resized);
    return p->resized ? 0 : tomevit_neighbour_refuse(
        n, "\"size\": expected a number, \"shortest_edge\", or \"height\" and "
        "\"width\", which are the same where a centre is cut out");
}

static int find_crop(const vit_neighbour *n, const json_t *config, pixels *p)
{
    const json_t *size = json_object_get(config, "crop_size");

    p->crop = p->resized;
    if (!is_true(config, "do_center_crop", p->by->crop))
        return p->squash ? 0 : tomevit_neighbour_refuse(
            n, "\"shortest_edge\" without \"do_center_crop\" leaves images "
            "that are not square");
    if (size)
        p->crop = square_side(size);
    else if (p->by->crop)
        p->crop = CROP;
    if (!p->crop)
        return tomevit_neighbour_refuse(n, "\"crop_size\": expected a square");
    if (p->crop > p->resized)
        return tomevit_neighbour_refuse(
            n, "\"crop_size\" %zu is larger than \"size\" %zu: padding cannot "
            "be done here", p->crop, p->resized);
    return 0;
}

/* What a class that is not known makes of the sizes is a guess. */
static void say_crop(const vit_neighbour *n, const pixels *p)
{
    char name[64];
    vit_neighbour guess = *n;

    snprintf(name, sizeof(name), "?%s", n->name);
    guess.name = name;
    tomevit_neighbour_crop(p->by->name ? n : &guess, p->crop, p->resized,
                           p->squash);
}

/* ---- values -------------------------------------------------------------- */

/* Three numbers times a factor. */
static json_t *scaled(const json_t *three, double factor)
{
    json_t *out = json_array();

    for (size_t i = 0; i < 3; i++)
        json_array_append_new(out, json_real(factor * json_number_value(
                                       json_array_get(three, i))));
    return out;
}

/* Three numbers, of which one stands for all; NULL for neither. */
static json_t *three_of(json_t *value)
{
    return json_is_array(value) ? json_incref(value)
           : json_is_number(value)
               ? json_pack("[O,O,O]", value, value, value) : NULL;
}

/* Pixels v f, less mean m, over std s, are v / 255 less m / (255 f), over
 * s / (255 f). */
static int find_values(const vit_neighbour *n, const json_t *config)
{
    double f = json_number_value(json_object_get(config, "rescale_factor"));
    int normal = is_true(config, "do_normalize", 1);
    json_t *mean = normal ? three_of(json_object_get(config, "image_mean"))
                          : json_pack("[i,i,i]", 0, 0, 0);
    json_t *std = normal ? three_of(json_object_get(config, "image_std"))
                         : json_pack("[i,i,i]", 1, 1, 1);

    if (!is_true(config, "do_rescale", 1))
        f = 1;
    else if (!json_object_get(config, "rescale_factor"))
        f = 1.0 / 255;
    if (f > 0 && fabs(255 * f - 1) > 1e-6 && mean && std) {
        tomevit_neighbour_say(n, "mean", scaled(mean, 1 / (255 * f)));
        tomevit_neighbour_say(n, "std", scaled(std, 1 / (255 * f)));
    } else {
        tomevit_neighbour_say(n, "mean", json_incref(mean));
        tomevit_neighbour_say(n, "std", json_incref(std));
    }
    json_decref(mean);
    json_decref(std);
    return f > 0 ? 0 : tomevit_neighbour_refuse(
        n, "\"rescale_factor\": expected a number above 0");
}

/* Numbers of PIL.Image.Resampling. */
static int find_filter(const vit_neighbour *n, const json_t *config)
{
    static const char *const names[] = {"nearest", "lanczos", "bilinear",
                                        "bicubic", "box", "hamming"};
    const json_t *value = json_object_get(config, "resample");
    json_int_t filter = json_integer_value(value);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || (filter != 2 && filter != 3))
        return tomevit_neighbour_refuse(
            n, "\"resample\" %lld (%s) cannot be done here: expected 2 "
            "(bilinear) or 3 (bicubic)", (long long)filter,
            filter >= 0 && filter < 6 ? names[filter] : "unknown");
    tomevit_neighbour_say(n, "interpolation", json_string(names[filter]));
    return 0;
}

/* ---- all of it ----------------------------------------------------------- */

/* What is read of a processor, and of its sizes. */
static const vit_json_member processor_members[] = {
    {"image_processor_type", VIT_JSON_TEXT},
    {"feature_extractor_type", VIT_JSON_TEXT},
    {"size", VIT_JSON_COUNT | VIT_JSON_OBJECT},
    {"crop_size", VIT_JSON_COUNT | VIT_JSON_OBJECT},
    {"image_mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"image_std", VIT_JSON_THREE | VIT_JSON_NUMBER},
    {"ensure_multiple_of", VIT_JSON_COUNT},
    {"use_square_size", VIT_JSON_TRUTH},
    {"rescale_factor", VIT_JSON_NUMBER}, {"resample", VIT_JSON_INDEX},
    {"crop_pct", VIT_JSON_NUMBER}, {"max_num_patches", VIT_JSON_COUNT},
    {"max_soft_tokens", VIT_JSON_COUNT},
    {NULL, 0}
};

static const vit_json_member size_members[] = {
    {"height", VIT_JSON_COUNT}, {"width", VIT_JSON_COUNT},
    {"shortest_edge", VIT_JSON_COUNT}, {"longest_edge", VIT_JSON_COUNT},
    {NULL, 0}
};

static int check_members(const vit_neighbour *n, json_t *config)
{
    int code = tomevit_neighbour_members(n, config, processor_members);
    const char *key;
    json_t *value;

    if (!code)
        code = tomevit_neighbour_members(n, json_object_get(config, "size"),
                                         size_members);
    if (!code)
        code = tomevit_neighbour_members(n, json_object_get(config,
                                                            "crop_size"),
                                         size_members);
    json_object_foreach(config, key, value)
        if (!code && strncmp(key, "do_", 3) == 0) {
            const vit_json_member step[] = {{key, VIT_JSON_TRUTH}, {NULL, 0}};

            code = tomevit_neighbour_members(n, config, step);
        }
    return code;
}

/* Steps that are done here. */
static int is_step(const char *key)
{
    static const char *const done[] = {
        "do_resize", "do_center_crop", "do_rescale", "do_normalize",
        "do_convert_rgb", "do_reduce_labels",
    };

    for (size_t i = 0; i < sizeof(done) / sizeof(*done); i++)
        if (!strcmp(key, done[i]))
            return 1;
    return 0;
}

/* Steps that other processors have, and what makes the same steps other ones:
 * tiles, proportions that are kept, pixels around zero before their mean is
 * taken away. A class passes over what is none of its own. */
static int refuse_others(const vit_neighbour *n, json_t *config)
{
    static const vit_known settled[] = {
        {"crop_pct", "null"}, {"crop_to_patches", "false"},
        {"image_grid_pinpoints", "null"}, {"keep_aspect_ratio", "false"},
        {"offset", "false"}, {"rescale_offset", "false"}, {NULL, NULL}
    };
    const char *key;
    json_t *value;

    json_object_foreach(config, key, value)
        if (!is_step(key) && !strncmp(key, "do_", 3) && json_is_true(value))
            return tomevit_neighbour_refuse(n, "\"%.40s\" cannot be done here",
                                            key);
    return tomevit_neighbour_known(n, config, NULL, settled, VIT_OTHERS_ANY);
}

/* What else is read where they keep their proportions; other processors have
 * objects there. */
static const vit_json_member patch_members[] = {
    {"patch_size", VIT_JSON_COUNT}, {"pooling_kernel_size", VIT_JSON_COUNT},
    {NULL, 0}
};

/* Images that keep their proportions, each with so many patches at most.
 * [transformers, models/siglip2] */
static int find_patches(const vit_neighbour *n, const json_t *config)
{
    json_t *most = json_object_get(config, "max_num_patches");
    int code = tomevit_neighbour_members(n, config, patch_members);
    size_t patch = tomevit_json_size(config, "patch_size");
    const vit_stored *t = tomevit_tensors_find(n->view,
                                               "patch_embed.proj.weight");

    if (code)
        return code;
    if (strcmp(tomevit_view_layout(n->view), "Hugging Face SigLIP 2"))
        return tomevit_neighbour_refuse(n, "\"max_num_patches\" is for models "
                                        "of SigLIP 2's kind, the tensors are "
                                        "others");
    if (patch && t && t->dims == 4 && t->shape[2] != patch)
        return tomevit_neighbour_refuse(n, "\"patch_size\" is %zu, the "
                                        "tensors are for patches of %zu",
                                        patch, t->shape[2]);
    tomevit_neighbour_say(n, "max_patches", json_incref(most));
    return 0;
}

/* Images that keep their proportions by another rule: sides of whole squares of
 * patches, each of which becomes a token, and so many tokens at most. What is
 * said is what a square picture becomes; how others are cropped to it is not.
 * [transformers, models/gemma4: get_aspect_ratio_preserving_size] */
static int find_soft_tokens(const vit_neighbour *n, const json_t *config)
{
    int code = tomevit_neighbour_members(n, config, patch_members);
    size_t most = tomevit_json_size(config, "max_soft_tokens"), side = 0;
    size_t square = tomevit_json_size(config, "pooling_kernel_size");
    size_t patch = tomevit_json_size(config, "patch_size");
    const vit_stored *t = tomevit_tensors_find(n->view,
                                               "patch_embed.proj.weight");

    if (code)
        return code;
    if (strcmp(tomevit_view_layout(n->view), "Hugging Face Gemma 4"))
        return tomevit_neighbour_refuse(n, "\"max_soft_tokens\" is for models "
                                        "of Gemma 4's kind, the tensors are "
                                        "others");
    if (!most || most > 65536 || !square || square > 64)
        return tomevit_neighbour_refuse(n, "\"max_soft_tokens\", "
                                        "\"pooling_kernel_size\": expected "
                                        "numbers of tokens and of patches");
    if (!patch || (t && t->dims == 4 && t->shape[2] != patch))
        return tomevit_neighbour_refuse(n, "\"patch_size\" is %zu, the "
                                        "tensors are for patches of %zu",
                                        patch, t && t->dims == 4
                                                   ? t->shape[2] : 0);
    while ((side + 1) * (side + 1) <= most)
        side++;
    return tomevit_neighbour_sides(n, (json_int_t)(side * square * patch),
                                   (json_int_t)(side * square * patch));
}

/* What else there is to say of images that keep their proportions. */
static int find_rest(const vit_neighbour *n, json_t *config)
{
    int code = refuse_others(n, config);

    if (!code)
        code = find_filter(n, config);
    return code ? code : find_values(n, config);
}

int tomevit_from_preprocessor(const vit_neighbour *n, json_t *config)
{
    json_t *nested = json_object_get(config, "image_processor");
    pixels p = {0};
    static const vit_json_member members[] = {
        {"image_processor", VIT_JSON_OBJECT}, {NULL, 0}
    };
    int code = tomevit_neighbour_members(n, config, members);

    if (json_is_object(nested))
        config = nested;
    /* A tokenizer's, or one for other data. */
    if (code || (!json_object_get(config, "image_mean") &&
                 !json_object_get(config, "size")))
        return code;
    if ((code = check_members(n, config)))
        return code;
    if (!is_true(config, "do_resize", 1))
        return tomevit_neighbour_refuse(n, "\"do_resize\" false cannot be done "
                                        "here");
    if (json_is_integer(json_object_get(config, "max_num_patches")))
        return (code = find_patches(n, config)) ? code : find_rest(n, config);
    if (json_is_integer(json_object_get(config, "max_soft_tokens")))
        return (code = find_soft_tokens(n, config)) ? code
                                                    : find_rest(n, config);
    p.by = processor_of(n, config);
    if ((code = refuse_others(n, config)) ||
        (code = find_resized(n, config, &p)) ||
        (code = find_crop(n, config, &p)) ||
        (code = find_filter(n, config)))
        return code;
    say_crop(n, &p);
    code = tomevit_neighbour_sides(n, (json_int_t)p.crop,
                                   (json_int_t)(p.width ? p.width : p.crop));
    return code ? code : find_values(n, config);
}
