/* SPDX-License-Identifier: MIT */
/* Blocked products with packed weights; see gemm.h. */
#include "config.h"

#include "gemm.h"

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void tomevit_matrix_carve(const vit_dsp *dsp, vit_matrix *m, size_t n,
                          size_t k, vit_arena *arena)
{
    m->n = n;
    m->k = k;
    m->panels = tomevit_carve_f32(arena, divide_up(n, dsp->nr) * dsp->nr * k);
    m->bias = tomevit_carve_f32(arena, n);
}

void tomevit_matrix_pack(const vit_dsp *dsp, vit_matrix *m, const float *w)
{
    for (size_t j = 0; j < m->n; j += dsp->nr)
        dsp->pack(smaller(dsp->nr, m->n - j), m->k, w + j * m->k, m->k,
                  dsp->nr, m->panels + j * m->k);
}

vit_matrix tomevit_matrix_columns(const vit_dsp *dsp, const vit_matrix *m,
                                  size_t *first, size_t count)
{
    size_t end = *first + count, start = *first / dsp->nr * dsp->nr;

    *first = start;
    return (vit_matrix){end - start, m->k, m->panels + start * m->k,
                        m->bias + start};
}

size_t tomevit_gemm_scratch(size_t n, size_t k)
{
    if (k <= VIT_BLOCK_DEPTH)
        return 0;
    return divide_up(n, VIT_MAX_NR) * VIT_MAX_NR * VIT_BLOCK_ROWS;
}

/* One pass over depth p .. p + depth - 1. Unfinished sums lie in the scratch,
 * a block of rows x nr for each panel, so that stores never stride. */
static void pass(const vit_dsp *dsp, const vit_matrix *m, enum vit_finish how,
                 size_t rows, const float *a, size_t lda, float *y, size_t ldy,
                 float *scratch, size_t p, size_t depth)
{
    size_t nr = dsp->nr;
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    int whole = depth == m->k, last = p + depth == m->k;

    for (size_t j = 0; j < m->n; j += nr) {
        const float *panel = m->panels + j * m->k + p * nr;
        const float *next = j + nr < m->n ? panel + m->k * nr
                                          : m->panels + (p + depth) % m->k * nr;

        for (size_t i = 0; i < rows; i += dsp->mr) {
            size_t height = smaller(dsp->mr, rows - i);
            float *c = whole ? tile : scratch + j * rows + i * nr;

            /* Eight tiles bring the whole next panel into L2. */
            dsp->gemm(height, depth, a + i * lda + p, lda, panel, c, nr,
                      p > 0, next + i / dsp->mr % 8 * (depth * nr / 8));
            if (last)
                dsp->finish(how, height, smaller(nr, m->n - j), c, nr,
                            m->bias + j, y + i * ldy + j, ldy);
        }
    }
}

void tomevit_gemm(const vit_dsp *dsp, const vit_matrix *m,
                  enum vit_finish how, size_t rows, const float *a,
                  size_t lda, float *y, size_t ldy, float *scratch)
{
    size_t passes = divide_up(m->k, VIT_BLOCK_DEPTH);
    size_t depth = divide_up(m->k, passes);

    for (size_t p = 0; p < m->k; p += depth)
        pass(dsp, m, how, rows, a, lda, y, ldy, scratch, p,
             smaller(depth, m->k - p));
}
