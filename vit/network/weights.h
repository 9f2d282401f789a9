/* SPDX-License-Identifier: MIT */
/*
 * The tensors of a model, named once: which exist for a description, their
 * shapes and their timm names. Checkpoints, random models and the packing of
 * weights all walk this table, which is tensors.def.
 */
#ifndef TOMEVIT_WEIGHTS_H
#define TOMEVIT_WEIGHTS_H

#include "grid.h"
#include "tomevit.h"

/* As many layers of class attention as there can be: CaiT has two. */
enum { VIT_MAX_CLASS_LAYERS = 2 };

enum vit_tensor {
#define TENSOR(identifier, name, when, shape, place) VIT_##identifier,
#define LAYER_TENSOR TENSOR
#include "tensors.def"
#undef LAYER_TENSOR
#undef TENSOR
    VIT_TENSORS,
    VIT_FIRST_OF_LAYER = VIT_NORM1_WEIGHT
};

/* 1 if one half of what the MLP's first product gives is the other's gate. */
static inline int tomevit_gated(const tomevit_description *d)
{
    return d->activation == TOMEVIT_SWIGLU || d->activation == TOMEVIT_GEGLU ||
           d->activation == TOMEVIT_GEGLU_TANH;
}

/* Columns of what the MLP's first product gives. */
static inline size_t tomevit_fc1_width(const tomevit_description *d)
{
    return tomevit_gated(d) ? 2 * d->mlp_dim : d->mlp_dim;
}

/* Of stages of convolutions [timm, models/vitamin.py]: a place and those around
 * it; blocks of the first stage and of both; how many times as many channels
 * there are inside of a block. */
enum {
    VIT_TAPS = 9, VIT_FIRST_STAGE = 2, VIT_STAGE_BLOCKS = 6, VIT_EXPANSION = 4
};

/* 1 if the shortcut past a stage's first block widens what it hands on. */
static inline int tomevit_stage_widens(const tomevit_description *d,
                                       size_t stage)
{
    return d->stages[stage] != d->stages[stage - 1];
}

/* What a patch is once it has gone through a stem, or as it comes. */
static inline size_t tomevit_patch_length(const tomevit_description *d)
{
    if (d->stages[0])
        return VIT_TAPS * d->stages[2];
    return d->stem_side[0] ? d->stem_width[1] * d->stem_side[2] *
                                 d->stem_side[2]
                           : 3 * d->patch * d->patch;
}

/* Heads of keys and values of a layer; columns of keys, or of values. */
static inline size_t tomevit_kv_heads(const tomevit_description *d,
                                      size_t layer)
{
    return d->kv_heads && layer >= d->whole[0] &&
                   layer + d->whole[1] < d->depth
               ? d->kv_heads : d->heads;
}

static inline size_t tomevit_kv_width(const tomevit_description *d,
                                      size_t layer)
{
    size_t heads = tomevit_kv_heads(d, layer);

    return heads == d->heads ? d->dim : d->dim / d->heads * heads;
}

/* The most that any layer has. */
static inline size_t tomevit_kv_widest(const tomevit_description *d)
{
    return d->whole[0] || d->whole[1] ? d->dim : tomevit_kv_width(d, 0);
}

/* Columns of keys, and of values, that a learnt query pools by; 0: none is. */
static inline size_t tomevit_pool_width(const tomevit_description *d)
{
    return d->pool == TOMEVIT_POOL_ATTENTION ? d->dim
           : d->pool == TOMEVIT_POOL_QUERY   ? d->features
                                             : 0;
}

/* Channels of one head's queries and keys. */
static inline size_t tomevit_head_dim(const tomevit_description *d)
{
    return (d->block == TOMEVIT_BLOCK_VIT ? d->dim : d->mega.shared) / d->heads;
}

/* Columns of Mega's gates, queries with keys, gates and candidates; Megalodon
 * has no gates of the first kind. */
static inline size_t tomevit_mix_width(const tomevit_description *d)
{
    return (d->block == TOMEVIT_BLOCK_MEGA ? 2 : 1) * d->dim +
           d->mega.shared + d->mega.value;
}

/* Rows of a table of relative positions: see ../forward/relative.c. */
static inline size_t tomevit_distances(const tomevit_description *d)
{
    return (2 * tomevit_grid_rows(d) - 1) * (2 * tomevit_grid_columns(d) - 1) +
           3;
}

/* Layers that have weights of their own. */
static inline size_t tomevit_own_layers(const tomevit_description *d)
{
    return d->share ? d->depth / d->share : d->depth;
}

/* Number of elements of a tensor, 0 if this model has none such.
 * shape[4] gets its shape, dims its number of dimensions (both may be NULL).
 * The description's numbers have been checked: no product overflows. */
size_t tomevit_shape_in(const tomevit_description *d, size_t layer,
                        enum vit_tensor t, size_t shape[4], size_t *dims);

/* The same of the first layer, which is that of all but where layers have
 * different heads of keys and values. */
size_t tomevit_tensor_shape(const tomevit_description *d, enum vit_tensor t,
                            size_t shape[4], size_t *dims);

/* The timm name of tensor `t` of layer `layer` (ignored for the first kind). */
void tomevit_tensor_name(const tomevit_description *d, enum vit_tensor t,
                         size_t layer, char name[64]);

/* 1 if `name` is that of a tensor this model has, in layer `layer` or
 * outside the layers. */
int tomevit_tensor_known(const tomevit_description *d, size_t layer,
                         const char *name);

/* The elements of all tensors. */
uint64_t tomevit_count_parameters(const tomevit_description *d);

/* Where weights come from: a checkpoint or a generator. */
typedef struct vit_source {
    /* Writes all elements of one tensor as f32, row-major. Only tensors that
     * tomevit_tensor_shape says exist are asked for. Returns 0 or an error. */
    int (*read)(void *self, enum vit_tensor t, size_t layer, float *out);
    /* NULL, or: a matrix that is stored in int8 as it is, and the scales of its
     * rows. 1, or 0 if it is stored otherwise. */
    int (*read_int8)(void *self, enum vit_tensor t, size_t layer,
                     signed char *out, float *scale);
    void *self;
    int resize;            /* how its positions are resized: enum
                            * vit_positions */
    int stacked;           /* tensors of one kind lie together, and are best
                            * read one after another, each kind by one thread */
} vit_source;

/* 1 if layer scale is folded into this tensor. */
int tomevit_scaled(const tomevit_description *d, enum vit_tensor t);

/* Layer scale multiplies what proj and fc2 add to the tokens; it is folded into
 * their rows, and does nothing to other tensors. What the source returns, or
 * ENOMEM. */
int tomevit_scale_rows(const tomevit_description *d, vit_source source,
                       enum vit_tensor t, size_t layer, float *rows);

#endif
