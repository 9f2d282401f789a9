/* SPDX-License-Identifier: MIT */
/* A model's description as the metadata of a .safetensors file: what its
 * tensors do not say, under the keys that vit/checkpoint/metadata.c reads. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "description.h"
#include "rope.h"
#include "../base/real.h"
#include "../containers/json.h"

/* As text from which the same number is read again. */
static json_t *number(double value, int digits)
{
    char text[40];

    tomevit_real_write(value, digits, text, sizeof(text));
    return json_string(text);
}

static json_t *sides(size_t height, size_t width)
{
    char text[48];

    snprintf(text, sizeof(text), "%zux%zu", height, width);
    return json_string(text);
}

static json_t *three(const float value[3])
{
    char text[112], real[3][32];

    for (size_t c = 0; c < 3; c++)
        tomevit_real_write((double)value[c], 9, real[c], sizeof(real[c]));
    snprintf(text, sizeof(text), "[%s, %s, %s]", real[0], real[1], real[2]);
    return json_string(text);
}

static json_t *list_of(char *const *names)
{
    json_t *list = json_array(), *string;
    size_t count = 0;
    char *text;

    for (; names[count]; count++)
        json_array_append_new(list, json_string(names[count]));
    text = json_array_size(list) == count ? json_dumps(list, JSON_COMPACT)
                                          : NULL;
    string = text ? json_string(text) : NULL;
    free(text);
    json_decref(list);
    return string;
}

/* What is gathered; nothing of it counts where memory failed for a part. */
typedef struct metadata {
    json_t *object;
    int failed;
} metadata;

static void put(metadata *m, const char *key, json_t *value)
{
    m->failed |= json_object_set_new(m->object, key, value) != 0;
}

/* What no tensor shows: see metadata.c. */
static void put_parts(metadata *m, const tomevit_description *d)
{
    static const char *const activations[] = {
        [TOMEVIT_GELU] = "gelu",
        [TOMEVIT_GELU_TANH] = "gelu_tanh",
        [TOMEVIT_QUICK_GELU] = "quick_gelu",
        [TOMEVIT_SILU] = "silu",
    };
    char positions[96];

    put(m, "num_heads", number((double)d->heads, 17));
    put(m, "norm_eps", number((double)d->norm_eps, 9));
    tomevit_positions_text(d, positions);
    put(m, "positions", json_string(positions));
    if (d->block == TOMEVIT_BLOCK_MEGA)
        put(m, "attention",
            json_string(d->mega.laplace ? "laplace" : "softmax"));
    if (d->block == TOMEVIT_BLOCK_MEGALODON) {
        put(m, "groups", number((double)d->mega.groups, 17));
        put(m, "chunk", number((double)d->mega.chunk, 17));
    }
    if (d->rms_norm)
        put(m, "norm", json_string("rms"));
    if (d->pool_prefix && !d->rope.kind)
        put(m, "pool_tokens", json_string("all"));
    if (d->post_norm)
        put(m, "block", json_string(d->post_norm == 2 ? "sandwich_norm"
                                                      : "res_post_norm"));
    if (d->qk_norm == 2)
        put(m, "attention", json_string("normed"));
    if (d->activation == TOMEVIT_GEGLU_TANH)
        put(m, "gate", json_string("gelu_tanh"));
    if (d->signed_pixels)
        put(m, "pixels", json_string("signed"));
    if (d->in_order)
        put(m, "order", json_string("places"));
    if (d->share > 1)
        put(m, "share", number((double)d->share, 17));
    if (d->image_width)
        put(m, "input_size", sides(d->image_size, d->image_width));
    else if ((!d->pos_embed && d->relative != 1) || d->image_size % d->patch)
        put(m, "input_size", number((double)d->image_size, 17));
    if (d->pool_heads)
        put(m, "pool_heads", number((double)d->pool_heads, 17));
    if (!d->final_norm)
        put(m, "final_norm", json_string("none"));
    if (!d->patch_bias && !d->norm_pre)
        put(m, "patch_bias", json_string("none"));
    if (d->bare_norm)
        put(m, "bare_norm", json_string(d->bare_norm > 1 ? "scaled"
                                                         : "after pooling"));
    if (d->cells.side)
        put(m, "cells",
            json_string(d->cells.by_channel ? "channels" : "patches"));
    if (d->family[0])
        put(m, "family", json_string(d->family));
    if (!tomevit_gated(d))
        put(m, "activation", json_string(activations[d->activation]));
    if (d->pool == TOMEVIT_POOL_MEAN)
        put(m, "pool", json_string("mean"));
    else if (d->pool == TOMEVIT_POOL_CLASS && d->class_token && !d->fc_norm)
        put(m, "pool", json_string("class"));
}

static void put_preprocessing(metadata *m, const tomevit_preprocessing *pre)
{
    put(m, "mean", three(pre->mean));
    put(m, "std", three(pre->std));
    put(m, "crop_pct", number(pre->crop_pct, 17));
    put(m, "interpolation",
        json_string(pre->interpolation == TOMEVIT_BICUBIC ? "bicubic"
                                                          : "bilinear"));
    put(m, "crop_mode", json_string(tomevit_crop_mode_word(pre->crop_mode)));
    if (pre->max_patches)
        put(m, "max_patches", number((double)pre->max_patches, 17));
}

json_t *tomevit_metadata_of(const tomevit_description *d,
                            const char *positions, char *const *names)
{
    metadata m = {.object = json_object()};

    put(&m, "format", json_string("pt"));
    put_parts(&m, d);
    put_preprocessing(&m, &d->preprocessing);
    if (positions)
        put(&m, "position_resize", json_string(positions));
    if (names)
        put(&m, "class_names", list_of(names));
    if (!m.failed)
        return m.object;
    json_decref(m.object);
    return NULL;
}
