/* SPDX-License-Identifier: MIT */
/*
 * Relative positions: what a score is raised by, from a table that every layer
 * learnt, by how far the key's patch is from the query's.
 * [BEiT, arXiv 2106.08254; the order of rows: timm, layers/pos_embed_rel.py]
 *
 * Row (y + rows - 1) (2 columns - 1) + x + columns - 1 of the table is for a
 * query that stands y rows and x columns behind its key; the last three are
 * for a class token that looks at a patch, a patch at it, and it at itself. A
 * merged token goes on at the place of the one it was built on.
 */
#include "config.h"

#include "../network/grid.h"
#include "steps.h"

static const float *raised_bias(const vit_pass *p, const vit_scratch *s,
                                const vit_at *at, size_t query,
                                const float *bias)
{
    const vit_team *c = p->c;
    const tomevit_description *d = &c->model->d;
    size_t first = c->rows.offsets[at->image], heads = d->heads;
    size_t tokens = c->rows.offsets[at->image + 1] - first;
    ptrdiff_t rows = (ptrdiff_t)tomevit_grid_rows(d);
    ptrdiff_t columns = (ptrdiff_t)tomevit_grid_columns(d);
    ptrdiff_t wide = 2 * columns - 1, others = (2 * rows - 1) * wide;
    const float *table = at->layer->relative + at->head;
    const int32_t *place = c->rows.place + first;
    ptrdiff_t from = place[query];

    for (size_t t = 0; t < tokens; t++) {
        ptrdiff_t to = place[t], row;

        if (from >= 0 && to >= 0)
            row = (from / columns - to / columns + rows - 1) * wide +
                  from % columns - to % columns + columns - 1;
        else
            row = others + (from >= 0 ? 1 : to >= 0 ? 0 : 2);
        s->relative[t] = table[(size_t)row * heads] + (bias ? bias[t] : 0.0f);
    }
    return s->relative;
}

const float *tomevit_row_bias(const vit_pass *p, const vit_scratch *s,
                              const vit_at *at, size_t query,
                              const float *bias)
{
    return p->c->model->d.relative ? raised_bias(p, s, at, query, bias) : bias;
}
