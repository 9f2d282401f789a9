/* SPDX-License-Identifier: MIT */
/* A small model with random weights, the images that tests of merging run it
 * on, and what comes out. Before it is included IMAGES and DEPTH are constants
 * of an enumeration. */
#ifndef MERGED_MODEL_H
#define MERGED_MODEL_H

#include "draws.h"
#include "../vit/checkpoint/checkpoint.h"
#include "tomevit.h"

/* TOKENS with a class token. */
enum { SIDE = 32, CLASSES = 10, TOKENS = 65 };

typedef struct setting {
    tomevit_description d;
    vit_random random;
    vit_source source;
    float pixels[IMAGES][3 * SIDE * SIDE];
    tomevit_image images[IMAGES];
} setting;

/* Patches, and a class token if it is there. */
static inline void set_up(setting *s, int class_token)
{
    uint32_t state = 5;

    *s = (setting){.d = {
        .dim = 48, .depth = DEPTH, .heads = 3, .mlp_dim = 96, .patch = 4,
        .image_size = SIDE, .classes = CLASSES, .norm_eps = 1e-6f,
        .qkv_bias = 1, .pos_embed = 1, .final_norm = 1,
        .class_token = class_token,
        .prefix = (size_t)class_token, .pos_prefix = (size_t)class_token,
        .tokens = TOKENS - 1 + (size_t)class_token, .features = 48,
        .pool = class_token ? TOMEVIT_POOL_CLASS : TOMEVIT_POOL_MEAN,
    }};
    for (int k = 0; k < 3; k++)
        s->d.preprocessing.mean[k] = s->d.preprocessing.std[k] = 0.5f;
    s->random = (vit_random){&s->d, 17};
    s->source = tomevit_random_source(&s->random);
    for (size_t b = 0; b < IMAGES; b++) {
        for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
            s->pixels[b][i] = (float)(draw_32(&state) >> 24) / 127.5f - 1.0f;
        s->images[b] = (tomevit_image){.data = s->pixels[b],
                                       .format = TOMEVIT_F32_CHW};
    }
}

typedef struct results {
    float logits[IMAGES * CLASSES], sizes[IMAGES * TOKENS];
    int32_t map[IMAGES * TOKENS];
    size_t rows[IMAGES], layer_rows[IMAGES * DEPTH];
} results;

#endif
