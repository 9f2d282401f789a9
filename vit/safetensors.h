/* SPDX-License-Identifier: MIT */
/*
 * Reader of .safetensors files: 8 bytes little-endian header length, a JSON
 * header that names every tensor, then the data of all tensors without a gap.
 * [github.com/huggingface/safetensors, README, "Format"]
 *
 * A file that opens has been checked whole: every dtype is known, every
 * shape's size is that of its offsets, and the tensors cover the data exactly
 * once. The file is mapped, so memory goes with the header's size alone.
 */
#ifndef TOMEVIT_SAFETENSORS_H
#define TOMEVIT_SAFETENSORS_H

#include "dtype.h"
#include "message.h"

enum {
    VIT_ST_DIMS = 8,                        /* more dimensions are refused */
    VIT_ST_HEADER_BYTES = 100 * 1024 * 1024
};

typedef struct vit_st_tensor {
    const char *name;                       /* UTF-8, without NUL */
    const vit_dtype *dtype;
    size_t dims, shape[VIT_ST_DIMS];
    size_t elements;
    size_t begin, end;                      /* bytes within the data */
} vit_st_tensor;

/* What a header says. Names and strings live in `json`. */
typedef struct vit_st_header {
    struct json_t *json;
    struct json_t *metadata;                /* an object of strings, or NULL */
    vit_st_tensor *tensors;                 /* [count], by name */
    size_t count;
} vit_st_header;

/* Parses and checks `length` bytes of header that stand at byte 8 of a file
 * with `data_bytes` bytes of data. On failure nothing is held. */
int tomevit_st_header_parse(vit_st_header *header, const char *text,
                            size_t length, size_t data_bytes,
                            const vit_report *report);
void tomevit_st_header_free(vit_st_header *header);

typedef struct vit_safetensors vit_safetensors;

/* EIO, EFORMAT or ENOMEM; *file is NULL then. */
int tomevit_safetensors_open(const char *path, vit_safetensors **file,
                             tomevit_message *why);

/* The same from memory, which stays the caller's and must outlive *file;
 * `path` is only a name for messages. */
int tomevit_safetensors_parse(const char *path, const void *bytes,
                              size_t count, vit_safetensors **file,
                              tomevit_message *why);
void tomevit_safetensors_close(vit_safetensors *file);

const char *tomevit_safetensors_path(const vit_safetensors *file);

/* Tensors in the order of their names' bytes. */
size_t tomevit_safetensors_count(const vit_safetensors *file);
const vit_st_tensor *tomevit_safetensors_at(const vit_safetensors *file,
                                            size_t index);

/* NULL if there is none of that name. */
const vit_st_tensor *tomevit_safetensors_find(const vit_safetensors *file,
                                              const char *name);
const char *tomevit_safetensors_metadata(const vit_safetensors *file,
                                         const char *key);

/* Writes all elements as f32; the tensor's dtype must be readable. */
void tomevit_safetensors_read(const vit_safetensors *file,
                              const vit_st_tensor *tensor, float *out);

#endif
