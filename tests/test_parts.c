/* SPDX-License-Identifier: MIT */
/* What models may have, part by part and all at once, against a plain pass in
 * double precision that is written from the papers alone: in f32 with merging,
 * in bf16 and int8 within what their rounding explains. */
#include "oracle.h"
#include "small_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* The length of a - b. */
static double apart(const double *a, const double *b, size_t n)
{
    double squares = 0.0;

    for (size_t i = 0; i < n; i++)
        squares += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(squares);
}

enum { WIDEST = 2 * 48 }; /* features of any of these models */

/* What the plain pass gave, which every tier and type is compared with: it is
 * made once, as it takes most of the time. */
typedef struct remembered {
    tomevit_description d;
    const size_t *r;
    int prop_attn, bits;
    double logits[CLASSES], features[WIDEST];
} remembered;

static remembered *recall(const tomevit_description *d, vit_source source,
                          const float *pixels, const size_t *r, int prop_attn)
{
    static remembered *known;
    static size_t count;
    remembered *k;

    for (size_t i = 0; i < count; i++)
        if (!memcmp(&known[i].d, d, sizeof(*d)) && known[i].r == r &&
            known[i].prop_attn == prop_attn && known[i].bits == oracle_bits)
            return &known[i];
    known = realloc(known, (count + 1) * sizeof(*known));
    cr_assert(known);
    k = &known[count++];
    memcpy(&k->d, d, sizeof(*d));
    k->r = r;
    k->prop_attn = prop_attn;
    k->bits = oracle_bits;
    oracle_forward(d, source, pixels, r, prop_attn, k->logits, k->features);
    return k;
}

/* Without merging, whose choices may differ. What rounding explains is
 * measured: by the same plain pass in double precision with both sides of every
 * product rounded to bf16 and nothing else. The library's own sums differ by
 * f32's rounding, which turns some sides the other way: in bf16 what comes out
 * may be off by half as much again (1.3 times was seen). In int8 elements share
 * the scale of a row: steps are 1/127 of the largest, about three deviations,
 * where bf16's are 2^-8 to 2^-7 of the number itself: 4 to 6 times as much, and
 * at most 7. */
static void check_near(const char *tier, tomevit_description d)
{
    vit_random random = {&d, 17};
    vit_source weak = tomevit_random_source(&random);
    tomevit_open_options with;
    tomevit_model *model;
    uint8_t *crops = random_crops(1);
    float pixels[3 * SIDE * SIDE], logits[CLASSES], features[WIDEST];
    double exact[WIDEST], rounded[WIDEST], got[WIDEST], error, explained;
    double most = dtype == TOMEVIT_INT8 ? 7.0 : 1.5;
    tomevit_output out = {.logits = logits, .features = features};
    tomevit_image image = {.data = pixels, .format = TOMEVIT_F32_CHW};
    tomevit_context *context;

    /* Layers of a class token have to add something to it, and what is taken
     * from attention has to differ. */
    if (d.class_layers || d.differential)
        weak = (vit_source){.read = read_stronger, .self = &random};
    tomevit_open_options_init(&with);
    with.dtype = dtype;
    cr_assert_eq(tomevit_model_build(&d, &with, weak, &model), 0);
    for (size_t i = 0; i < 3 * d.image_size * d.image_size; i++)
        pixels[i] = (float)crops[i] / 127.5f - 1.0f;
    cr_assert_eq(tomevit_context_create(model, 1, 2, &context), 0);
    memcpy(exact, recall(&d, weak, pixels, NULL, 0)->features, sizeof(exact));
    oracle_bits = 8;
    memcpy(rounded, recall(&d, weak, pixels, NULL, 0)->features,
           sizeof(rounded));
    oracle_bits = 0;
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out), 0);
    for (size_t i = 0; i < d.features; i++)
        got[i] = (double)features[i];
    error = apart(got, exact, d.features);
    explained = apart(rounded, exact, d.features);
    cr_assert_leq(error, most * explained,
                  "%s on %s, %zu tokens: features off by %.2f times what "
                  "rounding explains", tomevit_dtype_name(dtype), tier,
                  d.tokens, error / explained);
    cr_assert_gt(error, 1e-5, "nothing was rounded");
    tomevit_context_free(context);
    tomevit_close(model);
    free(crops);
}

/* What sets published kinds of models apart. */
enum { KINDS = 13 };
static tomevit_description of_kind(int kind)
{
    tomevit_description d = small_description(TOMEVIT_POOL_MEAN, kind < 2, 0);

    switch (kind) {
    case 0:                             /* BEiT */
        d.relative = 1;
        d.pos_embed = 0, d.pos_prefix = 0;
        d.qkv_bias = 2;
        d.layer_scale = 1;
        break;
    case 1:                             /* BEiT-3 */
        d.attn_norm = d.mlp_norm = 1;
        break;
    case 2:                             /* DINOv3 */
        d.rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                                .theta = 100};
        d.pos_embed = 0, d.pos_prefix = 0;
        d.layer_scale = 1;
        break;
    case 3:                             /* EVA-02 */
        d.rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 10000,
                                .grid = 16};
        d.activation = TOMEVIT_SWIGLU;
        d.mlp_norm = 1;
        break;
    case 4:                             /* AIMv2 */
        d.rms_norm = d.unbiased = d.patch_norm = 1;
        d.qkv_bias = 0;
        d.activation = TOMEVIT_SWIGLU;
        break;
    case 5:                             /* Pixtral */
        d.rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 10000,
                                .periods = TOMEVIT_PERIODS_BETWEEN};
        d.pos_embed = 0, d.pos_prefix = 0;
        d.rms_norm = d.unbiased = d.norm_pre = 1;
        d.qkv_bias = d.patch_bias = d.final_norm = 0;
        d.activation = TOMEVIT_SWIGLU;
        break;
    case 6:                             /* SwinV2's order of norms */
        d.post_norm = 1;
        break;
    case 7:                             /* CaiT */
        d.talking = 1;
        d.layer_scale = 1;
        d.pool = TOMEVIT_POOL_CLASS_LAYERS;
        d.class_layers = 2;
        break;
    case 8:                             /* differential attention */
        d.differential = 1;
        break;
    case 9:                             /* NaFlex SigLIP 2 */
        d.pool = TOMEVIT_POOL_ATTENTION;
        d.activation = TOMEVIT_GELU_TANH;
        break;
    case 10:                            /* Sapiens2 */
        d.rms_norm = d.qk_norm = 1;
        d.layer_scale = 2;
        d.kv_heads = 1;
        d.whole[0] = 1, d.whole[1] = 2;
        d.rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                                .theta = 100};
        d.pos_embed = 0, d.pos_prefix = 0;
        d.activation = TOMEVIT_SWIGLU;
        break;
    case 11:                            /* Gemma 4's tower */
        d.rms_norm = d.unbiased = d.signed_pixels = d.ranges = 1;
        d.qk_norm = d.post_norm = 2;
        d.qkv_bias = d.patch_bias = d.final_norm = 0;
        d.activation = TOMEVIT_GEGLU_TANH;
        d.bare_norm = 3;
        d.rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .xy = 1,
                                .theta = 100};
        break;
    default:                            /* MobileLLM's heads */
        d.rms_norm = d.unbiased = 1;
        d.qkv_bias = 0;
        d.kv_heads = 1;
        d.activation = TOMEVIT_SWIGLU;
        break;
    }
    return d;
}

/* Squares of patches, in both orders, with a norm and without, one of them at
 * the edge of a grid of 8 that three do not divide. */
enum { CELLS = 4 };
static tomevit_description of_cells(int kind)
{
    tomevit_description d = small_description(TOMEVIT_POOL_MEAN, 0, 0);

    d.pool = TOMEVIT_POOL_CELLS;
    d.cells = (tomevit_cells){.side = kind & 2 ? 3 : 2, .by_channel = kind & 1,
                              .norm = !(kind & 1), .hidden = 70, .out = 48};
    d.bare_norm = kind < 2;
    return d;
}

/* Even tokens, more of them than one product takes and pooled by attention, and
 * few, of which words of two leave an odd one. */
static void check_near_oracle(const char *tier)
{
    tomevit_description d = small_description(TOMEVIT_POOL_CLASS, 0, 0);

    check_near(tier, small_description(TOMEVIT_POOL_CLASS, 0, 1));
    check_near(tier, small_description(TOMEVIT_POOL_ATTENTION, 0, 0));
    check_near(tier, small_description(TOMEVIT_POOL_QUERY, 0, 0));
    d.image_size = 2 * d.patch;
    d.tokens = 5;
    check_near(tier, d);
    for (int kind = 0; kind < KINDS; kind++)
        check_near(tier, of_kind(kind));
    for (int kind = 0; kind < CELLS; kind++)
        check_near(tier, of_cells(kind));
    for (int kind = 0; kind < 2; kind++) {
        d = of_kind(kind);
        d.pool = TOMEVIT_POOL_CLASS;
        d.fc_norm = 0;
        check_near(tier, d);
    }
}

/* Logits of so many images, the first ones of all, and their features. */
static void run_images(const tomevit_description *d, size_t count,
                       float *logits, float *features)
{
    size_t length = 3 * d->image_size * d->image_size;
    uint8_t *crops = random_crops(count);
    float *pixels = malloc(count * length * sizeof(*pixels));
    tomevit_image *images = calloc(count, sizeof(*images));
    tomevit_output out = {.logits = logits, .features = features};
    tomevit_model *model = model_of(d);
    tomevit_context *context;

    cr_assert(pixels && images);
    for (size_t i = 0; i < count * length; i++)
        pixels[i] = (float)crops[i] / 127.5f - 1.0f;
    for (size_t i = 0; i < count; i++)
        images[i] = (tomevit_image){.data = pixels + i * length,
                                    .format = TOMEVIT_F32_CHW};
    cr_assert_eq(tomevit_context_create(model, count, 2, &context), 0);
    cr_assert_eq(tomevit_forward(context, NULL, count, images, &out), 0);
    tomevit_context_free(context);
    tomevit_close(model);
    free(images);
    free(pixels);
    free(crops);
}

/* More patches, and more images, than a product of any type and tier takes at a
 * time: what is outside of the layers may have another type than these. */
static void check_many_rows(const char *tier)
{
    enum { MANY = 230 };
    static float logits[MANY][CLASSES], features[MANY][WIDEST];
    float alone[CLASSES];
    tomevit_description d = small_description(TOMEVIT_POOL_CLASS, 0, 0);

    d.patch = 16;
    d.tokens = 4 + d.prefix;
    d.depth = 1;
    run_images(&d, MANY, logits[0], features[0]);
    run_images(&d, 1, alone, features[0]);
    cr_expect_arr_eq(alone, logits[0], sizeof(alone), "%s on %s, of %d images",
                     tomevit_dtype_name(dtype), tier, MANY);
    for (int kind = 0; kind < KINDS; kind++) {
        d = of_kind(kind);
        d.tokens += 256 - 64;
        d.patch = 2;
        d.depth = 2;
        d.mlp_dim = 50;
        run_images(&d, 1, alone, features[0]);
        for (size_t i = 0; i < d.features; i++)
            cr_assert(isfinite(features[0][i]), "%s on %s, kind %d",
                      tomevit_dtype_name(dtype), tier, kind);
    }
}

Test(parts, of_more_rows_than_one_product_takes)
{
    each_narrow_tier(check_many_rows);
}

Test(parts, near_a_double_precision_pass_in_bf16_and_int8)
{
    each_narrow_tier(check_near_oracle);
}

/* ---- what the reference has no results for ------------------------------- */

static void check_oracle(const char *tier, const char *what,
                         const tomevit_description *d)
{
    tomevit_model *model = model_of(d);
    vit_random random = {d, 17};
    uint8_t *crops = random_crops(1);
    float pixels[3 * SIDE * SIDE], logits[CLASSES], features[WIDEST];
    const double *want, *want_features;
    double largest = 0.0;
    static const size_t r[4] = {9, 0, 12, 7};
    const remembered *plain;
    tomevit_output out = {.logits = logits, .features = features};
    tomevit_image image = {.data = pixels, .format = TOMEVIT_F32_CHW};
    tomevit_context *context;
    tomevit_merging m;

    for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
        pixels[i] = (float)crops[i] / 127.5f - 1.0f;
    cr_assert_eq(tomevit_context_create(model, 1, 2, &context), 0);
    for (int merging = 0; merging <= 2; merging++) {
        tomevit_merging_init(&m);
        m.r = merging ? r : NULL;
        m.prop_attn = merging == 1;
        plain = recall(d, (vit_source){.read = read_stronger, .self = &random},
                       pixels, m.r, m.prop_attn);
        want = plain->logits;
        want_features = plain->features;
        cr_assert_eq(tomevit_forward(context, &m, 1, &image, &out), 0);
        for (size_t i = 0; i < CLASSES; i++)
            cr_assert_float_eq((double)logits[i], want[i],
                               2e-4 * (1.0 + fabs(want[i])),
                               "%s: %s, merging %d: logit %zu: %.9g not %.9g",
                               tier, what, merging, i, (double)logits[i],
                               want[i]);
        /* Rounding goes by the largest, which the last norm brings near 1. */
        for (size_t i = 0; i < d->features; i++)
            largest = fmax(largest, fabs(want_features[i]));
        for (size_t i = 0; i < d->features; i++)
            cr_assert_float_eq((double)features[i], want_features[i],
                               2e-4 * (1.0 + (d->final_norm
                                                  ? fabs(want_features[i])
                                                  : largest)),
                               "%s: %s, merging %d: feature %zu: %.9g not "
                               "%.9g", tier, what, merging, i,
                               (double)features[i], want_features[i]);
    }
    tomevit_context_free(context);
    tomevit_close(model);
    free(crops);
}

static void check_pools(const char *tier)
{
    static const struct {
        const char *what;
        int pool, fc_norm, distilled;
    } pools[] = {
        {"class", TOMEVIT_POOL_CLASS, 0, 0},
        {"two heads", TOMEVIT_POOL_CLASS, 0, 1},
        {"mean", TOMEVIT_POOL_MEAN, 0, 0},
        {"mean, then norm", TOMEVIT_POOL_MEAN, 1, 0},
        {"class and mean", TOMEVIT_POOL_CLASS_MEAN, 0, 0},
        {"attention", TOMEVIT_POOL_ATTENTION, 0, 0},
        {"first query, wide", TOMEVIT_POOL_QUERY, 0, 0},
    };
    tomevit_description d, shared = small_description(TOMEVIT_POOL_ATTENTION,
                                                      0, 0);

    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        d = small_description(pools[i].pool, pools[i].fc_norm,
                              pools[i].distilled);
        check_oracle(tier, pools[i].what, &d);
    }
    d.features = 36;
    check_oracle(tier, "first query, narrow", &d);
    shared.kv_heads = 1;
    check_oracle(tier, "attention behind shared heads", &shared);
}

Test(parts, equals_a_plain_double_precision_pass)
{
    each_tier(check_pools);
}

/* Parts that a model may have, one at a time, then all together, but for
 * relative positions, which no model has beside rotations. */
enum { RELATIVE = 11, PARTS = 13 };
static void use_part(tomevit_description *d, int part)
{
    switch (part) {
    case 0:
        d->layer_scale = 1;
        break;
    case 1:
        d->registers = 3;
        d->prefix += 3;
        d->tokens += 3;
        break;
    case 2:
        d->pos_prefix = 0;
        break;
    case 3:
        d->patch_bias = d->head_bias = d->qkv_bias = 0;
        break;
    case 4:
        d->norm_pre = 1;
        break;
    case 5:
        d->qk_norm = 1;
        break;
    case 6:
        d->norm_eps = 0.1f;
        break;
    case 7:
        d->qkv_bias = 2;
        break;
    case 8:
        d->attn_norm = d->mlp_norm = 1;
        break;
    case 9:
        d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .xy = 1,
                                 .theta = 100, .offset = 1, .grid = 5};
        break;
    case 10:
        d->pos_embed = 0, d->pos_prefix = 0;
        d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                                 .theta = 100};
        break;
    case RELATIVE:
        d->relative = 1;
        break;
    case 12:
        d->patch_norm = 1;
        break;
    }
}

static void check_parts(const char *tier)
{
    char what[64];

    for (int part = 0; part <= PARTS; part++) {
        tomevit_description d = small_description(TOMEVIT_POOL_CLASS, 0, 0);

        for (int i = 0; i < PARTS; i++)
            if (part == i || (part == PARTS && i != RELATIVE))
                use_part(&d, i);
        snprintf(what, sizeof(what), "part %d", part);
        check_oracle(tier, what, &d);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        tomevit_description d = of_kind(kind);

        snprintf(what, sizeof(what), "kind %d", kind);
        check_oracle(tier, what, &d);
        if (kind >= 7)
            continue;
        d.bare_norm = 1;
        check_oracle(tier, "with a norm without weights", &d);
        d.bare_norm = 0;
        if (kind == 2) {
            d.final_norm = 0;
            check_oracle(tier, "without last norm", &d);
        }
    }
    for (int kind = TOMEVIT_GELU_TANH; kind <= TOMEVIT_SWIGLU; kind++) {
        tomevit_description d = small_description(TOMEVIT_POOL_MEAN, 1, 0);

        d.activation = kind;
        snprintf(what, sizeof(what), "activation %d", kind);
        check_oracle(tier, what, &d);
    }
}

static void check_cells(const char *tier)
{
    for (int kind = 0; kind < CELLS; kind++) {
        tomevit_description d = of_cells(kind);
        char what[64];

        snprintf(what, sizeof(what), "cells, kind %d", kind);
        check_oracle(tier, what, &d);
    }
}

Test(parts, equals_it_with_squares_of_patches)
{
    each_tier(check_cells);
}

/* Images that are no squares, lower and higher than wide, wherever rows and
 * columns are told apart: by embeddings, rotations, distances, cells. */
static void check_rectangles(const char *tier)
{
    static const size_t grids[2][2] = {{5, 12}, {10, 6}};

    for (int kind = 0; kind < 10; kind++) {
        tomevit_description d = small_description(
            kind < 8 ? TOMEVIT_POOL_CLASS : TOMEVIT_POOL_MEAN, 0, 0);
        const size_t *grid = grids[kind % 2];
        char what[64];

        d.image_size = grid[0] * d.patch;
        d.image_width = grid[1] * d.patch;
        d.tokens = d.prefix + grid[0] * grid[1];
        if (kind / 2 >= 1 && kind / 2 < 4)
            use_part(&d, 8 + kind / 2);
        if (kind / 2 == 4) {
            d.pool = TOMEVIT_POOL_CELLS;
            d.cells = (tomevit_cells){.side = 4, .hidden = 70, .out = 48};
        }
        snprintf(what, sizeof(what), "rectangle %d", kind);
        check_oracle(tier, what, &d);
    }
}

Test(parts, equals_it_on_rectangles)
{
    each_tier(check_rectangles);
}

/* Classes that are texts, with and without what may be missing. */
static void check_zero_shot(const char *tier)
{
    for (int parts = 0; parts < 4; parts++) {
        tomevit_description d = small_description(
            parts & 2 ? TOMEVIT_POOL_ATTENTION : TOMEVIT_POOL_CLASS, 0, 0);

        d.zero_shot = 1;
        d.projection = d.logit_scale = parts & 1;
        d.projection_bias = d.logit_bias = parts == 3;
        d.embedding = d.projection ? 29 : 48;
        check_oracle(tier, "zero-shot", &d);
    }
}

Test(parts, equals_it_for_texts)
{
    each_tier(check_zero_shot);
}

Test(parts, equals_it_with_every_part)
{
    each_tier(check_parts);
}
