/* SPDX-License-Identifier: MIT */
/* Writer of .safetensors files: whole, or not at all. */
#ifndef TOMEVIT_SAFETENSORS_WRITE_H
#define TOMEVIT_SAFETENSORS_WRITE_H

#include <jansson.h>

#include "message.h"

enum { VIT_ST_NAME = 64 };

/* What is written: as a list to be walked twice, for the header and then for
 * the data, so that only one tensor has to be in memory. */
typedef struct vit_st_output {
    size_t count;
    /* Name, shape [4] and dims of tensor i. */
    void (*describe)(void *self, size_t i, char name[VIT_ST_NAME],
                     size_t *shape, size_t *dims);
    /* All its elements as f32. 0 or an error that `report` explains. */
    int (*read)(void *self, size_t i, float *out, const vit_report *report);
    void *self;
    const char *dtype;                      /* "F32", "F16" or "BF16" */
    json_t *metadata;                       /* an object of strings */
} vit_st_output;

/* Writes report->path, a new file: with O_EXCL. A value too large for the
 * dtype is EMODEL. EIO, ENOMEM, or what `read` returns; what was written is
 * left for the caller to remove. */
int tomevit_safetensors_write(const vit_st_output *output,
                              const vit_report *report);

#endif
