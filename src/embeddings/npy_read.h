/* SPDX-License-Identifier: MIT */
/* .npy files, as NumPy and embed write them, read whole. */
#ifndef TOMERGE_NPY_READ_H
#define TOMERGE_NPY_READ_H

#include <stddef.h>
#include <stdint.h>

enum { NPY_WHY = 200 };

/* 1 if the file begins as one. */
int npy_is(const char *path);

/* A matrix of f16, f32 or f64 as floats, [rows, columns], to be freed. NULL
 * with a line in why[NPY_WHY]: also of one that holds what is not finite. */
float *npy_read_matrix(const char *path, size_t *rows, size_t *columns,
                       char *why);

/* A vector of whole numbers, to be freed; NULL with a line in why[NPY_WHY]. */
int64_t *npy_read_integers(const char *path, size_t *count, char *why);

#endif
