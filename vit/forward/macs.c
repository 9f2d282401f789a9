/* SPDX-License-Identifier: MIT */
/* Multiply-accumulates of a forward pass, counted as publications do. */
#include "config.h"

#include "context.h"

double tomevit_macs(const tomevit_description *d, const size_t *r)
{
    double dim = (double)d->dim, patch = (double)d->patch;
    double macs = (double)(d->tokens - d->prefix) * 3 * patch * patch * dim;
    size_t tokens = d->tokens, layer;

    for (layer = 0; layer < d->depth; layer++) {
        double before = (double)tokens;

        if (r)
            tomerge_schedule_tokens(TOMERGE_ALTERNATING, 1, tokens, d->prefix, &r[layer], &tokens,
                                    NULL);
        macs += 4 * before * dim * dim + 2 * before * before * dim +
                (double)tokens * dim *
                    (double)(tomevit_fc1_width(d) + d->mlp_dim);
    }
    if (d->pool == TOMEVIT_POOL_ATTENTION)
        macs += (2 * (double)tokens + 1) * dim * dim +
                2 * (double)tokens * dim + 2 * dim * (double)d->mlp_dim;
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
