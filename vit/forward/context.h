/* SPDX-License-Identifier: MIT */
/*
 * The memory of a forward pass, and its steps.
 *
 * Images pass through the network in groups small enough that a layer's
 * activations stay in the caches. The rows of a group lie packed one image
 * after another: image b has rows offsets[b] .. offsets[b + 1] - 1 of x, qkv,
 * attention, sizes and bias, and its merging may shorten it by any number.
 *
 * A step is a loop over tasks that write to different places and may run in
 * any order on any thread of a crew; a barrier separates the steps. As many
 * images of a batch as its threads can share evenly are carried by crews of one
 * thread, which wait for nobody; the others by all threads together.
 */
#ifndef TOMEVIT_CONTEXT_H
#define TOMEVIT_CONTEXT_H

#include "../model/model.h"
#include "../network/pooling.h"

/* Columns of whole panels of every tier. */
static inline size_t vit_columns(size_t n)
{
    return (n + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
}

/* One head in bf16: see attention_low.c. */
typedef struct vit_narrow_head {
    uint32_t *keys, *values; /* panels */
    vit_room queries, weights; /* [strip] */
} vit_narrow_head;

/* What one thread works with. */
typedef struct vit_scratch {
    float *norm;           /* [block_rows, x_stride] */
    float *hidden;         /* [block_rows, hidden_stride] */
    float *embedding;      /* [block_rows, embedding_stride]; zero-shot */
    vit_room in, out;      /* narrowed rows, [block_rows] of the widest */
    float *gemm;           /* see tomevit_gemm_scratch */
    float *keys;           /* packed keys of one head: panels [head_dim, nr] */
    float *values;         /* packed values of one head: panels [tokens, nr] */
    vit_narrow_head narrow; /* the same in bf16 */
    float *scores;         /* [mr or strip, score_stride] */
    float *metric;         /* [tokens, head_dim] */
    void *workspace;       /* for libtomerge */
} vit_scratch;

/* Threads that carry a group of images through the network together, and what
 * they work on. */
typedef struct vit_crew {
    const tomevit_model *model;
    float (*normalised)[256]; /* [3]: what a byte of a channel becomes */
    int threads;
    size_t group;          /* images at a time */
    size_t x_stride, qkv_stride, hidden_stride, score_stride, pooled_stride;
    size_t embedding_stride;
    size_t workspace_bytes;
    vit_scratch *scratch;  /* [threads] */

    /* of the group under way; [rows] means group * tokens at first */
    size_t *offsets, *next_offsets; /* [group + 1] */
    float *x, *next_x;     /* [rows, x_stride] */
    float *qkv;            /* [rows, qkv_stride] */
    float *attention;      /* [rows, x_stride] */
    float *sizes, *next_sizes, *bias; /* [rows] */
    int32_t *map, *origin, *trace;    /* [rows] */
    size_t *planned;       /* [group]: rows left after the plan */
    int error;             /* of the group under way: 0, or TOMEVIT_EINVAL */
    float *pooled;         /* [group, or twice for distilled, pooled_stride] */
    float *logits_dist;    /* [group, classes], distilled models only */
} vit_crew;

struct tomevit_context {
    vit_crew all;          /* of all threads */
    vit_crew *alone;       /* [threads]: of one thread each, and of a part of
                            * the memory of `all`; their groups are of 0 images
                            * where it is better not to divide it */
    vit_arena arena;
    size_t bytes, max_batch;
    float normalised[3][256];
};

/* One group on its way through the network. */
typedef struct vit_pass {
    vit_crew *c;
    const tomevit_merging *merging; /* never NULL */
    const tomevit_image *images;    /* of this group */
    tomevit_output out;             /* its rows are those of this group */
    size_t count;                   /* images in this group */
    int merged;            /* some layer has merged: sizes differ from 1 */
    size_t read;           /* leading rows of an image that the head reads, if
                            * the last layer computes no others; else 0 */
} vit_pass;

/* Row blocks of nearly equal size, a multiple of the number of threads, and
 * each of whole tiles of rows: a tile in part takes more time than its rows. In
 * f32 a half takes little more, and threads share the rows more evenly. */
typedef struct vit_blocks {
    size_t rows, count;
    size_t unit, units;    /* rows that stay together, units of all blocks */
} vit_blocks;

vit_blocks tomevit_blocks(const vit_crew *c, size_t rows);

/* First row and number of rows of a block. */
static inline size_t tomevit_block(const vit_blocks *b, size_t index,
                                   size_t *first)
{
    size_t end = b->units * (index + 1) / b->count * b->unit;

    *first = b->units * index / b->count * b->unit;
    return (end < b->rows ? end : b->rows) - *first;
}

/* embed.c: patches of one image to tokens. */
size_t tomevit_embed_tasks(const vit_pass *p);
void tomevit_embed(const vit_pass *p, vit_scratch *s, size_t task);

/* block.c: the products of a layer on one block of rows. Of the last layer
 * tomevit_queries takes the rows that are read, packed: row i is row i % read
 * of image i / read. Its queries go where attention's output will be. */
void tomevit_qkv(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows);
void tomevit_keys_values(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                         size_t first, size_t rows);
void tomevit_queries(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                     size_t first, size_t rows);
void tomevit_projection(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                        size_t first, size_t rows);
void tomevit_mlp(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                 size_t first, size_t rows);

/* attention.c: one head of one image; the rows that are read alone, from
 * where tomevit_queries left them, if `read` is not 0. */
void tomevit_attention(const vit_pass *p, vit_scratch *s, size_t image,
                       size_t head, size_t read);

/* attention_low.c: the same with products in bf16. */
void tomevit_attention_low(const vit_pass *p, vit_scratch *s, size_t image,
                           size_t head, size_t read);

/* reduce.c: planning and carrying out the merging of one image; tomevit_plan
 * sets c->planned[image]. Where either fails, or too little is left for the
 * head, c->error is set, and the image goes on with tokens that do not count. */
void tomevit_plan(const vit_pass *p, vit_scratch *s, size_t layer, size_t r,
                  size_t image);
void tomevit_pack_offsets(const vit_pass *p);
void tomevit_reduce(const vit_pass *p, vit_scratch *s, size_t image);
void tomevit_swap(const vit_pass *p);
/* Leaves of every image the rows that are read. */
void tomevit_keep_read(const vit_pass *p);

/* How the MLP's first product is finished. */
enum vit_finish tomevit_activation_finish(const tomevit_description *d);

/* attention_pool.c: y [dim] of one image. */
void tomevit_attention_pool(const vit_pass *p, vit_scratch *s, size_t image,
                            float *y);

/* zero_shot.c: pooled rows x, up to block_rows, as unit vectors among the
 * texts' embeddings, in the scratch; *stride is that of x, then of these. */
float *tomevit_embedding(const vit_pass *p, vit_scratch *s, size_t rows,
                         float *x, size_t *stride);

/* head.c: pooling and norm of one image; heads on a block of images. */
void tomevit_pool(const vit_pass *p, vit_scratch *s, size_t image);
void tomevit_heads(const vit_pass *p, vit_scratch *s, size_t first,
                   size_t rows);

#endif
