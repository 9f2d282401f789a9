/* SPDX-License-Identifier: MIT */
/* The tokens that a schedule leaves in each layer, and multiply-accumulates of
 * a forward pass, counted as publications do. */
#include "config.h"

#include "pooling.h"
#include "weights.h"

/* Of every stride the token that ends it is left, and all protected ones. */
static size_t after_strided(size_t tokens, size_t prefix, size_t stride)
{
    size_t left = prefix + tokens / stride - prefix / stride;

    return left < tokens ? left : tokens;
}

size_t tomevit_rows_after(const tomevit_description *d,
                          const tomevit_merging *merging, size_t layer,
                          size_t left)
{
    size_t r = merging && merging->r ? merging->r[layer] : 0;

    if (r > 0 && merging->matching.method == TOMERGE_STRIDED)
        return after_strided(left, d->prefix, merging->matching.stride);
    if (r > 0)
        tomerge_schedule_tokens(merging->matching.method, 1, left, d->prefix,
                                &r, &left, NULL);
    return left;
}

static int schedule(const tomevit_description *d,
                    const tomevit_merging *merging, size_t *tokens)
{
    size_t left = d->tokens;

    for (size_t i = 0; i < d->depth; i++) {
        left = tomevit_rows_after(d, merging, i, left);
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
    size_t bytes;
    int error;

    if (!d || (merging && tomerge_match_workspace(&merging->matching, 1, 1,
                                                  &bytes)))
        return TOMEVIT_EINVAL;
    error = schedule(d, merging, NULL);
    return error ? error : schedule(d, merging, tokens);
}

double tomevit_macs(const tomevit_description *d, const size_t *tokens)
{
    double dim = (double)d->dim, patch = (double)d->patch;
    double macs = (double)(d->tokens - d->prefix) * 3 * patch * patch * dim;
    double before = (double)d->tokens, after = before;

    for (size_t layer = 0; layer < d->depth; layer++, before = after) {
        if (tokens)
            after = (double)tokens[layer];
        macs += 4 * before * dim * dim + 2 * before * before * dim +
                after * dim * (double)(tomevit_fc1_width(d) + d->mlp_dim);
    }
    if (d->pool == TOMEVIT_POOL_ATTENTION)
        macs += (2 * after + 1) * dim * dim + 2 * after * dim +
                2 * dim * (double)d->mlp_dim;
    if (d->projection)
        macs += (double)d->features * (double)d->embedding;
    return macs + (d->distilled ? 2 : 1) * (double)d->classes *
                      (double)(d->zero_shot ? d->embedding : d->features);
}

double tomevit_macs_unread(const tomevit_description *d, size_t entering,
                           size_t leaving)
{
    double dim = (double)d->dim, read = (double)tomevit_pool_reads(d);
    double in = (double)entering - read, out = (double)leaving - read;

    if (read == 0)
        return 0;
    return in * 2 * dim * dim + in * 2 * (double)entering * dim +
           out * dim * (double)(tomevit_fc1_width(d) + d->mlp_dim);
}
