/* SPDX-License-Identifier: MIT */
/* A text tower in memory, read-only: the other half of CLIP [arXiv 2103.00020]
 * and of SigLIP [arXiv 2303.15343]. */
#ifndef TOMEVIT_TOWER_H
#define TOMEVIT_TOWER_H

#include "tokenizer.h"
#include "../containers/tensors.h"
#include "../kernels/gemm.h"

enum { VIT_TEXT_FACTS = 8 };

typedef struct vit_text_norm {
    float *weight, *bias;  /* [dim] */
} vit_text_norm;

typedef struct vit_text_layer {
    vit_text_norm norm1, norm2;
    vit_matrix qkv;        /* [3 dim, dim] */
    vit_matrix out;        /* [dim, dim] */
    vit_matrix fc1;        /* [mlp_dim, dim] */
    vit_matrix fc2;        /* [dim, mlp_dim] */
} vit_text_layer;

typedef struct vit_text_fact {
    char value[96], from[40];
    const char *what;
    int guessed;
} vit_text_fact;

/* Whose names the tensors have. */
typedef struct vit_text_names {
    const char *layout;
    const char *anchor;    /* how the name of the embeddings ends, which nothing
                            * else is called */
    const char *positions, *final; /* behind what stands before the anchor */
    const char *layer;     /* how a layer's names begin, with its number */
    const char *norm1, *norm2, *out, *fc1, *fc2;
    const char *qkv;       /* of all three with '.' or '_' before "weight", or
                            * NULL: q_proj, k_proj, v_proj */
    size_t tensors;        /* of a layer, and no more */
} vit_text_names;

struct tomevit_text {
    tomevit_text_description d;
    const vit_text_names *names;
    char base[96], outer[96]; /* before the tower's names, and before those of
                               * its projection */
    int end;               /* the number that pooling looks for; -1: none */
    int pad;               /* the number behind a text; -1: none is needed */
    int siglip2;           /* "siglip2" by its configuration */
    enum vit_cleaning clean;
    vit_tokenizer *tokenizer;
    const vit_dsp *dsp;
    vit_arena arena;
    float *embeddings;     /* [vocabulary, dim] */
    float *positions;      /* [context, dim] */
    vit_text_layer *layers;
    vit_text_norm norm;
    vit_matrix projection; /* [embedding, dim] */
    int projected;         /* 0: features are the embedding */
    vit_text_fact facts[VIT_TEXT_FACTS];
    size_t fact_count;
};

/* One more thing that no tensor shows; `from` NULL: it is a guess. */
void tomevit_text_note(struct tomevit_text *t, const char *what,
                       const char *value, const char *from);

/* tower_names.c: finds the tower in a file and its shapes. EMODEL. */
int tomevit_text_shapes(struct tomevit_text *t, const vit_tensors *file,
                        const vit_report *report);

/* The name of a tensor of the tower, `layer` SIZE_MAX for one of none. */
const vit_stored *tomevit_text_find(const struct tomevit_text *t,
                                    const vit_tensors *file, size_t layer,
                                    const char *name, const char *tail);

/* tower_config.c: what the files beside the weights say, or a guess. */
int tomevit_text_configure(struct tomevit_text *t, vit_tensors *file,
                           const vit_report *report);

/* tower_read.c: takes the memory and reads the weights. */
int tomevit_text_read(struct tomevit_text *t, const vit_tensors *file,
                      const vit_report *report);

/* tower_run.c: what one thread needs, and one text's rows through the layers:
 * ids [rows], of which row `at` is pooled to y [embedding], of unit length. */
typedef struct vit_text_scratch {
    float *x, *qkv, *attention, *norm, *hidden; /* [context, stride] */
    float *keys, *values, *scores, *gemm;
    size_t x_stride, qkv_stride, hidden_stride, score_stride;
    vit_arena arena;
} vit_text_scratch;

int tomevit_text_scratch(const struct tomevit_text *t, vit_text_scratch *s);
void tomevit_text_run(const struct tomevit_text *t, vit_text_scratch *s,
                      const int32_t *ids, size_t rows, size_t at, float *y);

#endif
