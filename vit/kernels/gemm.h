/* SPDX-License-Identifier: MIT */
/* Products with weights packed once: y = finish(a w^T + bias), in f32 or in a
 * narrow type. */
#ifndef TOMEVIT_GEMM_H
#define TOMEVIT_GEMM_H

#include "dsp.h"
#include "low.h"
#include "../base/memory.h"

enum {
    /* Rows of one call in f32: A's block of them stays in an L2 cache while
     * the panels of the weights pass by. */
    VIT_BLOCK_ROWS = 112,
    /* Depth of one pass: a tile's rows of A (14 x 448 floats) stay in L1. */
    VIT_BLOCK_DEPTH = 448
};

/* Weights [n, k] as panels of nr columns: panels[ceil(n / nr)][k][nr], zeros
 * past n; or in a narrow type, as low.h has them. */
typedef struct vit_matrix {
    size_t n, k;
    const vit_low *low;    /* NULL: f32 */
    float *panels;         /* f32 */
    uint32_t *words;       /* narrow */
    float *scale, *sum;    /* int8: [n], zeros to a whole panel */
    float *bias;           /* [n], zeros if the model has none */
} vit_matrix;

/* Takes the matrix's memory from the arena. `low` NULL means f32. */
void tomevit_matrix_carve(const vit_dsp *dsp, const vit_low *low,
                          vit_matrix *m, size_t n, size_t k, vit_arena *arena);

/* Packs row-major weights w[n, k]. */
void tomevit_matrix_pack(const vit_dsp *dsp, vit_matrix *m, const float *w);

/* Packs rows in int8, whose scales are in place: m->scale. m is int8. */
void tomevit_matrix_pack_int8(vit_matrix *m, const signed char *w);

/* The part of m that gives columns *first .. *first + count - 1. It begins with
 * a whole panel, and *first becomes the column it begins with. */
vit_matrix tomevit_matrix_columns(const vit_dsp *dsp, const vit_matrix *m,
                                  size_t *first, size_t count);

/* Floats of scratch that tomevit_gemm needs for matrices up to n x k and as
 * many rows. */
size_t tomevit_gemm_scratch(size_t rows, size_t n, size_t k);

/* Where rows are narrowed to, and how many of them there is memory for: beside
 * an f32 operand, whose rows need no other place, the number alone counts. */
typedef struct vit_operand_buffer {
    unsigned char *data;
    vit_quant *quants;
    size_t rows;
} vit_operand_buffer;

/* Bytes of data for rows of k elements; 0 for f32, which needs none. */
size_t tomevit_operand_bytes(const vit_low *low, size_t rows, size_t k);

/* The left side of a product with one matrix: f32 rows as they lie, or rows
 * narrowed to what the matrix's kernels take. */
typedef struct vit_operand {
    const vit_low *low;
    size_t k;
    float *rows;           /* f32: [rows, stride]; narrow: written through */
    size_t stride;
    vit_operand_buffer buffer;
} vit_operand;

/* An operand whose rows will be written one by one: tomevit_operand_row says
 * where row i goes as f32[k], tomevit_operand_set takes it from there. Only
 * the f32 operand needs all of rows[.., stride], the others one of them. */
vit_operand tomevit_operand_new(const vit_matrix *m, float *rows,
                                size_t stride, vit_operand_buffer buffer);
float *tomevit_operand_row(const vit_operand *a, size_t i);
void tomevit_operand_set(const vit_operand *a, size_t i);

/* An operand of rows that are there: x[rows, ldx]. */
vit_operand tomevit_operand(const vit_matrix *m, size_t rows, float *x,
                            size_t ldx, vit_operand_buffer buffer);

/*
 * y[rows, n] from a[rows, k], rows <= VIT_BLOCK_ROWS or the block_rows of the
 * matrix's kernels, and no more than the operand's buffer holds. Sums run over
 * k in ascending order whatever the blocking. y may not overlap a.
 */
void tomevit_gemm(const vit_dsp *dsp, const vit_matrix *m,
                  enum vit_finish how, size_t rows, const vit_operand *a,
                  float *y, size_t ldy, float *scratch);

/* The same with the operand of another product as the result, made by
 * tomevit_operand_new on rows [rows, stride]. */
void tomevit_gemm_operand(const vit_dsp *dsp, const vit_matrix *m,
                          enum vit_finish how, size_t rows,
                          const vit_operand *a, const vit_operand *y,
                          float *scratch);

#endif
