/* SPDX-License-Identifier: MIT */
/* Whether a model has what a method goes by. */
#include "config.h"

#include "methods.h"

#include "../base/message.h"
#include "../network/grid.h"

static int check_tile(const tomevit_description *d, const tomevit_merging *m,
                      tomevit_message *why)
{
    size_t rows = d->patch ? tomevit_grid_rows(d) : 0;
    size_t columns = d->patch ? tomevit_grid_columns(d) : 0;

    if (m->matching.method != TOMERGE_GIVEN ||
        (m->tile <= rows && m->tile <= columns))
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "a tile of %zu is larger than "
                          "the model's %zu x %zu patches", m->tile, rows,
                          columns);
}

/* Attention behind moving averages ranks nothing: Mega's is no share that sums
 * to one, and both see rows that the averages have mixed. */
static int check_ranks(const tomevit_description *d, const tomevit_merging *m,
                       tomevit_message *why)
{
    int method = m->matching.method;
    int ranks = (tomerge_method_needs(method) & TOMERGE_NEEDS_IMPORTANCE) != 0;

    for (size_t i = 0; i < d->depth && m->layers; i++)
        if (m->layers[i].cutoff > 0)
            ranks = 1;
    if ((d->block == TOMEVIT_BLOCK_VIT && !d->differential && !d->talking) ||
        !ranks)
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "expected a method that ranks "
                          "no tokens by attention, as that of a model with %s "
                          "does not say what a token is worth, found %s",
                          d->differential ? "differential attention"
                          : d->talking ? "heads that talk" : "moving averages",
                          tomerge_method_name(method));
}

/* A layer whose halves run side by side, or that is none of attention and MLP,
 * has no other place. */
static int check_place(const tomevit_description *d, const tomevit_merging *m,
                       tomevit_message *why)
{
    if (m->where == TOMEVIT_MERGE_BETWEEN ||
        (d->block == TOMEVIT_BLOCK_VIT && !d->parallel))
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "expected a method that merges "
                          "behind attention, as a model with %s has no other "
                          "place, found %s", d->parallel
                              ? "attention and MLP side by side"
                              : "moving averages",
                          tomerge_method_name(m->matching.method));
}

int tomevit_method_fits(const tomevit_description *description,
                        const tomevit_merging *merging, tomevit_message *why)
{
    int code = check_tile(description, merging, why);

    if (code == 0)
        code = check_ranks(description, merging, why);
    return code != 0 ? code : check_place(description, merging, why);
}
