/* SPDX-License-Identifier: MIT */
/* Writer of .safetensors files: whole, or not at all. */
#ifndef TOMEVIT_SAFETENSORS_WRITE_H
#define TOMEVIT_SAFETENSORS_WRITE_H

#include <jansson.h>

#include "../base/message.h"

enum { VIT_ST_NAME = 80 };

typedef struct vit_st_tensor {
    char name[VIT_ST_NAME];
    const char *dtype;                      /* "F32", "F16", "BF16" or "I8" */
    size_t shape[4], dims;
} vit_st_tensor;

/* What is written: as a list to be walked twice, for the header and then for
 * the data, so that only one tensor has to be in memory. */
typedef struct vit_st_output {
    size_t count;
    vit_st_tensor (*describe)(void *self, size_t i);
    /* All elements of tensor i as f32, whole numbers for I8. 0 or an error
     * that `report` explains. */
    int (*read)(void *self, size_t i, float *out, const vit_report *report);
    void *self;
    json_t *metadata;                       /* an object of strings */
} vit_st_output;

/* Writes report->path, a new file: with O_EXCL. A value too large for the
 * dtype is EMODEL. EIO, ENOMEM, or what `read` returns; what was written is
 * left for the caller to remove. */
int tomevit_safetensors_write(const vit_st_output *output,
                              const vit_report *report);

#endif
