/* SPDX-License-Identifier: MIT */
/* Multiply-accumulates of a forward pass, counted as publications do. */
#include "config.h"

#include "tomevit.h"

double tomevit_macs(const tomevit_description *d, const size_t *r)
{
    double dim = (double)d->dim, patch = (double)d->patch;
    double macs = (double)(d->tokens - d->prefix) * 3 * patch * patch * dim;
    size_t tokens = d->tokens, layer;

    for (layer = 0; layer < d->depth; layer++) {
        double before = (double)tokens;

        if (r)
            tomerge_schedule_tokens(1, tokens, d->prefix, &r[layer], &tokens,
                                    NULL);
        macs += 4 * before * dim * dim + 2 * before * before * dim +
                2 * (double)tokens * dim * (double)d->mlp_dim;
    }
    return macs + (d->distilled ? 2 : 1) * (double)d->classes * dim;
}
