/* SPDX-License-Identifier: MIT */
/* Blocked products with packed weights; see gemm.h. */
#include "config.h"

#include "gemm.h"
#include "tomevit.h"

#include <assert.h>

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t tomevit_gemm_scratch(size_t rows, size_t n, size_t k)
{
    if (k <= VIT_BLOCK_DEPTH)
        return 0;
    return divide_up(n, VIT_MAX_NR) * VIT_MAX_NR * rows;
}

/* ---- weights ------------------------------------------------------------- */

static void carve_words(vit_matrix *m, vit_arena *arena)
{
    size_t panels = divide_up(m->n, m->low->nr);
    size_t words = vit_low_panel(m->low, vit_low_words(m->low, m->k));

    m->words = tomevit_carve(arena, panels, words * sizeof(*m->words));
    if (m->low->dtype == TOMEVIT_INT8) {
        size_t padded = divide_up(m->n, VIT_MAX_NR) * VIT_MAX_NR;

        m->scale = tomevit_carve_f32(arena, padded);
        m->sum = tomevit_carve_f32(arena, padded);
    }
}

void tomevit_matrix_carve(const vit_dsp *dsp, const vit_low *low,
                          vit_matrix *m, size_t n, size_t k, vit_arena *arena)
{
    *m = (vit_matrix){.n = n, .k = k, .low = low};
    if (low)
        carve_words(m, arena);
    else
        m->panels = tomevit_carve_f32(arena,
                                      divide_up(n, dsp->nr) * dsp->nr * k);
    m->bias = tomevit_carve_f32(arena, n);
}

void tomevit_matrix_pack(const vit_dsp *dsp, vit_matrix *m, const float *w)
{
    if (m->low) {
        tomevit_low_pack(m->low, m->n, m->k, w, m->words, m->scale,
                         m->sum);
        return;
    }
    for (size_t j = 0; j < m->n; j += dsp->nr)
        dsp->pack(smaller(dsp->nr, m->n - j), m->k, w + j * m->k, m->k,
                  dsp->nr, m->panels + j * m->k);
}

void tomevit_matrix_pack_int8(vit_matrix *m, const signed char *w)
{
    tomevit_low_pack_int8(m->low, m->n, m->k, w, m->words, m->scale, m->sum);
}

vit_matrix tomevit_matrix_columns(const vit_dsp *dsp, const vit_matrix *m,
                                  size_t *first, size_t count)
{
    size_t end = *first + count, unit = m->low ? VIT_MAX_NR : dsp->nr;
    size_t start = *first / unit * unit;
    vit_matrix part = *m;

    *first = start;
    part.n = end - start;
    part.bias += start;
    if (!m->low)
        part.panels += start * m->k;
    else
        part.words += start / m->low->nr *
                      vit_low_panel(m->low, vit_low_words(m->low, m->k));
    if (m->scale) {
        part.scale += start;
        part.sum += start;
    }
    return part;
}

/* ---- left sides ---------------------------------------------------------- */

size_t tomevit_operand_bytes(const vit_low *low, size_t rows, size_t k)
{
    return low ? vit_low_bytes(low, rows, k) : 0;
}

vit_operand tomevit_operand_new(const vit_matrix *m, float *rows,
                                size_t stride, vit_operand_buffer buffer)
{
    return (vit_operand){m->low, m->k, rows, stride, buffer};
}

float *tomevit_operand_row(const vit_operand *a, size_t i)
{
    assert(i < a->buffer.rows);
    return a->low ? a->rows : a->rows + i * a->stride;
}

static void narrow(const vit_operand *a, size_t i, const float *x)
{
    size_t chunks = vit_low_chunks(a->low, a->k);

    assert(i < a->buffer.rows);
    a->buffer.quants[i] = a->low->narrow(
        a->k, x, a->buffer.data + vit_low_place(a->low, chunks, i, 0),
        a->low->interleaved * VIT_CHUNK);
}

void tomevit_operand_set(const vit_operand *a, size_t i)
{
    if (a->low)
        narrow(a, i, a->rows);
}

vit_operand tomevit_operand(const vit_matrix *m, size_t rows, float *x,
                            size_t ldx, vit_operand_buffer buffer)
{
    vit_operand a = tomevit_operand_new(m, x, ldx, buffer);

    for (size_t i = 0; a.low && i < rows; i++)
        narrow(&a, i, x + i * ldx);
    return a;
}

/* ---- products ------------------------------------------------------------ */

/* One pass over depth p .. p + depth - 1. Unfinished sums lie in the scratch,
 * a block of rows x nr for each panel, so that stores never stride. */
static void pass(const vit_dsp *dsp, const vit_matrix *m, enum vit_finish how,
                 size_t rows, const float *a, size_t lda, float *y, size_t ldy,
                 float *scratch, size_t p, size_t depth)
{
    size_t nr = dsp->nr;
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    int whole = depth == m->k, last = p + depth == m->k;
    vit_ahead ahead = {.stride = last ? ldy : nr};

    for (size_t j = 0; j < m->n; j += nr) {
        const float *panel = m->panels + j * m->k + p * nr;
        const float *next = j + nr < m->n ? panel + m->k * nr
                                          : m->panels + (p + depth) % m->k * nr;

        for (size_t i = 0, height; i < rows; i += height) {
            float *c = whole ? tile : scratch + j * rows + i * nr;

            height = vit_tile_rows(rows - i, dsp->mr);
            /* Four tiles bring the whole next panel into L2, and each into
             * L1 its place in y or the next one's sums. */
            ahead.panel = next + i / dsp->mr % 4 * (depth * nr / 4);
            ahead.rows = last ? y + i * ldy + j : c + height * nr;
            dsp->gemm(height, depth, a + i * lda + p, lda, panel, c, nr,
                      p > 0, ahead);
            if (last)
                dsp->finish(how, height, smaller(nr, m->n - j), c, nr,
                            m->bias + j, y + i * ldy + j, ldy);
        }
    }
}

static void gemm_f32(const vit_dsp *dsp, const vit_matrix *m,
                     enum vit_finish how, size_t rows, const float *a,
                     size_t lda, float *y, size_t ldy, float *scratch)
{
    size_t passes = divide_up(m->k, VIT_BLOCK_DEPTH);
    size_t depth = divide_up(m->k, passes);

    for (size_t p = 0; p < m->k; p += depth)
        pass(dsp, m, how, rows, a, lda, y, ldy, scratch, p,
             smaller(depth, m->k - p));
}

/* Of one call. */
static size_t most_rows(const vit_matrix *m)
{
    return m->low ? m->low->block_rows : VIT_BLOCK_ROWS;
}

static vit_low_product product_of(const vit_dsp *dsp, const vit_matrix *m,
                                  enum vit_finish how, size_t rows,
                                  const vit_operand *a, float *scratch)
{
    return (vit_low_product){
        .rows = rows, .n = m->n, .words = vit_low_words(m->low, m->k),
        .a = a->buffer.data, .quants = a->buffer.quants,
        .panels = m->words, .column_scale = m->scale, .column_sum = m->sum,
        .dsp = dsp, .how = how, .bias = m->bias, .scratch = scratch,
    };
}

void tomevit_gemm(const vit_dsp *dsp, const vit_matrix *m,
                  enum vit_finish how, size_t rows, const vit_operand *a,
                  float *y, size_t ldy, float *scratch)
{
    vit_low_product p;

    assert(rows <= most_rows(m) && rows <= a->buffer.rows);
    if (!m->low) {
        gemm_f32(dsp, m, how, rows, a->rows, a->stride, y, ldy, scratch);
        return;
    }
    p = product_of(dsp, m, how, rows, a, scratch);
    p.y = y;
    p.ldy = ldy;
    m->low->product(m->low, &p);
}

void tomevit_gemm_operand(const vit_dsp *dsp, const vit_matrix *m,
                          enum vit_finish how, size_t rows,
                          const vit_operand *a, const vit_operand *y,
                          float *scratch)
{
    vit_low_product p;

    assert(rows <= most_rows(m) && rows <= a->buffer.rows &&
           rows <= y->buffer.rows);
    /* The scale of an int8 row is known when the row is whole. */
    if (!m->low || y->low->dtype == TOMEVIT_INT8) {
        tomevit_gemm(dsp, m, how, rows, a, y->rows, y->stride, scratch);
        for (size_t i = 0; y->low && i < rows; i++)
            narrow(y, i, y->rows + i * y->stride);
        return;
    }
    p = product_of(dsp, m, how, rows, a, scratch);
    p.narrow = y->buffer.data;
    m->low->product(m->low, &p);
}
