/* SPDX-License-Identifier: MIT */
/* Products with weights packed once: y = finish(a w^T + bias). */
#ifndef TOMEVIT_GEMM_H
#define TOMEVIT_GEMM_H

#include "dsp.h"
#include "memory.h"

enum {
    /* Rows of one call: A's block of them stays in an L2 cache while the
     * panels of the weights pass by. */
    VIT_BLOCK_ROWS = 112,
    /* Depth of one pass: a tile's rows of A (14 x 448 floats) stay in L1. */
    VIT_BLOCK_DEPTH = 448
};

/* Weights [n, k] as panels of nr columns: panels[ceil(n / nr)][k][nr], zeros
 * past n. */
typedef struct vit_matrix {
    size_t n, k;
    float *panels;
    float *bias;           /* [n], zeros if the model has none */
} vit_matrix;

/* Takes the matrix's memory from the arena. */
void tomevit_matrix_carve(const vit_dsp *dsp, vit_matrix *m, size_t n,
                          size_t k, vit_arena *arena);

/* Packs row-major weights w[n, k]. */
void tomevit_matrix_pack(const vit_dsp *dsp, vit_matrix *m, const float *w);

/* The part of m that gives columns *first .. *first + count - 1. It begins with
 * a whole panel, and *first becomes the column it begins with. */
vit_matrix tomevit_matrix_columns(const vit_dsp *dsp, const vit_matrix *m,
                                  size_t *first, size_t count);

/* Floats of scratch that tomevit_gemm needs for matrices up to n x k. */
size_t tomevit_gemm_scratch(size_t n, size_t k);

/*
 * y[rows, n] from a[rows, k], rows <= VIT_BLOCK_ROWS. Sums run over k in
 * ascending order whatever the blocking. y may not overlap a.
 */
void tomevit_gemm(const vit_dsp *dsp, const vit_matrix *m,
                  enum vit_finish how, size_t rows, const float *a,
                  size_t lda, float *y, size_t ldy, float *scratch);

#endif
