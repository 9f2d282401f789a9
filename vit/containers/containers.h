/* SPDX-License-Identifier: MIT */
/* The kinds of files that hold tensors: a row of one table each. */
#ifndef TOMEVIT_CONTAINERS_H
#define TOMEVIT_CONTAINERS_H

#include "tensors.h"

typedef struct vit_container {
    const char *name;
    /* 1 if the first bytes are this container's; at least one is there. */
    int (*detect)(const unsigned char *bytes, size_t count);
    /* Fills a new list from its mapping: all but path, container, mapping.
     * On failure what was filled is closed by the caller. EFORMAT, ENOMEM. */
    int (*read)(vit_tensors *tensors, const vit_report *report);
} vit_container;

/* What a file is that is no checkpoint, told by its first bytes; NULL if that
 * is not known. */
const char *tomevit_foreign(const unsigned char *bytes, size_t count);

int tomevit_zip_detect(const unsigned char *bytes, size_t count);
int tomevit_zip_read(vit_tensors *tensors, const vit_report *report);

int tomevit_torch_stream_detect(const unsigned char *bytes, size_t count);
int tomevit_torch_stream_read(vit_tensors *tensors, const vit_report *report);

int tomevit_gguf_detect(const unsigned char *bytes, size_t count);
int tomevit_gguf_read(vit_tensors *tensors, const vit_report *report);

/* EFORMAT if the path is that of one shard of several: alone it would be a
 * model with fewer layers. */
int tomevit_shards_refuse_one(const vit_report *report);
int tomevit_shards_detect(const unsigned char *bytes, size_t count);
int tomevit_shards_read(vit_tensors *tensors, const vit_report *report);

int tomevit_npy_detect(const unsigned char *bytes, size_t count);
int tomevit_npy_file_read(vit_tensors *tensors, const vit_report *report);

int tomevit_safetensors_detect(const unsigned char *bytes, size_t count);
int tomevit_safetensors_read(vit_tensors *tensors, const vit_report *report);

#endif
