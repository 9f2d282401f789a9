/* SPDX-License-Identifier: MIT */
/* Merging that fails inside a forward pass, or would leave nothing to pool. */
#include "draws.h"
#include "../vit/checkpoint/checkpoint.h"
#include "../vit/forward/context.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SIDE = 32, CLASSES = 10, FEW = 5 };

/* 64 patches, and a class token for the pools that read one. */
static tomevit_model *model_that_pools(int pool)
{
    int token = pool == TOMEVIT_POOL_CLASS || pool == TOMEVIT_POOL_CLASS_MEAN;
    tomevit_description d = {
        .dim = 48, .depth = 4, .heads = 3, .mlp_dim = 96, .patch = 4,
        .image_size = SIDE, .classes = CLASSES, .norm_eps = 1e-6f,
        .pos_embed = 1, .final_norm = 1, .pool_heads = 3, .pool_mlp_dim = 96,
        .class_token = token, .prefix = (size_t)token,
        .pos_prefix = (size_t)token, .tokens = 64 + (size_t)token,
        .features = pool == TOMEVIT_POOL_CLASS_MEAN ? 96 : 48, .pool = pool,
    };
    vit_random random = {&d, 17};
    tomevit_model *model;

    for (int k = 0; k < 3; k++)
        d.preprocessing.mean[k] = d.preprocessing.std[k] = 0.5f;
    cr_assert_eq(tomevit_model_build(&d, NULL, tomevit_random_source(&random),
                                     &model), 0);
    return model;
}

static uint8_t *crops_new(size_t count)
{
    uint8_t *crops = malloc(count * SIDE * SIDE * 3);
    uint32_t state = 3;

    cr_assert(crops);
    for (size_t i = 0; i < count * SIDE * SIDE * 3; i++)
        crops[i] = (uint8_t)(draw_32(&state) >> 24);
    return crops;
}

/* A workspace that is too small stands for whatever merging may refuse; nothing
 * of what a pass did before may then stand for a plan. */
static void take_workspace(tomevit_context *context, size_t bytes)
{
    context->all.workspace_bytes = bytes;
    for (int i = 0; i < context->all.threads; i++)
        context->alone[i].workspace_bytes = bytes;
}

Test(forward, says_when_merging_fails)
{
    tomevit_model *model = model_that_pools(TOMEVIT_POOL_CLASS);
    uint8_t *crops = crops_new(FEW);
    size_t r[4] = {9, 5, 12, 7}, bytes;
    float logits[FEW * CLASSES];
    tomevit_output out = {.logits = logits};
    tomevit_image images[FEW];
    tomevit_context *context;
    tomevit_merging m;

    tomevit_merging_init(&m);
    m.r = r;
    for (size_t i = 0; i < FEW; i++)
        images[i] = (tomevit_image){
            .data = crops + i * SIDE * SIDE * 3,
            .format = TOMEVIT_RGB8_HWC};
    for (int threads = 1; threads <= 2; threads++) {
        cr_assert_eq(tomevit_context_create(model, FEW, threads, &context), 0);
        bytes = context->all.workspace_bytes;
        for (size_t batch = 1; batch <= FEW; batch += 2) {
            cr_assert_eq(tomevit_forward(context, &m, batch, images, &out), 0);
            take_workspace(context, 0);
            cr_assert_eq(tomevit_forward(context, &m, batch, images, &out),
                         TOMEVIT_EINVAL);
            take_workspace(context, bytes);
        }
        cr_assert_eq(tomevit_forward(context, &m, FEW, images, &out), 0);
        tomevit_context_free(context);
    }
    free(crops);
    tomevit_close(model);
}

/* No patch is left of 64, then of 3: there is no mean of nothing. */
Test(forward, refuses_to_leave_the_head_nothing)
{
    static const int pools[] = {TOMEVIT_POOL_MEAN, TOMEVIT_POOL_CLASS_MEAN,
                                TOMEVIT_POOL_ATTENTION};
    size_t r[4] = {0, 1, 0, 1};
    uint8_t *crops = crops_new(1);
    tomevit_image image = {.data = crops, .format = TOMEVIT_RGB8_HWC};

    for (size_t i = 0; i < 3; i++) {
        tomevit_model *model = model_that_pools(pools[i]);
        float logits[CLASSES] = {7.0f};
        tomevit_output out = {.logits = logits};
        tomevit_context *context;
        tomevit_merging m;

        tomevit_merging_init(&m);
        m.r = r;
        m.matching.method = TOMERGE_STRIDED;
        cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
        for (int layer = 1; layer <= 3; layer += 2) {
            m.matching.stride = layer == 1 ? 66 : 18;
            cr_assert_eq(tomevit_forward(context, &m, 1, &image, &out),
                         TOMEVIT_EINVAL);
            cr_assert_eq(logits[0], 7.0f);
        }
        m.matching.stride = 4;
        cr_assert_eq(tomevit_forward(context, &m, 1, &image, &out), 0);
        tomevit_context_free(context);
        tomevit_close(model);
    }
    free(crops);
}
