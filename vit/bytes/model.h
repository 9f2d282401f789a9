/* SPDX-License-Identifier: MIT */
/*
 * MEGABYTE in memory: a global Transformer over patches of bytes and a local
 * one inside each of them [arXiv 2305.07185], read-only.
 */
#ifndef TOMEVIT_BYTES_MODEL_H
#define TOMEVIT_BYTES_MODEL_H

#include "../kernels/gemm.h"
#include "tomevit_bytes.h"

enum { VIT_BYTE_VALUES = 256 };

/* What stands between an MLP's products. */
enum vit_bytes_mlp { VIT_BYTES_RELU, VIT_BYTES_GELU, VIT_BYTES_SWIGLU };

/* Bias NULL: RMSNorm. */
typedef struct vit_bytes_norm {
    float *weight, *bias;  /* [dim] */
} vit_bytes_norm;

typedef struct vit_bytes_block {
    vit_bytes_norm norm1, norm2;
    vit_matrix qkv;        /* [dim + 2 kv width, dim] */
    vit_matrix o;          /* [dim, dim] */
    vit_matrix up;         /* [hidden, dim], or gate over up: twice as many */
    vit_matrix down;       /* [dim, hidden] */
} vit_bytes_block;

/* past.c: floats of a head's keys and values in a cache, for one window and for
 * all that merged; those of all of its cache. */
typedef struct vit_bytes_room {
    size_t keys, values, merged_keys, merged_values, head;
} vit_bytes_room;

/* A causal Transformer without the embeddings before it. */
typedef struct vit_bytes_part {
    const char *name;      /* "global_model" or "local_model" */
    size_t dim, heads, kv_heads, hidden;
    size_t blocks_count, share; /* blocks with weights; runs of each */
    size_t length;         /* rows of a sequence at most */
    size_t window, group;  /* see tomevit_bytes_options; without merging the
                            * window is the length and the group 0 */
    vit_bytes_room room;   /* for the tier in use */
    enum vit_bytes_mlp mlp;
    int rms;
    vit_bytes_block *blocks;
    vit_bytes_norm norm;
} vit_bytes_part;

struct tomevit_bytes {
    tomevit_bytes_description d;
    int dtype;
    const vit_dsp *dsp;
    vit_dsp own;           /* the table of portable models */
    const vit_low *low;    /* of the blocks' weights; NULL: f32 */
    size_t block_rows;     /* rows of a product at most */
    float eps;
    vit_arena arena;
    vit_bytes_part global, local;
    float *global_embed;   /* [256, global width of a byte] */
    float *global_pos;     /* [length, the same] */
    float *global_pad;     /* [global dim] */
    float *local_embed;    /* [256, local dim] */
    float *local_pad;      /* [local dim] */
    vit_matrix to_local;   /* [local dim, global width of a byte] */
    vit_matrix logits;     /* [256, local dim]: local_embed once more */
};

/* Columns of keys, or of values. */
static inline size_t vit_bytes_kv_width(const vit_bytes_part *p)
{
    return p->dim / p->heads * p->kv_heads;
}

static inline size_t vit_bytes_up_width(const vit_bytes_part *p)
{
    return p->mlp == VIT_BYTES_SWIGLU ? 2 * p->hidden : p->hidden;
}

/* Rows that a merged window leaves, and those of all windows that may merge. */
static inline size_t vit_bytes_left(const vit_bytes_part *p)
{
    return p->group ? p->window / p->group : 0;
}

static inline size_t vit_bytes_merged(const vit_bytes_part *p)
{
    return p->length / p->window * vit_bytes_left(p);
}

/* past.c: sets p->room. */
void tomevit_bytes_set_room(const vit_dsp *dsp, vit_bytes_part *p);

/* portable.c: the scalar kernels with exp and erf of its own. 0, or -1 where
 * the compiler's arithmetic on f32 is not that of f32. */
int tomevit_dsp_portable(vit_dsp *dsp);

#endif
