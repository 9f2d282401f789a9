/* SPDX-License-Identifier: MIT */
/*
 * A pass is a sequence of steps, and a kind of transformer block is a table of
 * them. A step is a loop over tasks that write to different places and may run
 * in any order on any thread of a team; a barrier separates the steps.
 */
#ifndef TOMEVIT_STEPS_H
#define TOMEVIT_STEPS_H

#include "context.h"

/* What a task is about: the layer, and the part of the group. */
typedef struct vit_at {
    size_t index;          /* of the layer */
    const vit_layer *layer;
    size_t r;              /* tokens it is to remove of every image */
    size_t read;           /* leading rows of an image that it computes; 0: all
                            * of them */
    size_t image, head;    /* of a task for an image, for a head of an image */
    /* Of a task for some rows; for a head, of the queries that it is about: no
     * rows, for all of them. */
    size_t first, rows;
} vit_at;

typedef void vit_task(vit_pass *p, vit_scratch *s, const vit_at *at);
typedef int vit_condition(const vit_pass *p, const vit_at *at);

/* What there is a task for. */
enum vit_each {
    VIT_ONCE,
    VIT_EACH_PATCHES,      /* some of an image's patches */
    VIT_EACH_STRIP,        /* some rows of a map of one image: strip `first` of
                            * `rows` */
    VIT_EACH_ROWS,         /* some rows; of those that are computed if the
                            * layer restricts itself, packed: row i is row
                            * i % read of image i / read */
    VIT_EACH_IMAGE,
    VIT_EACH_NEXT,         /* some of the rows that a merge leaves, before it is
                            * carried out */
    VIT_EACH_HEAD,         /* of every image */
    VIT_EACH_CHUNK,        /* of every image, the rows that attend to each
                            * other: `head` counts them */
    VIT_EACH_LANES,        /* some channels of every image: `head` counts blocks
                            * of VIT_EMA_LANES */
    VIT_EACH_POOLED        /* some images, of which each has one row by now */
};

typedef struct vit_step {
    int each;              /* enum vit_each */
    vit_task *run;         /* NULL ends a table */
    vit_condition *when;   /* NULL: in every layer */
    /* VIT_EACH_HEAD: one more task for each image, among those of its heads,
     * while what they look at is still in a cache. NULL: none. */
    vit_task *beside;
    vit_condition *beside_when;
    int all_rows;          /* VIT_EACH_ROWS: of all rows in any case */
    int by_queries;        /* VIT_EACH_HEAD: its task can be shared out */
} vit_step;

/* A kind of transformer block. */
typedef struct vit_block {
    const vit_step *steps;
    /* The last layer where the head reads few rows: it computes those alone, in
     * the same order of sums. */
    const vit_step *last_steps;
    /* Takes what a thread works with in such a block, beyond what all passes
     * need. */
    void (*carve)(const vit_team *c, vit_scratch *s, vit_arena *arena);
    /* Multiply-accumulates of a layer that `tokens` enter, of which `queries`
     * look at them; `rows` of those that leave are computed to the end. */
    double (*macs)(const tomevit_description *d, size_t layer, double tokens,
                   double queries, double rows);
} vit_block;

extern const vit_block tomevit_block_vit, tomevit_block_mega;
extern const vit_block tomevit_block_megalodon, tomevit_block_parallel;

/* blocks/blocks.c: the kind that a model's layers are of. */
const vit_block *tomevit_block_of(const tomevit_description *d);

/* Goes through a table; every thread of the team runs this. */
void tomevit_run_steps(vit_pass *p, vit_scratch *s, const vit_step *steps,
                       vit_at at);

/* places.c: positions of one image that has sides of its own, to where
 * attention's output will be; and if some have. */
vit_task tomevit_place;
vit_condition tomevit_has_places;

/* Positions of an image's patch `first` and those behind it, rows `stride`
 * apart; NULL: there are none. */
const float *tomevit_places_of(const vit_pass *p, size_t image, size_t first,
                               size_t *stride);

/* embed.c: patches of one image to tokens; with the first those before them. */
vit_task tomevit_embed;

/* stem.c: y [patch_length] of a patch [3, patch, patch]. */
void tomevit_stem(const vit_team *c, vit_scratch *s, const float *patch,
                  float *y);

/* stages.c: the patches of all images, if stages of convolutions make them;
 * every thread of the team runs this. */
void tomevit_run_stages(vit_pass *p, vit_scratch *s);

/* blocks/products.c: the products of a layer on some rows. Queries of the
 * rows that are read go where attention's output will be. */
vit_task tomevit_qkv, tomevit_keys_values, tomevit_queries;
vit_task tomevit_projection, tomevit_mlp;

/* Queries and keys alone; values of the rows that a merge will leave. */
vit_task tomevit_queries_keys, tomevit_next_values;

/* How the MLP's first product is finished. */
enum vit_finish tomevit_activation_finish(const tomevit_description *d);

/* heads.c: queries or keys of all heads on their way from a product to
 * attention: normed, if there is a norm; then turned by their positions. */
typedef struct vit_heads {
    float *y;              /* [rows, stride] */
    size_t rows, stride;
    size_t heads;
    const vit_norm *norm;  /* of each head, or NULL */
    int metric;            /* enum tomevit_metric that they are unturned */
    int read;              /* they are of the rows that are read, packed */
} vit_heads;

void tomevit_finish_heads(const vit_pass *p, const vit_at *at,
                          const vit_heads *heads);

/* 1 if tokens are compared by what they are before the rotation. */
int tomevit_compares_unturned(const vit_pass *p);

/* The rotations of an image's rows, and whether they have to be worked out,
 * because tokens have merged and stand where no patch does. */
vit_task tomevit_turn_rows;
vit_condition tomevit_stand_elsewhere;

/* attention.c: one head of one image; the rows that are read alone, from where
 * tomevit_queries left them, if `read` is not 0. */
vit_task tomevit_attention;

/* relative.c: what the scores of one query of an image are raised by, one for
 * each key: `bias`, and what their places add, in the scratch. */
const float *tomevit_row_bias(const vit_pass *p, const vit_scratch *s,
                              const vit_at *at, size_t query,
                              const float *bias);

/* differential.c: one head, as tomevit_attention. */
vit_task tomevit_differential;

/* talking.c: all heads of a part of an image's queries. */
vit_task tomevit_talking;

/* attention_low.c: the same with products in bf16. */
vit_task tomevit_attention_low, tomevit_look_low;

/* The scores alone, for the importance of tokens. */
vit_task tomevit_look;

/* importance.c: 1 if a layer's method asks for the importance of its tokens;
 * and if the attention of the layer's output takes note of it. */
int tomevit_wants_importance(const vit_pass *p, const vit_at *at);
int tomevit_takes_note(const vit_pass *p, const vit_at *at);

/* Takes note of softmaxed scores [rows, score_stride] of one head, of queries
 * from `query` on; then puts together what all heads of an image saw. */
void tomevit_note_scores(const vit_pass *p, const vit_scratch *s,
                         const vit_at *at, size_t query, size_t rows);
void tomevit_importance(vit_pass *p, const vit_at *at);

/* The MLP of the rows x, which adds to those of the tokens. */
void tomevit_mlp_of(vit_pass *p, vit_scratch *s, const vit_at *at,
                    const float *x, size_t stride);

/* blocks/mega.c, blocks/megalodon.c: what is behind the last layer's rows. */
vit_task tomevit_mega_out, tomevit_megalodon_out;

/* blocks/gated.c: what tokens are compared by where averages mix them: of
 * row `first`, one head after another of *channels. */
const float *tomevit_gated_metric(const vit_team *c, int metric, size_t first,
                                  size_t *channels);

/* merge.c: planning and carrying out the merging of one image; tomevit_plan
 * sets c->planned[image]. Where either fails, or too little is left for the
 * head, c->error is set, and the image goes on with tokens of no account. */
vit_task tomevit_plan, tomevit_pack_offsets, tomevit_merge, tomevit_swap;
vit_condition tomevit_merges;

/* Steps that carry out what was planned. */
#define VIT_MERGE \
    {VIT_ONCE, .run = tomevit_pack_offsets, .when = tomevit_merges}, \
    {VIT_EACH_IMAGE, .run = tomevit_merge, .when = tomevit_merges}, \
    {VIT_ONCE, .run = tomevit_swap, .when = tomevit_merges}

/* One step ahead: conditions and what is particular to it. Where attention
 * stands for the tokens before they merged, its rows are merged as these were;
 * what comes of it takes their place when all images are done. */
vit_condition tomevit_is_ahead;
vit_task tomevit_merge_attention, tomevit_take_attention;

/* The values that the keys of an image weigh, *v [.., qkv_stride] of a head,
 * and which row each has, NULL: its own. */
const int32_t *tomevit_values_of(const vit_pass *p, const vit_at *at,
                                 const float **v);

/* Leaves of every image the rows that are read. */
vit_task tomevit_keep_read;

/* forward.c: what was merged, image by image, to the output. */
vit_task tomevit_report_merging;

/* attention_pool.c: y [tomevit_pool_width] of one image. */
void tomevit_attention_pool(const vit_pass *p, vit_scratch *s, size_t image,
                            float *y);

/* class_layers.c: y [dim] of one image. */
void tomevit_class_layers(const vit_pass *p, vit_scratch *s, size_t image,
                          float *y);

/* cells.c: y [features] of one image. */
void tomevit_pool_cells(const vit_pass *p, vit_scratch *s, size_t image,
                        float *y);

/* zero_shot.c: pooled rows x, up to block_rows, in the space of the texts'
 * embeddings, in the scratch; *stride is that of x, then of these. */
float *tomevit_embedding(const vit_pass *p, vit_scratch *s, size_t rows,
                         float *x, size_t *stride);

/* final_norm.c: y[dim] of a token x, as pooling takes it. */
void tomevit_final_norm(const tomevit_model *m, const float *x, float *y);

/* head.c: pooling and norm of one image; its rows, normed, to the output; heads
 * on a block of images. */
vit_task tomevit_pool, tomevit_last_rows, tomevit_heads;

#endif
