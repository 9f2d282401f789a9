/* SPDX-License-Identifier: MIT */
/* The dtypes of .safetensors files and their conversion to f32. */
#ifndef TOMEVIT_DTYPE_H
#define TOMEVIT_DTYPE_H

#include <stddef.h>

typedef struct vit_dtype {
    char name[12];
    unsigned bits;
    /* Converts `count` elements at any alignment; NULL if not readable. */
    void (*to_f32)(const unsigned char *bytes, size_t count, float *out);
} vit_dtype;

/* I8 that a reader multiplies by a scale for each row. */
extern const vit_dtype tomevit_dtype_int8_rows;

/* NULL for a name that the format does not know. */
const vit_dtype *tomevit_dtype_find(const char *name);

#endif
