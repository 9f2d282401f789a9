/* SPDX-License-Identifier: MIT */
/*
 * Makes .safetensors files in memory: a whole model from its description,
 * whose tensors a test then changes, drops or adds to.
 */
#ifndef TOMERGE_TESTS_MODEL_FILE_H
#define TOMERGE_TESTS_MODEL_FILE_H

#include <stddef.h>

#include "../vit/network/weights.h"

typedef struct model_tensor {
    char name[200];
    const char *dtype;
    size_t dims, shape[8];
    unsigned char *data;
    size_t bytes;
} model_tensor;

typedef struct model_file {
    model_tensor *tensors;
    size_t count;
    const char *metadata;  /* text of a JSON object, or NULL */
    size_t padding;        /* spaces after the header */
} model_file;

/* The smallest model worth the name: dim 8, 2 layers, 2 heads, MLP 16,
 * patch 2, image 4, 3 classes, class token, qkv bias. */
void model_file_tiny(tomevit_description *d);

/* All tensors of `d` as "F32", "F16" or "BF16", rounded to nearest even. */
void model_file_make(model_file *file, const tomevit_description *d,
                     vit_source source, const char *dtype);

/* The same with values of no meaning, as F32, and the tiny model's heads. */
void model_file_random(model_file *file, const tomevit_description *d);

/* Fails the test if there is none. */
model_tensor *model_file_get(model_file *file, const char *name);
void model_file_remove(model_file *file, const char *name);

/* `bytes` zero bytes of data, whatever dtype and shape say. */
model_tensor *model_file_add(model_file *file, const char *name,
                             const char *dtype, size_t dims,
                             const size_t *shape, size_t bytes);

/* The file, malloc'ed to its exact length. */
unsigned char *model_file_bytes(const model_file *file, size_t *count);
void model_file_free(model_file *file);

/* A file of any header and `data_bytes` zero bytes of data. */
unsigned char *model_file_raw(const char *header, size_t header_bytes,
                              size_t data_bytes, size_t *count);

/* To nearest, ties to even, worked out in double: no code of the library. */
unsigned model_file_f16_bits(float value);
double model_file_round(float value, int mantissa_bits, int least_exponent);

#endif
