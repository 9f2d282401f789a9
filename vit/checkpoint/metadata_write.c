/* SPDX-License-Identifier: MIT */
/* A model's description as the metadata of a .safetensors file: what its
 * tensors do not say, under the keys that vit/checkpoint/metadata.c reads. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "description.h"
#include "rope.h"
#include "../containers/json.h"

/* As text from which the same number is read again. */
static json_t *number(double value, int digits)
{
    char text[40];

    snprintf(text, sizeof(text), "%.*g", digits, value);
    return json_string(text);
}

static json_t *three(const float value[3])
{
    char text[96];

    snprintf(text, sizeof(text), "[%.9g, %.9g, %.9g]", (double)value[0],
             (double)value[1], (double)value[2]);
    return json_string(text);
}

static json_t *list_of(char *const *names)
{
    json_t *list = json_array(), *string;
    char *text;

    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    text = json_dumps(list, JSON_COMPACT);
    string = text ? json_string(text) : NULL;
    free(text);
    json_decref(list);
    return string;
}

/* What no tensor shows: see metadata.c. */
static void put_parts(json_t *object, const tomevit_description *d)
{
    static const char *const activations[] = {
        [TOMEVIT_GELU] = "gelu",
        [TOMEVIT_GELU_TANH] = "gelu_tanh",
        [TOMEVIT_QUICK_GELU] = "quick_gelu",
        [TOMEVIT_SILU] = "silu",
    };
    char positions[96];

    json_object_set_new(object, "num_heads", number((double)d->heads, 17));
    json_object_set_new(object, "norm_eps", number((double)d->norm_eps, 9));
    tomevit_rope_text(&d->rope, positions);
    json_object_set_new(object, "positions", json_string(positions));
    if (d->block == TOMEVIT_BLOCK_MEGA)
        json_object_set_new(object, "attention", json_string(
            d->mega.laplace ? "laplace" : "softmax"));
    if (d->block == TOMEVIT_BLOCK_MEGALODON) {
        json_object_set_new(object, "groups",
                            number((double)d->mega.groups, 17));
        json_object_set_new(object, "chunk",
                            number((double)d->mega.chunk, 17));
    }
    if (d->rms_norm)
        json_object_set_new(object, "norm", json_string("rms"));
    if (d->in_order)
        json_object_set_new(object, "order", json_string("places"));
    if (d->share > 1)
        json_object_set_new(object, "share", number((double)d->share, 17));
    if ((!d->pos_embed && !d->relative) || d->image_size % d->patch)
        json_object_set_new(object, "input_size",
                            number((double)d->image_size, 17));
    if (d->pool_heads && d->pool_heads != d->heads)
        json_object_set_new(object, "pool_heads",
                            number((double)d->pool_heads, 17));
    if (!d->final_norm)
        json_object_set_new(object, "final_norm", json_string("none"));
    if (d->family[0])
        json_object_set_new(object, "family", json_string(d->family));
    if (d->activation != TOMEVIT_SWIGLU)
        json_object_set_new(object, "activation",
                            json_string(activations[d->activation]));
    if (d->pool == TOMEVIT_POOL_MEAN)
        json_object_set_new(object, "pool", json_string("mean"));
    else if (d->pool == TOMEVIT_POOL_CLASS && d->class_token && !d->fc_norm)
        json_object_set_new(object, "pool", json_string("class"));
}

static void put_preprocessing(json_t *object, const tomevit_preprocessing *pre)
{
    json_object_set_new(object, "mean", three(pre->mean));
    json_object_set_new(object, "std", three(pre->std));
    json_object_set_new(object, "crop_pct", number(pre->crop_pct, 17));
    json_object_set_new(object, "interpolation",
        json_string(pre->interpolation == TOMEVIT_BICUBIC ? "bicubic"
                                                          : "bilinear"));
    json_object_set_new(object, "crop_mode",
        json_string(pre->crop_mode == TOMEVIT_SQUASH ? "squash" : "center"));
}

json_t *tomevit_metadata_of(const tomevit_description *d,
                            const char *positions, char *const *names)
{
    json_t *object = json_object();

    json_object_set_new(object, "format", json_string("pt"));
    put_parts(object, d);
    put_preprocessing(object, &d->preprocessing);
    if (positions)
        json_object_set_new(object, "position_resize", json_string(positions));
    if (names)
        json_object_set_new(object, "class_names", list_of(names));
    return object;
}
