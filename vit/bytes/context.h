/* SPDX-License-Identifier: MIT */
/*
 * The memory of a pass through a model of bytes.
 *
 * There is one way through a Transformer: rows are added to a sequence of which
 * the keys and values of earlier rows are in a cache. A picture whole is all
 * rows at once, a picture byte by byte is one after another; what row i becomes
 * is the same arithmetic in the same order, so it is the same bits.
 */
#ifndef TOMEVIT_BYTES_CONTEXT_H
#define TOMEVIT_BYTES_CONTEXT_H

#include "model.h"

/* What one thread works with, for either part. */
typedef struct vit_bytes_scratch {
    float *x;              /* [rows, x_stride]: the residual stream */
    float *qkv;            /* [rows, qkv_stride] */
    float *attention;      /* [rows, x_stride] */
    float *norm;           /* [block rows, x_stride] */
    float *hidden;         /* [block rows, hidden_stride] */
    float *scores;         /* [VIT_MAX_MR, score_stride] */
    float *logits;         /* [block rows, 256] */
    float *cache;          /* of the sequences of a whole pass, one block's */
    float *gemm;
    struct vit_bytes_merge *merge; /* for windows of the past that merge */
    vit_operand_buffer in, out; /* [block rows], of dim and of hidden */
} vit_bytes_scratch;

/* Rows that are added to sequences, all of which have as many. */
typedef struct vit_bytes_rows {
    const struct tomevit_bytes *m;
    const vit_bytes_part *p;
    vit_bytes_scratch *s;
    size_t x_stride, qkv_stride, hidden_stride, score_stride;
    const vit_bytes_scratch *team; /* [threads]: of all who share one
                            * sequence's rows; not looked at by one thread */
    int threads;           /* 0 or 1: one, which another team's may be */
    size_t sequences, count; /* rows in all: sequences * count, each one's
                              * after those of the sequence before */
    size_t from;           /* rows that a sequence has already */
    float *cache;          /* keys and values of sequence 0 in run 0 */
    size_t next_sequence, next_run; /* floats from each to the next; the
                            * latter 0: nothing is kept for later */
} vit_bytes_rows;

/* What a window merges with: rows of all heads, one after another. */
typedef struct vit_bytes_merge {
    float *keys, *values;  /* [window, kv width] */
    float *less_keys, *less_values; /* [rows left, kv width] */
    float *metric;         /* [window, head_dim] */
    float *size;           /* [rows left] */
    int32_t *map;          /* [window] */
    void *workspace;
    size_t bytes;          /* of it */
} vit_bytes_merge;

struct tomevit_bytes_context {
    const tomevit_bytes *m;
    int threads;
    size_t max_batch, bytes;
    size_t together;       /* patches that a thread takes at a time */
    size_t x_stride, qkv_stride, hidden_stride, score_stride;
    size_t step_rows;      /* pictures that a thread steps at a time */
    vit_arena arena;
    vit_bytes_scratch *scratch; /* [threads] */
    float *global;         /* [max_batch, length, global width of a byte], or
                            * while stepping [max_batch, global_dim] */
    float *kept;           /* caches for stepping, of both parts */
    size_t kept_global, kept_local; /* floats of one picture */
    uint8_t *past;         /* [max_batch, patch]: bytes of the patch so far */
    size_t batch, at;      /* pictures that are stepped, bytes so far; batch 0:
                            * none are */
};

/* Which of its team the calling thread is. */
int tomevit_bytes_thread(void);

/* Floats of the keys and values of one sequence in one run of a block. */
size_t tomevit_bytes_cache(const vit_bytes_part *p);

/* past.c: where the keys and values of a head lie in the cache of a sequence.
 * Those of window w are in place w % 2 until they merge. */
typedef struct vit_bytes_past {
    float *keys[2], *values[2]; /* panels [head_dim, nr], [window, nr] */
    float *merged_keys, *merged_values; /* the same of all that merged */
} vit_bytes_past;
vit_bytes_past tomevit_bytes_past(const vit_bytes_part *p, float *cache,
                                  size_t head);
/* ln(size) of the merged rows, then zeros for those of two windows. */
float *tomevit_bytes_bias(const vit_bytes_part *p, float *cache);

/* Puts row `at` of keys or values into panels. */
void tomevit_bytes_put_key(const vit_dsp *dsp, size_t dim, const float *k,
                           size_t at, float *panels);
void tomevit_bytes_put_value(const vit_dsp *dsp, size_t dim, size_t length,
                             const float *v, size_t at, float *panels);

/* Merges window w of a sequence into its past. */
void tomevit_bytes_merge_window(const vit_bytes_rows *r, float *cache,
                                size_t w);
/* Takes the memory for that. */
void tomevit_bytes_carve_merge(const vit_bytes_part *p, vit_bytes_merge *m,
                               vit_arena *arena);

/* Takes x through all blocks and the last norm, in place. */
void tomevit_bytes_run(const vit_bytes_rows *r);

#endif
