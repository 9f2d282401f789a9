/* SPDX-License-Identifier: MIT */
/*
 * tomevit_bytes.h - models of bytes
 *
 * MEGABYTE predicts every byte of a picture from those before it: a global
 * Transformer sees patches, shifted by one, and a local one the bytes of a
 * patch, shifted by one, with what the global one says of them [Yu et al.,
 * 2023, arXiv 2305.07185, equations 1 to 6]. What it says is how many bits each
 * byte is worth; a coder makes archives of that.
 *
 * Errors, messages, types of numbers and what holds within version 1 are as in
 * tomevit.h.
 */
#ifndef TOMEVIT_BYTES_H
#define TOMEVIT_BYTES_H

#include "tomevit.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* The order of a picture's bytes, red, green and blue of a pixel in turn. */
enum tomevit_scan {
    TOMEVIT_SCAN_PATCH = 0,  /* patch by patch, rows within each */
    TOMEVIT_SCAN_RASTER = 1  /* row by row; a patch is the next so many bytes */
};

typedef struct tomevit_bytes_description {
    size_t width, height;  /* of a picture, in pixels */
    size_t length;         /* its bytes: patch * patches */
    size_t patch, patches; /* bytes of a patch; patches of a picture */
    size_t patch_side;     /* in pixels; 0 for TOMEVIT_SCAN_RASTER */
    int scan;              /* enum tomevit_scan */
    size_t global_dim, global_layers, global_heads;
    size_t local_dim, local_layers, local_heads; /* layers count runs */
    uint64_t parameters;
    size_t memory;         /* bytes of the packed weights */
    uint64_t reserved[8];  /* 0 */
} tomevit_bytes_description;

typedef struct tomevit_bytes_options {
    size_t struct_size;    /* sizeof(tomevit_bytes_options) */
    int dtype;             /* enum tomevit_dtype: of the blocks' products */
    int portable;          /* 1: kernels that give the same bits on every
                            * machine, slow; f32 only. 0: the tier in use */
    /* Merging in the global model's past: of every `window` patches in a row,
     * once they are neither those under way nor the ones before, `group` become
     * one for keys and values, in the mean, matched by their keys (alternating,
     * in rounds, as tomerge_match_rounds does it); attention counts sizes
     * [ToMe, 3.2]. A multiple of `group`, which is at least 1. 0 and 0: nothing
     * merges, as in portable models. EINVAL otherwise. */
    size_t window, group;
    uint64_t reserved[4];  /* 0 */
} tomevit_bytes_options;

void tomevit_bytes_options_init(tomevit_bytes_options *options);

typedef struct tomevit_bytes tomevit_bytes;

/*
 * Opens a checkpoint of any container that tomevit_open takes, whose tensors
 * have the names that data/train-density gives them, with whatever before them,
 * and whose metadata has "config", a JSON object: patch, patches, global_heads,
 * local_heads, mlp (relu, gelu, swiglu); and, where they are not the usual,
 * global_mlp, share, scan (patch, raster), width, height, eps.
 *
 * *model is the caller's, to be closed; NULL on failure. `options` NULL: f32.
 * EINVAL, EIO, EFORMAT, EMODEL, ENOMEM, `why` as tomevit_open.
 */
int tomevit_bytes_open(const char *path, const tomevit_bytes_options *options,
                       tomevit_bytes **model, tomevit_message *why);

/* NULL is allowed. No context of the model may be in use. */
void tomevit_bytes_close(tomevit_bytes *model);

/* Valid as long as the model. */
const tomevit_bytes_description *
tomevit_bytes_describe(const tomevit_bytes *model);

/* The tier whose kernels multiply its blocks' weights, or "portable". */
const char *tomevit_bytes_cpu(const tomevit_bytes *model);

/* Multiply-accumulates of all bytes of one picture: products, and of attention
 * the keys and values that a row sees. */
double tomevit_bytes_macs(const tomevit_bytes *model);

/* A picture [height, width, 3] in the model's order [length], and back. EINVAL
 * for NULL. */
int tomevit_bytes_order(const tomevit_bytes *model, const uint8_t *pixels,
                        uint8_t *bytes);
int tomevit_bytes_pixels(const tomevit_bytes *model, const uint8_t *bytes,
                         uint8_t *pixels);

typedef struct tomevit_bytes_context tomevit_bytes_context;

/* Memory for up to `max_batch` pictures on `threads` threads. The model must
 * outlive the context. EINVAL, ENOMEM. */
int tomevit_bytes_context_create(const tomevit_bytes *model, size_t max_batch,
                                 int threads, tomevit_bytes_context **context);
void tomevit_bytes_context_free(tomevit_bytes_context *context);

/* Where results go; NULL members are not wanted. */
typedef struct tomevit_bytes_output {
    float *bits;           /* [batch, length]: -log2 of each byte's probability
                            * given those before it */
    float *logits;         /* [batch, length, 256] */
    float *probabilities;  /* [batch, length, 256]: their softmax */
    /* Called with those of bytes first .. first + rows - 1 of a picture, [rows,
     * 256], which last for the call: for who cannot keep all. From any of the
     * threads, for any order of parts. */
    void (*each)(void *data, size_t picture, size_t first, size_t rows,
                 const float *probabilities);
    void *data;            /* of `each` */
    void *reserved[3];     /* NULL */
} tomevit_bytes_output;

/* All bytes of pictures at once; bytes [batch, length] in the model's order.
 * Allocates nothing. EINVAL. */
int tomevit_bytes_forward(tomevit_bytes_context *context, size_t batch,
                          const uint8_t *bytes,
                          const tomevit_bytes_output *output);

/*
 * Byte by byte: tomevit_bytes_start, then `length` times tomevit_bytes_next,
 * which gives the probabilities of the next byte of each picture [batch, 256].
 * `before` [batch] are the bytes that came last, NULL the first time. The same
 * bits as tomevit_bytes_forward's, whatever the batches and threads of both.
 *
 * The first start takes the memory of caches: ENOMEM. EINVAL: also more bytes
 * than a picture has, and a context whose pictures tomevit_bytes_forward has
 * ended.
 */
int tomevit_bytes_start(tomevit_bytes_context *context, size_t batch);
int tomevit_bytes_next(tomevit_bytes_context *context, const uint8_t *before,
                       float *probabilities);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
