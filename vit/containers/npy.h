/* SPDX-License-Identifier: MIT */
/* The header of a .npy array. [numpy/lib/format.py, versions 1.0 to 3.0] */
#ifndef TOMEVIT_NPY_H
#define TOMEVIT_NPY_H

#include "tensors.h"

enum { VIT_NPY_BYTES = 4096 };              /* longer headers are refused */

typedef struct vit_npy {
    const vit_dtype *dtype;                 /* NULL: none that is known */
    size_t dims, shape[VIT_DIMS], elements;
    int swapped;                            /* numbers are big-endian */
    int fortran;                            /* the first index is the fastest */
    size_t bytes;                           /* of the header */
} vit_npy;

/* Reads the header at the start of `bytes`, of which VIT_NPY_BYTES suffice.
 * `name` is what messages call the array. EFORMAT. */
int tomevit_npy_read(vit_npy *npy, const char *name,
                     const unsigned char *bytes, size_t count,
                     const vit_report *report);

#endif
