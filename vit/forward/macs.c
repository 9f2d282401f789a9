/* SPDX-License-Identifier: MIT */
/* Multiply-accumulates of a forward pass, counted as publications do: a layer's
 * by its kind of block. */
#include "config.h"

#include "../network/grid.h"
#include "steps.h"

/* Whatever has merged: a cell is of patches. */
static double cells_macs(const tomevit_description *d)
{
    size_t side = d->cells.side;
    size_t across = (tomevit_grid_columns(d) + side - 1) / side;
    size_t down = (tomevit_grid_rows(d) + side - 1) / side;

    return (double)(across * down) * (double)d->cells.hidden *
           (double)(side * side * d->dim + d->cells.out);
}

/* Queries, keys and their products, of attention that is looked at before
 * tokens merge. */
static double look_macs(const tomevit_description *d, size_t layer,
                        double tokens)
{
    double dim = (double)d->dim, kv = (double)tomevit_kv_width(d, layer);

    return tokens * dim * (dim + kv) + tokens * tokens * dim;
}

/* Layers of the class token, which looks at all tokens and at itself: keys and
 * values; its own query, scores, projection and MLP. */
static double class_layers_macs(const tomevit_description *d, double tokens)
{
    double dim = (double)d->dim;

    return (double)d->class_layers *
           (2 * (tokens + 1) * dim * dim + 2 * dim * dim +
            2 * (tokens + 1) * dim + 2 * dim * (double)d->pool_mlp_dim);
}

/* Of a patch that goes through a stem. */
static double stem_macs(const tomevit_description *d)
{
    double squares = (double)(d->stem_side[0] * d->stem_side[0]);
    double cell = (double)(d->stem_side[1] * d->stem_side[1]);
    double cells = (double)(d->stem_side[2] * d->stem_side[2]);
    double first = (double)d->stem_width[0], second = (double)d->stem_width[1];

    return cells * (cell * 3 * squares * first + cell * first * second +
                    second * (double)d->dim);
}

/* Of a layer by where its tokens merge. */
static double layer_macs(const tomevit_description *d,
                         const tomevit_merging *merging, size_t layer,
                         double before, double after)
{
    const vit_block *block = tomevit_block_of(d);
    int merges = merging && merging->r && merging->r[layer] > 0;

    switch (merges ? merging->where : TOMEVIT_MERGE_BETWEEN) {
    case TOMEVIT_MERGE_AHEAD:
        return block->macs(d, layer, after, after, after) +
               look_macs(d, layer, before) - look_macs(d, layer, after);
    case TOMEVIT_MERGE_BEFORE:
        return block->macs(d, layer, after, after, after) +
               (tomevit_ranks_at(merging, layer)
                    ? look_macs(d, layer, before) : 0);
    case TOMEVIT_MERGE_AFTER:
        return block->macs(d, layer, before, before, before);
    default:
        return block->macs(d, layer, before, before, after);
    }
}

double tomevit_macs(const tomevit_description *d, const size_t *tokens)
{
    return tomevit_macs_merged(d, NULL, tokens);
}

double tomevit_macs_merged(const tomevit_description *d,
                           const tomevit_merging *merging,
                           const size_t *tokens)
{
    double dim = (double)d->dim, patch = (double)d->patch;
    double macs = d->stages[0]
        ? tomevit_stages_macs(d)
        : (double)(d->tokens - d->prefix) *
              (d->stem_side[0] ? stem_macs(d) : 3 * patch * patch * dim);
    double before = (double)d->tokens, after = before;

    for (size_t layer = 0; layer < d->depth; layer++, before = after) {
        if (tokens)
            after = (double)tokens[layer];
        macs += layer_macs(d, merging, layer, before, after);
    }
    if (d->block == TOMEVIT_BLOCK_MEGA) /* its last product */
        macs += after * dim * dim;
    if (d->pool == TOMEVIT_POOL_ATTENTION)
        macs += (2 * after + 1) * dim * dim + 2 * after * dim +
                2 * dim * (double)d->pool_mlp_dim;
    if (d->pool == TOMEVIT_POOL_QUERY)
        macs += (double)d->features * (2 * after * dim + 2 * after +
                                       (double)d->features);
    if (d->pool == TOMEVIT_POOL_CELLS)
        macs += cells_macs(d);
    if (d->pool == TOMEVIT_POOL_CLASS_LAYERS)
        macs += class_layers_macs(d, after);
    if (d->projection)
        macs += (double)d->features * (double)d->embedding;
    return macs + (d->distilled ? 2 : 1) * (double)d->classes *
                      (double)(d->zero_shot ? d->embedding : d->features);
}

double tomevit_macs_unread(const tomevit_description *d, size_t entering,
                           size_t leaving)
{
    const vit_block *block = tomevit_block_of(d);
    double read = (double)tomevit_pool_reads(d);
    double in = (double)entering, out = (double)leaving;

    if (read == 0)
        return 0;
    return block->macs(d, d->depth - 1, in, in, out) -
           block->macs(d, d->depth - 1, in, read, read);
}
