/* SPDX-License-Identifier: MIT */
/* A model in memory: its description and its packed weights, read-only. */
#ifndef TOMEVIT_MODEL_H
#define TOMEVIT_MODEL_H

#include "../kernels/ema.h"
#include "../kernels/gemm.h"
#include "../network/rope.h"
#include "../network/weights.h"

#include <math.h>

typedef struct vit_norm {
    float *weight, *bias;  /* [dim] unless said otherwise */
} vit_norm;

/* What sides of products are cut off at, [2] each: inputs of queries, keys,
 * values, the projection and the MLP's; outputs of each. */
typedef struct vit_ranges {
    float *to_q, *to_k, *to_v, *proj, *to_gate, *to_up, *fc2;
    float *q, *k, *v, *attention, *gate, *up, *mlp;
} vit_ranges;

typedef struct vit_layer {
    vit_norm norm1, norm2;
    vit_norm q_norm, k_norm; /* of [head_dim], if the model has them */
    vit_matrix qkv;        /* [dim + 2 kv width, dim]: queries, keys, values */
    vit_norm attn_norm;    /* before proj, if the model has it */
    float *relative;       /* [(2 side - 1)^2 + 3, heads], if there are such
                            * positions; see ../forward/relative.c */
    /* of attention that is the difference of two; see
     * ../forward/differential.c */
    float *sub_norm;       /* [head_dim], with the outcome's factor */
    float lambda;          /* what the second is multiplied by */
    /* of heads that talk, see ../forward/talking.c: what mixes their scores,
     * and what comes of these, [heads, heads]; [heads] */
    float *mix_scores, *mix_weights, *mix_weights_bias;
    vit_matrix proj;       /* [dim, dim] */
    vit_matrix fc1, fc2;   /* [fc1 width, dim], [dim, mlp_dim] */
    vit_norm mlp_norm;     /* of [mlp_dim], before fc2, if the model has it; or
                            * of [dim], before fc1 */
    vit_norm norm1_post, norm2_post; /* of what attention and MLP give, if
                            * there are norms before and behind both */
    vit_ranges ranges;     /* if there are such */
    /* of Mega: [value, dim], [mix width, dim], [dim, value] */
    vit_matrix v, mx, h;
    float *qk_scale, *qk_shift; /* [2, shared]: of queries, of keys */
    float *rel_bias;       /* bias of the scores by how far a key is behind */
    float *omega;          /* [dim]: what a row adds to its moving average */
    float *rms;            /* [dim]: of Megalodon's norm of averages */
    float *ema;            /* see kernels/ema.h */
} vit_layer;

/* Attention of one query over all tokens, a norm and, unless the query is the
 * first of several, an MLP. width: tomevit_pool_width. */
typedef struct vit_attention_pool {
    float *query;          /* [width], as the scores want it */
    vit_matrix kv, proj;   /* [2 width, dim]: keys, values; [width, width] */
    vit_norm norm;         /* [width] */
    vit_matrix fc1, fc2;   /* [pool_mlp_dim, dim], [dim, pool_mlp_dim] */
} vit_attention_pool;

/* A layer of the class token alone: see ../forward/class_layers.c. */
typedef struct vit_class_layer {
    vit_norm norm1, norm2;
    vit_matrix q, kv, proj; /* [dim, dim], [2 dim, dim], [dim, dim] */
    vit_matrix fc1, fc2;   /* [pool_mlp_dim, dim], [dim, pool_mlp_dim] */
    float *scale1, *scale2; /* [dim]: of what attention and MLP add */
} vit_class_layer;

/* What comes before patches, if it is stages of convolutions: see
 * ../forward/stages.c. Products have their taps in order, of each all channels;
 * so have those of a channel by itself. */
typedef struct vit_stages {
    vit_matrix first, second; /* [stem, 9 3], [stem, 9 stem] */
    vit_norm norm;         /* [stem], between them */
    struct vit_stage_block {
        vit_norm norm;     /* [in] */
        vit_matrix widen, narrow; /* [inner, in], [out, inner] */
        float *taps, *taps_bias;  /* [9, inner], [inner] */
        vit_matrix past;   /* [out, in], of the shortcut; n = 0: none */
    } blocks[VIT_STAGE_BLOCKS];
    vit_norm last_norm;    /* of what patches are made of */
} vit_stages;

/* An MLP on squares of patches: see tomevit_cells. */
typedef struct vit_cells {
    vit_norm norm;         /* [dim], if there is one */
    vit_matrix fc1, fc2;   /* [hidden, side side dim], [out, hidden] */
} vit_cells;

struct tomevit_model {
    tomevit_description d;
    int dtype;             /* enum tomevit_dtype */
    const vit_dsp *dsp;
    const vit_low *low;    /* of the layers' weights; NULL: f32 */
    const vit_low *outer;  /* of patches, heads and attention; NULL: f32 */
    size_t block_rows;     /* rows of a product at most, of any of them */
    vit_arena arena;
    size_t bytes;
    char **class_names;    /* [classes] or NULL; one allocation */
    float *prefix;         /* [prefix, dim], with their positions */
    float *pos;            /* [pos_prefix + patches, dim], or NULL */
    int resize;            /* of them, for images of other sides: enum
                            * vit_positions */
    double *rates;         /* see tomevit_rope_turn; [2, h / 2], or so many of
                            * every layer and head */
    float *turns;          /* [patches, turn]: tomevit_rope_turn of each patch;
                            * or [depth, patches, heads, turn] */
    vit_matrix stem[2];    /* [width, what is in a square], if there is one */
    vit_stages stages;     /* if there are such */
    vit_matrix patch;      /* [dim, patch_length] */
    vit_layer *layers;     /* [depth] */
    vit_norm patch_norm;   /* of patches alone, if there is one */
    vit_norm norm_pre;     /* before the first layer, if there is one */
    vit_norm norm;         /* before or after pooling */
    vit_norm bare;         /* [features], behind it: ones and zeros; or what
                            * pooled rows are standardized by */
    vit_matrix out;        /* [dim, dim], behind Mega's last norm */
    vit_attention_pool pool; /* if the model pools so */
    float *class_row;      /* [dim]: the class token, if it comes in late */
    vit_class_layer class_layers[VIT_MAX_CLASS_LAYERS];
    vit_cells cells;       /* if it pools so */
    vit_matrix project;    /* [embedding, features], if there is one */
    vit_matrix head;       /* [classes, features or embedding] */
    vit_matrix head_dist;  /* [classes, dim]; n = 0: there is none */
};

/* y[n] = the model's norm of x[n]; y may be x. */
static inline void tomevit_norm(const tomevit_model *m, const vit_norm *norm,
                                size_t n, const float *x, float *y)
{
    if (m->d.rms_norm)
        m->dsp->rms_norm(n, x, norm->weight, m->d.norm_eps, y);
    else
        m->dsp->layer_norm(n, x, norm->weight, norm->bias, m->d.norm_eps, y);
}

/* What scores are multiplied by: nothing where both of their sides are normed,
 * and values as well. */
static inline float tomevit_score_scale(const tomevit_model *m)
{
    return m->d.qk_norm == 2 ? 1.0f
                             : 1.0f / sqrtf((float)tomevit_head_dim(&m->d));
}

/* Floats by which all heads of a token are turned. */
static inline size_t tomevit_turns_of(const tomevit_description *d)
{
    return tomevit_turn_length(d) * (tomevit_rope_each_head(d) ? d->heads : 1);
}

/* The rates of a layer's head. */
static inline const double *tomevit_rates(const tomevit_model *m, size_t layer,
                                          size_t head)
{
    size_t index = tomevit_rope_each_head(&m->d) ? layer * m->d.heads + head
                                                 : 0;

    return m->rates + index * tomevit_head_dim(&m->d);
}

/* parallel.c: the products of a layer whose attention and MLP are side by side,
 * carved and read. ENOMEM, and what the source returns. */
void tomevit_carve_parallel(const struct tomevit_model *m, vit_layer *layer,
                            vit_arena *arena);
int tomevit_read_parallel(struct tomevit_model *m, vit_source source,
                          size_t layer);

/* Allocates a model of this description and fills it from a source. The
 * options are valid. ENOMEM, or what the source returns. */
int tomevit_model_build(const tomevit_description *d,
                        const tomevit_open_options *options,
                        vit_source source, tomevit_model **model);

/* places.c: takes the memory of all weights of m->d, for m->dsp, m->low and
 * m->outer: to measure it, then to point into it. */
void tomevit_carve_weights(struct tomevit_model *m, vit_arena *arena);

/* places.c: the matrix that a tensor is packed into; NULL if it is not. */
vit_matrix *tomevit_packed_place(struct tomevit_model *m, enum vit_tensor t,
                                 size_t layer);

/* places.c: where the floats of a tensor go as they are; NULL if they do
 * not. */
float *tomevit_plain_place(struct tomevit_model *m, enum vit_tensor t,
                           size_t layer);

/* filling.c: all weights, and what follows from them. 0, or a TOMEVIT_E*. */
int tomevit_fill_weights(struct tomevit_model *m, vit_source source);

#endif
