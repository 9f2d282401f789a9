/* SPDX-License-Identifier: MIT */
/* What density, compress and expand begin with: a model of bytes, its context,
 * and the outputs of a report. */
#ifndef TOMERGE_BYTE_MODEL_H
#define TOMERGE_BYTE_MODEL_H

#include "../images/image.h"
#include "../session/session.h"
#include "tomevit_bytes.h"

/* How it is to be opened. */
typedef struct byte_model_how {
    int dtype, portable;
    size_t window, group;
} byte_model_how;

typedef struct byte_model {
    session s;                 /* options, threads, json and csv; no model */
    tomevit_bytes *model;
    const tomevit_bytes_description *d;
    tomevit_bytes_context *context;
    byte_model_how how;
    uint64_t digest;           /* of the file's bytes */
} byte_model;

/* 0, or -1 after a message; then byte_model_close is still to be called. */
int byte_model_open(byte_model *m, const options *o, byte_model_how how);
void byte_model_close(byte_model *m);

/* The same model in another way, with memory of its own, to be freed by
 * whoever asked. 0, or -1 after a message. */
int byte_model_again(const byte_model *m, byte_model_how how,
                     tomevit_bytes **model, tomevit_bytes_context **context);

/* A number that any other arithmetic would change: a hash of the probabilities
 * of bytes that are the same everywhere. 0, or -1 after a message. */
int byte_model_arithmetic(byte_model *m, tomevit_bytes_context *context,
                          uint64_t *hash);

/* {file, width, height, patch, ...}, and dtype, cpu, threads, batch. */
json_t *byte_model_json(const byte_model *m);
void byte_model_compute_json(const byte_model *m, json_t *out);

/* Reads a batch of pictures in the model's order of bytes. */
typedef struct byte_pictures {
    uint8_t *bytes;            /* [most, length] */
    char (*why)[200];          /* [most]: why one is refused, or "" */
    uint8_t **file;            /* [most]: their files' bytes, while reading */
    size_t *file_bytes, most;
    int exact;                 /* only pictures of the model's size, and none
                                * that RGB of 8 bits would not hold whole */
    image_options decoding;
} byte_pictures;

void byte_pictures_begin(byte_pictures *p, const byte_model *m, int exact);
/* At most `most` files. Where why[i] is "", bytes are there. */
void byte_pictures_read(byte_pictures *p, const byte_model *m,
                        const folder_file *files, size_t count);
void byte_pictures_end(byte_pictures *p);

#endif
