/* SPDX-License-Identifier: MIT */
/*
 * Pooling of towers of language models: each square of patches, joined, goes
 * through an MLP, and the mean of all is taken. Merging leaves fewer rows than
 * patches; every patch goes in as the row that it is part of, so that a square
 * means the same place of the image at any r.
 * [timm, models/qwen3_vit.py: Qwen3VitPatchMerger; deepseek_vit.py:
 * DeepseekVitAligner]
 */
#include "config.h"

#include "../network/grid.h"
#include "steps.h"

#include <string.h>

/* The patches of a cell to a row of [side, side, dim] or [dim, side, side]. */
static void join(const vit_pass *p, vit_scratch *s, size_t image, size_t cell,
                 float *row)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t side = m->d.cells.side, area = side * side, dim = m->d.dim;
    size_t rows = tomevit_grid_rows(&m->d);
    size_t columns = tomevit_grid_columns(&m->d);
    size_t across = (columns + side - 1) / side;
    const int32_t *trace = c->rows.trace + image * m->d.tokens + m->d.prefix;
    const float *x = c->rows.x + c->rows.offsets[image] * c->x_stride;

    memset(row, 0, area * dim * sizeof(*row));
    for (size_t i = 0; i < area; i++) {
        size_t py = cell / across * side + i / side;
        size_t px = cell % across * side + i % side;
        int32_t at = py < rows && px < columns ? trace[py * columns + px] : -1;

        if (at < 0)
            continue;
        tomevit_final_norm(m, x + (size_t)at * c->x_stride, s->norm);
        if (m->d.cells.norm)
            tomevit_norm(m, &m->cells.norm, dim, s->norm, s->norm);
        for (size_t k = 0; k < dim; k++)
            row[m->d.cells.by_channel ? k * area + i : i * dim + k] =
                s->norm[k];
    }
}

/* Cells first .. first + rows - 1 through the MLP, to s->cells. */
static void project(const vit_pass *p, vit_scratch *s, size_t image,
                    size_t first, size_t rows)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    const vit_cells *cells = &m->cells;
    vit_operand a = tomevit_operand_new(&cells->fc1, s->cells, c->cell_stride,
                                        s->in);
    vit_operand hidden = tomevit_operand_new(&cells->fc2, s->hidden,
                                             c->hidden_stride, s->out);

    for (size_t i = 0; i < rows; i++) {
        join(p, s, image, first + i, tomevit_operand_row(&a, i));
        tomevit_operand_set(&a, i);
    }
    tomevit_gemm_operand(m->dsp, &cells->fc1, VIT_GELU, rows, &a, &hidden,
                         s->gemm);
    tomevit_gemm(m->dsp, &cells->fc2, VIT_STORE, rows, &hidden, s->cells,
                 c->cell_stride, s->gemm);
}

void tomevit_pool_cells(const vit_pass *p, vit_scratch *s, size_t image,
                        float *y)
{
    const vit_team *c = p->c;
    const tomevit_model *m = c->model;
    size_t side = m->d.cells.side, out = m->d.cells.out;
    size_t across = (tomevit_grid_columns(&m->d) + side - 1) / side;
    size_t down = (tomevit_grid_rows(&m->d) + side - 1) / side;
    size_t cells = across * down, rows;

    memset(y, 0, out * sizeof(*y));
    for (size_t first = 0; first < cells; first += rows) {
        rows = cells - first < m->block_rows ? cells - first : m->block_rows;
        project(p, s, image, first, rows);
        for (size_t i = 0; i < rows; i++)
            for (size_t k = 0; k < out; k++)
                y[k] += s->cells[i * c->cell_stride + k];
    }
    for (size_t k = 0; k < out; k++)
        y[k] /= (float)cells;
}
