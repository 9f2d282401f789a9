/* SPDX-License-Identifier: MIT */
/* The rows nearest to one, by the cosine. */
#ifndef TOMERGE_NEAREST_H
#define TOMERGE_NEAREST_H

#include <stddef.h>

/* Rows to be compared with: row i is x[i * stride .. + width). */
typedef struct nearest_rows {
    const float *x;
    size_t count, stride, width;
    double *length;        /* [count], owned */
} nearest_rows;

void nearest_begin(nearest_rows *r, const float *x, size_t count,
                   size_t stride, size_t width);
void nearest_end(nearest_rows *r);

/* a . b and sqrt(a . a), summed in double precision in one order. */
double nearest_product(const float *a, const float *b, size_t n);
double nearest_length(const float *a, size_t n);

/* a . b / |a||b|, from -1 to 1, and 1 for the same numbers; 0 if either is
 * zero. */
double nearest_cosine(const float *a, const float *b, size_t n);

/* The `count` rows nearest to x, but for row `without`, into index[] and
 * cosine[], the nearest first; of those equally near the one that comes first.
 * Their number, which is less where there are no more. */
size_t nearest_find(const nearest_rows *r, const float *x, size_t without,
                    size_t count, size_t *index, double *cosine);

#endif
