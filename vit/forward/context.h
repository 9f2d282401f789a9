/* SPDX-License-Identifier: MIT */
/*
 * The memory of a forward pass.
 *
 * Images pass through the network in groups small enough that a layer's
 * activations stay in the caches. The rows of a group lie packed one image
 * after another: image b has rows offsets[b] .. offsets[b + 1] - 1 of all that
 * has rows, and its merging may shorten it by any number.
 *
 * What happens is a sequence of steps: see steps.h. As many
 * images of a batch as its threads can share evenly are carried by teams of one
 * thread, which wait for nobody; the others by all threads together.
 */
#ifndef TOMEVIT_CONTEXT_H
#define TOMEVIT_CONTEXT_H

#include "../kernels/group_norm.h"
#include "../kernels/laplace.h"
#include "../model/model.h"
#include "../network/grid.h"
#include "../network/pooling.h"

/* Columns of whole panels of every tier. */
static inline size_t vit_columns(size_t n)
{
    return (n + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
}

/* Columns of whole panels of this tier. */
static inline size_t vit_panels(const vit_dsp *dsp, size_t n)
{
    return (n + dsp->nr - 1) / dsp->nr * dsp->nr;
}

/* One head in bf16: see attention_low.c. */
typedef struct vit_narrow_head {
    uint32_t *keys, *values; /* panels */
    vit_operand_buffer queries, weights; /* [strip] */
} vit_narrow_head;

/* What one thread works with. */
typedef struct vit_scratch {
    int backwards;         /* whether the next step begins with its last task:
                            * the same for all threads of a team */
    float *norm;           /* [block_rows, x_stride] */
    float *hidden;         /* [block_rows, hidden_stride] */
    float *embedding;      /* [block_rows, embedding_stride]; if there is
                            * such a space */
    vit_operand_buffer in, out; /* narrowed rows, [block_rows] of the widest */
    float *cells;          /* [block_rows, cell_stride]: squares of patches */
    float *patch, *stem;   /* [3, patch, patch], and see stem.c */
    /* of stages of convolutions, see stages.c: what products see, [block_rows,
     * places_stride]; rows of a widened map; the maps of a team's image, which
     * its first thread has */
    float *places, *inner, *maps[2];
    size_t places_stride;
    float *class_rows;     /* [4 dim]: the class token, its query, key and
                            * value, in layers of its own */
    float *gemm;           /* see tomevit_gemm_scratch */
    float *keys;           /* packed keys of one head: panels [head_dim, nr];
                            * of all, one after another, if they talk */
    float *values;         /* packed values: panels [tokens, nr] */
    vit_narrow_head narrow; /* the same in bf16 */
    float *scores;         /* [mr or strip, score_stride], of one head or of
                            * all that talk */
    float *second;         /* as scores, of the attention that is subtracted */
    float *panel;          /* [heads, nr]: scores of all heads that talk */
    float *parts;          /* [chunk, parts_stride], where chunks are taken one
                            * at a time: of rows from parts_first on */
    size_t parts_first;
    float *metric;         /* [tokens, head_dim] */
    float *relative;       /* [score_stride]: what a query's scores are raised
                            * by, where places are compared */
    float *zeros;          /* a bias that adds nothing, of a row's parts */
    double *positions;     /* see tomevit_positions_room; where images have
                            * sides of their own */
    double *sums;          /* [2 dim], of a norm over groups of channels */
    int32_t *passing;      /* [tokens]: rows in the order of an average */
    void *workspace;       /* for libtomerge */
} vit_scratch;

/* The tokens of a group: all that belongs to them, and merges when they do. */
typedef struct vit_rows {
    size_t *offsets;       /* [group + 1]: where each image's rows begin */
    float *x;              /* [rows, x_stride] */
    float *size;           /* [rows]: how many tokens a row stands for */
    float *bias;           /* [rows]: ln(size), once tokens have merged */
    int32_t *place;        /* [rows]: the patch where a row stands, -1: none */
    int32_t *trace;        /* [group, tokens]: where each token is by now */
} vit_rows;

/* Threads that carry a group of images through the network together, and what
 * they work on. */
typedef struct vit_team {
    const tomevit_model *model;
    float (*normalised)[256]; /* [3]: what a byte of a channel becomes */
    int threads;
    size_t group;          /* images at a time */
    size_t x_stride, qkv_stride, hidden_stride, score_stride, pooled_stride;
    size_t embedding_stride, cell_stride;
    size_t parts_stride;   /* see blocks/gated.h */
    int by_chunks;         /* a thread takes a chunk of rows through attention
                            * alone, and keeps of it what is needed later */
    size_t workspace_bytes;
    vit_scratch *scratch;  /* [threads] */

    /* of the group under way; [rows] means group * tokens at first */
    vit_rows rows, next;   /* as they are, and as a merge will leave them */
    float *qkv;            /* [rows, qkv_stride]; with by_chunks, what tokens
                            * are compared by */
    float *attention;      /* [rows, x_stride] */
    float *importance;     /* [rows], of the layer under way */
    float *turns;          /* [rows, turns_of]: rotations of rows that stand
                            * where no patch does */
    float *unturned;       /* [rows, head_dim]: what is compared, if it is that
                            * before the rotation */
    uint8_t *role;         /* [rows]: of enum tomerge_role, if rows have one */
    int32_t *map, *origin; /* [rows] */
    size_t *planned;       /* [group]: rows left after the plan */
    int error;             /* of the group under way: 0, or TOMEVIT_EINVAL */
    float *pooled;         /* [group, or twice for distilled, pooled_stride] */
    float *logits_dist;    /* [group, classes], distilled models only */
} vit_team;

struct tomevit_context {
    vit_team all;          /* of all threads */
    vit_team *alone;       /* [threads]: of one thread each, and of a part of
                            * the memory of `all`; their groups are of 0 images
                            * where it is better not to divide it */
    vit_arena arena;
    size_t bytes, max_batch;
    float normalised[3][256];
};

/* One group on its way through the network. */
typedef struct vit_pass {
    vit_team *c;
    const tomevit_merging *merging; /* never NULL */
    uint32_t needs;        /* enum tomerge_need of its layers' methods */
    const tomevit_image *images;    /* of this group */
    tomevit_output out;             /* its rows are those of this group */
    size_t count;                   /* images in this group */
    int merged;            /* some layer has merged: sizes differ from 1 */
    size_t read;           /* leading rows of an image that the head reads, if
                            * the last layer computes no others; else 0 */
} vit_pass;

/* The patches of an image: so many rows and columns. */
typedef struct vit_grid {
    size_t rows, columns;
} vit_grid;

static inline vit_grid vit_grid_of(const vit_pass *p, size_t image)
{
    const tomevit_description *d = &p->c->model->d;
    const tomevit_image *of = &p->images[image];

    if (!of->height)
        return (vit_grid){tomevit_grid_rows(d), tomevit_grid_columns(d)};
    return (vit_grid){of->height / d->patch, of->width / d->patch};
}

/* Of them, and of an image's tokens before anything has merged. */
static inline size_t vit_patches_of(const vit_pass *p, size_t image)
{
    vit_grid grid = vit_grid_of(p, image);

    return grid.rows * grid.columns;
}

static inline size_t vit_tokens_of(const vit_pass *p, size_t image)
{
    return p->c->model->d.prefix + vit_patches_of(p, image);
}

/* Takes the memory of rows on their way into a product, `bytes` of them in all;
 * 0: none. */
vit_operand_buffer tomevit_carve_operand(vit_arena *arena, size_t rows,
                                         size_t bytes);

/* stem.c: floats that it works with. */
size_t tomevit_stem_floats(const tomevit_description *d);

/* Of the square of places that one sees, in stages of convolutions. */
enum { VIT_STAGE_SIDE = 3 };

/* stages_room.c: the widest of what products there see and give; 0: none. Takes
 * what a thread works with. Multiply-accumulates of an image. */
size_t tomevit_stages_widest(const tomevit_description *d);
void tomevit_carve_stages(const tomevit_model *m, vit_scratch *s,
                          vit_arena *arena);
double tomevit_stages_macs(const tomevit_description *d);

/* blocks/blocks.c: takes what a thread works with in blocks of this kind. */
void tomevit_carve_block(const vit_team *c, vit_scratch *s, vit_arena *arena);

/* What the scores of attention are raised by, ln(size) of each key, from an
 * image's first row on; NULL: nothing. */
static inline const float *vit_bias(const vit_pass *p, size_t first)
{
    return p->merged && p->merging->prop_attn ? p->c->rows.bias + first : NULL;
}

#endif
