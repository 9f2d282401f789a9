/* SPDX-License-Identifier: MIT */
/* The tokens that a schedule leaves in each layer. */
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
