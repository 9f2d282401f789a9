/* SPDX-License-Identifier: MIT */
/* The tokens that a schedule leaves in each layer. */
#include "config.h"

#include "grid.h"
#include "pooling.h"
#include "weights.h"

/* Of every stride the token that ends it is left, and all protected ones. */
static size_t after_strided(size_t tokens, size_t prefix, size_t stride)
{
    size_t left = prefix + tokens / stride - prefix / stride;

    return left < tokens ? left : tokens;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whole tiles hold a destination each; all else may go. */
static size_t tile_sources(const tomevit_description *d, size_t tile,
                           size_t left)
{
    size_t down = tomevit_grid_rows(d) / tile;
    size_t across = tomevit_grid_columns(d) / tile;

    return left - smaller(left, d->prefix + down * across);
}

/* Some go by thresholds, image by image. */
static int counts(const tomerge_options *options)
{
    if (options->method == TOMERGE_UPWARD && options->threshold > 0)
        return options->exact;
    return (tomerge_method_needs(options->method) & TOMERGE_NEEDS_R) != 0;
}

size_t tomevit_share_of_r(const tomevit_description *d,
                          const tomevit_merging *merging, size_t layer,
                          size_t patches)
{
    size_t most = d->preprocessing.max_patches, before = 0, after;
    tomerge_options options = tomevit_options_at(merging, layer);

    if (!merging->r[layer] || patches >= most ||
        options.method == TOMERGE_STRIDED || !counts(&options))
        return merging->r[layer];
    for (size_t i = 0; i < layer; i++)
        before += smaller(merging->r[i], d->tokens);
    after = before + smaller(merging->r[layer], d->tokens);
    return after * patches / most - before * patches / most;
}

size_t tomevit_rows_after(const tomevit_description *d,
                          const tomevit_merging *merging, size_t layer,
                          size_t patches, size_t left)
{
    size_t r = 0;
    tomerge_options options;

    if (merging && merging->r)
        r = tomevit_share_of_r(d, merging, layer, patches);
    if (r == 0)
        return left;
    options = tomevit_options_at(merging, layer);
    if (options.method == TOMERGE_STRIDED)
        return after_strided(left, d->prefix, merging->matching.stride);
    if (options.method == TOMERGE_GIVEN)
        r = smaller(r, tile_sources(d, merging->tile, left));
    if (counts(&options))
        tomerge_schedule_tokens(options.method, 1, left, d->prefix, &r, &left,
                                NULL);
    return left;
}

static int schedule(const tomevit_description *d,
                    const tomevit_merging *merging, size_t *tokens)
{
    size_t left = d->tokens;

    for (size_t i = 0; i < d->depth; i++) {
        left = tomevit_rows_after(d, merging, i, d->tokens - d->prefix, left);
        if (left < tomevit_pool_least(d))
            return TOMEVIT_EINVAL;
        if (tokens)
            tokens[i] = left;
    }
    return 0;
}

int tomevit_schedule_tokens(const tomevit_description *d,
                            const tomevit_merging *merging, size_t *tokens)
{
    int error;

    if (!d || (merging && tomevit_check_matching(d, merging)))
        return TOMEVIT_EINVAL;
    error = schedule(d, merging, NULL);
    return error ? error : schedule(d, merging, tokens);
}
