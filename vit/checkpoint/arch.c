/* SPDX-License-Identifier: MIT */
/* Published shapes by name, and random weights for them. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint.h"
#include "description.h"

/* ---- shapes -------------------------------------------------------------- */

/* All with 1000 classes and a class token; unless said otherwise with qkv bias
 * and an MLP of 4 * dim.
 * [arXiv 2010.11929, table 1; arXiv 2012.12877, table 1] */
typedef struct arch {
    const char *name, *family;
    size_t dim, depth, heads, patch, image_size;
    void (*parts)(tomevit_description *d); /* what else it has, or NULL */
} arch;

/* Those with rotary positions. [timm 1.0, models/eva.py] */

/* Four registers, and no other positions. [arXiv 2508.10104] */
static void parts_of_dinov3(tomevit_description *d)
{
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                             .theta = 100};
    d->registers = 4;
    d->qkv_bias = d->pos_embed = 0;
    d->layer_scale = 1;
    d->pool = TOMEVIT_POOL_MEAN;
    d->norm_eps = 1e-5f;
}

/* [arXiv 2303.11331] */
static void parts_of_eva02(tomevit_description *d)
{
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 10000,
                             .grid = 16};
    d->mlp_dim = d->dim * 8 / 3;
    d->activation = TOMEVIT_SWIGLU;
    d->qkv_bias = 2;
    d->mlp_norm = d->fc_norm = 1;
    d->pool = TOMEVIT_POOL_MEAN;
}

/* Eight registers; but for the first and last eight layers, half as many heads
 * of keys and values. [arXiv 2604.21681] */
static void parts_of_sapiens2(tomevit_description *d)
{
    parts_of_dinov3(d);
    tomevit_set_image(d, d->image_size, d->image_size / 4 * 3);
    d->registers = 8;
    d->qkv_bias = 1;
    d->qk_norm = d->rms_norm = 1;
    d->layer_scale = 2;
    d->activation = TOMEVIT_SWIGLU;
    d->pool = TOMEVIT_POOL_CLASS;
    d->norm_eps = 1e-6f;
    if (d->depth > 16) {
        d->kv_heads = d->heads / 2;
        d->whole[0] = d->whole[1] = 8;
    }
}

/* [arXiv 2504.13181] */
static void parts_of_pe(tomevit_description *d)
{
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 10000,
                             .offset = 1, .xy = 1,
                             .grid = d->image_size / d->patch};
    d->norm_pre = d->pool_prefix = 1;
    d->patch_bias = 0;
    d->pool = TOMEVIT_POOL_ATTENTION;
    d->pool_heads = 8;
    d->pool_mlp_dim = 4 * d->dim;
    d->norm_eps = 1e-5f;
}

/* [arXiv 2403.13298] */
static void parts_of_rope(tomevit_description *d)
{
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 100,
                             .xy = 1};
    d->layer_scale = 1;
    d->pos_embed = 0;
}

static void parts_of_rope_mixed(tomevit_description *d)
{
    parts_of_rope(d);
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_MIXED, .xy = 1};
}

/* Stages of convolutions before an MLP that GELU gates. [arXiv 2404.02132,
 * table 11] */
static void parts_of_vitamin(tomevit_description *d)
{
    d->stages[0] = d->dim == 384 ? 64 : d->dim == 768 ? 128 : 160;
    d->stages[1] = d->stages[0];
    d->stages[2] = 2 * d->stages[0];
    d->mlp_dim = 2 * d->dim;
    d->activation = TOMEVIT_GEGLU;
    d->mlp_norm = 2;
    d->fc_norm = 1;
    d->class_token = 0;
    d->pool = TOMEVIT_POOL_MEAN;
}

/* What sets MobileLLM's block apart [arXiv 2402.14905, section 3]: an MLP of
 * 8 / 3 of the width, a third of the heads for keys and values. */
static void parts_of_mobile(tomevit_description *d)
{
    d->mlp_dim = 8 * d->dim / 3;
    d->kv_heads = d->heads / 3;
    d->share = 2;
    d->activation = TOMEVIT_SWIGLU;
    d->rms_norm = d->unbiased = d->in_order = 1;
    d->class_token = d->pos_embed = d->qkv_bias = 0;
    d->pool = TOMEVIT_POOL_MEAN;
    d->norm_eps = 1e-5f;
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .halves = 2,
                             .theta = 100};
}

/* [XuezheMax/mega-image, mega_base_patch16_224] */
static void parts_of_mega(tomevit_description *d)
{
    d->block = TOMEVIT_BLOCK_MEGA;
    d->mlp_dim = 2 * d->dim;
    d->mega = (tomevit_mega){.shared = d->dim / 3, .value = 2 * d->dim,
                             .states = 16, .laplace = 1};
    d->activation = TOMEVIT_SILU;
    d->in_order = 1;
    d->class_token = d->qkv_bias = 0;
    d->pool = TOMEVIT_POOL_MEAN;
    d->norm_eps = 1e-5f;
}

/* The paper gives 90 M parameters for images and no widths: Mega's, and the
 * MLP that makes it so many. [arXiv 2404.08801, table 5] */
static void parts_of_megalodon(tomevit_description *d)
{
    parts_of_mega(d);
    d->block = TOMEVIT_BLOCK_MEGALODON;
    d->mlp_dim = d->dim * 5 / 2;
    d->mega.laplace = 0;
    d->mega.groups = 32;
    d->unbiased = 1;
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_LINE, .theta = 10000};
}

/* A classifier on the mean; positions are those of its image, not of the whole
 * table. [timm 1.0, models/gemma4_vit.py] */
static void parts_of_gemma4(tomevit_description *d)
{
    d->mlp_dim = d->dim == 768 ? 3072 : 4304;
    d->ranges = d->dim == 768;
    d->rms_norm = d->unbiased = d->signed_pixels = 1;
    d->qk_norm = d->post_norm = 2;
    d->qkv_bias = d->patch_bias = d->final_norm = d->class_token = 0;
    d->activation = TOMEVIT_GEGLU_TANH;
    d->bare_norm = 1;
    d->pool = TOMEVIT_POOL_MEAN;
    d->rope = (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .xy = 1, .halves = 2,
                             .theta = 100};
}

static const arch archs[] = {
    {"deit_tiny_patch16_224", "deit", 192, 12, 3, 16, 224, NULL},
    {"deit_small_patch16_224", "deit", 384, 12, 6, 16, 224, NULL},
    {"deit_base_patch16_224", "deit", 768, 12, 12, 16, 224, NULL},
    {"deit_base_distilled_patch16_224", "deit-distilled",
     768, 12, 12, 16, 224, NULL},
    {"vit_tiny_patch16_224", "vit", 192, 12, 3, 16, 224, NULL},
    {"vit_small_patch16_224", "vit", 384, 12, 6, 16, 224, NULL},
    {"vit_base_patch16_224", "vit", 768, 12, 12, 16, 224, NULL},
    {"vit_base_patch16_384", "vit", 768, 12, 12, 16, 384, NULL},
    {"vit_large_patch16_224", "vit", 1024, 24, 16, 16, 224, NULL},
    {"vit_large_patch16_384", "vit", 1024, 24, 16, 16, 384, NULL},
    {"vit_huge_patch14_224", "vit", 1280, 32, 16, 14, 224, NULL},
    /* Ours, of MobileLLM's blocks: 12 that run twice each. */
    {"mobile_small_patch16_224", "mobile", 384, 24, 6, 16, 224,
     parts_of_mobile},
    {"mega_base_patch16_224", "mega", 768, 12, 1, 16, 224, parts_of_mega},
    {"megalodon_base_patch16_224", "megalodon", 768, 12, 1, 16, 224,
     parts_of_megalodon},
    {"vit_small_patch16_dinov3", "dinov3", 384, 12, 6, 16, 256,
     parts_of_dinov3},
    {"vit_base_patch16_dinov3", "dinov3", 768, 12, 12, 16, 256,
     parts_of_dinov3},
    {"vit_large_patch16_dinov3", "dinov3", 1024, 24, 16, 16, 256,
     parts_of_dinov3},
    {"eva02_base_patch14_224", "eva02", 768, 12, 12, 14, 224, parts_of_eva02},
    {"vit_base_patch16_sapiens2", "sapiens2", 768, 12, 12, 16, 1024,
     parts_of_sapiens2},
    {"vit_large_patch16_sapiens2", "sapiens2", 1024, 24, 16, 16, 1024,
     parts_of_sapiens2},
    {"vit_huge_patch16_sapiens2", "sapiens2", 1280, 32, 16, 16, 1024,
     parts_of_sapiens2},
    {"vit_giant_patch16_sapiens2", "sapiens2", 1536, 40, 24, 16, 1024,
     parts_of_sapiens2},
    {"gemma4_vit_167m", "gemma4", 768, 16, 12, 16, 768, parts_of_gemma4},
    {"gemma4_vit_570m", "gemma4", 1152, 27, 16, 16, 768, parts_of_gemma4},
    {"vit_pe_core_base_patch16_224", "pe", 768, 12, 12, 16, 224, parts_of_pe},
    {"vit_small_patch16_rope_224", "rope-vit", 384, 12, 6, 16, 224,
     parts_of_rope},
    {"vit_base_patch16_rope_224", "rope-vit", 768, 12, 12, 16, 224,
     parts_of_rope},
    {"vit_base_patch16_rope_mixed_224", "rope-vit", 768, 12, 12, 16, 224,
     parts_of_rope_mixed},
    {"vitamin_small_224", "vit", 384, 14, 6, 16, 224, parts_of_vitamin},
    {"vitamin_base_224", "vit", 768, 14, 12, 16, 224, parts_of_vitamin},
    {"vitamin_large_224", "vit", 1024, 31, 16, 16, 224, parts_of_vitamin},
};

enum { ARCHS = sizeof(archs) / sizeof(*archs) };

const char *tomevit_arch_name(size_t index)
{
    return index < ARCHS ? archs[index].name : NULL;
}

int tomevit_arch_description(const char *name, tomevit_description *d)
{
    const arch *a = archs;

    if (!name || !d)
        return TOMEVIT_EINVAL;
    while (a < archs + ARCHS && strcmp(a->name, name))
        a++;
    if (a == archs + ARCHS)
        return TOMEVIT_EINVAL;

    memset(d, 0, sizeof(*d));
    snprintf(d->family, sizeof(d->family), "%s", a->family);
    d->dim = a->dim;
    d->depth = a->depth;
    d->share = 1;
    d->heads = d->kv_heads = a->heads;
    d->mlp_dim = 4 * a->dim;
    d->patch = a->patch;
    d->image_size = a->image_size;
    d->classes = 1000;
    d->class_token = 1;
    d->distilled = !strcmp(a->family, "deit-distilled");
    d->qkv_bias = d->patch_bias = d->head_bias = 1;
    d->pos_embed = d->final_norm = 1;
    d->pool = TOMEVIT_POOL_CLASS;
    d->norm_eps = 1e-6f;
    if (a->parts)
        a->parts(d);
    d->prefix = (size_t)(d->class_token + d->distilled) + d->registers;
    d->pos_prefix = d->pos_embed ? d->prefix : 0;
    d->features = d->dim;
    d->tokens = d->prefix + tomevit_grid_patches(d);
    d->parameters = tomevit_count_parameters(d);
    tomevit_family_preprocessing(d);
    return 0;
}

/* Attention behind moving averages stays among as many patches as the shape was
 * made for, however many there are. */
int tomevit_arch_resize(tomevit_description *d, size_t height, size_t width)
{
    size_t patches = d->tokens - d->prefix, resized;

    if (height % d->patch || width % d->patch || !height || !width ||
        height > VIT_MAX_IMAGE || width > VIT_MAX_IMAGE ||
        (d->block != TOMEVIT_BLOCK_VIT && height != width))
        return TOMEVIT_EINVAL;
    resized = height / d->patch * (width / d->patch);
    if (resized > VIT_MAX_TOKENS)
        return TOMEVIT_EINVAL;
    if (d->block != TOMEVIT_BLOCK_VIT && resized > patches)
        d->mega.chunk = patches;
    tomevit_set_image(d, height, width);
    d->tokens = d->prefix + resized;
    d->parameters = tomevit_count_parameters(d);
    return 0;
}

/* ---- random weights ------------------------------------------------------ */

/* The finaliser of SplitMix64: a counter put through it is a generator.
 * [Steele, Lea, Flood: "Fast splittable pseudorandom number generators"] */
TM_WRAPS static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The sum of four uniform numbers of 16 bits is near enough to normal, and
 * bounded by 3.5 standard deviations as a truncated normal is. */
static float about_normal(uint64_t bits)
{
    int32_t sum = (int32_t)(bits & 0xffff) + (int32_t)(bits >> 16 & 0xffff) +
                  (int32_t)(bits >> 32 & 0xffff) + (int32_t)(bits >> 48);

    /* Mean 4 * 65535 / 2, variance 4 * (2^32 - 1) / 12. */
    return (float)(sum - 131070) * (1 / 37837.227f);
}

/* Tensors that multiply are around 1. */
static int is_factor(enum vit_tensor t)
{
    switch (t) {
    case VIT_PATCH_NORM_WEIGHT:
    case VIT_NORM_PRE_WEIGHT:
    case VIT_NORM_WEIGHT:
    case VIT_NORM1_WEIGHT:
    case VIT_NORM2_WEIGHT:
    case VIT_Q_NORM_WEIGHT:
    case VIT_K_NORM_WEIGHT:
    case VIT_POOL_NORM_WEIGHT:
    case VIT_QUERY_NORM_WEIGHT:
    case VIT_ATTN_NORM_WEIGHT:
    case VIT_MLP_NORM_WEIGHT:
    case VIT_MLP_NORM_FIRST_WEIGHT:
    case VIT_NORM1_POST:
    case VIT_NORM2_POST:
    case VIT_STD_SCALE:
    case VIT_STAGES_NORM_WEIGHT:
    case VIT_STAGES_0_NORM_WEIGHT:
    case VIT_STAGES_1_NORM_WEIGHT:
    case VIT_STAGES_2_NORM_WEIGHT:
    case VIT_STAGES_3_NORM_WEIGHT:
    case VIT_STAGES_4_NORM_WEIGHT:
    case VIT_STAGES_5_NORM_WEIGHT:
    case VIT_STAGES_LAST_NORM_WEIGHT:
    case VIT_ROPE_PERIODS:
    case VIT_LOGIT_SCALE:
    case VIT_SCALE1:
    case VIT_SCALE2:
        return 1;
    default:
        return 0;
    }
}

/* A number for every tensor, which stays as it is when the table grows at the
 * ends of its two parts: at first they had so many rows. */
static uint64_t number_of(size_t t, size_t layer)
{
    const size_t others = 32, layers = 18, later = 1 << 20;

    if (t < VIT_FIRST_OF_LAYER)
        return t < others ? t + 1 : later + t;
    t -= VIT_FIRST_OF_LAYER;
    return layer * (others + layers) + 1 +
           (t < layers ? others + t : 2 * later + t);
}

TM_WRAPS
static int read_random(void *self, enum vit_tensor t, size_t layer, float *out)
{
    const vit_random *random = self;
    size_t count = tomevit_shape_in(random->description, layer, t, NULL, NULL);
    uint64_t counter = mix(random->seed + mix(number_of(t, layer)));
    /* Megalodon's are stored less one. */
    int less = random->description->block == TOMEVIT_BLOCK_MEGALODON;
    float middle = is_factor(t) && !less ? 1.0f : 0.0f;
    size_t i;

    if (t >= VIT_RANGE_Q_SEEN && t <= VIT_RANGE_MLP) {
        out[0] = -1.5f;                 /* every layer has the same */
        out[1] = 2.0f;
        return 0;
    }
    for (i = 0; i < count; i++) {
        counter += 0x9e3779b97f4a7c15u;
        out[i] = middle + 0.02f * about_normal(mix(counter));
    }
    return 0;
}

vit_source tomevit_random_source(vit_random *random)
{
    vit_source source = {.read = read_random, .self = random};

    return source;
}
