/* SPDX-License-Identifier: MIT */
/* Pooling by the first of several queries, as open_clip's CoCa has it: the
 * others are for its text decoder. [open_clip, transformer.py] */
#include "config.h"

#include "checks.h"
#include "description.h"

int tomevit_find_queries(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    const char *name = "attn_pool.query";
    const vit_stored *t;
    int code = tomevit_need(file, name, "[queries, width]", 2, &t, report);

    if (!code)
        code = tomevit_limit(name, "a number of queries", t->shape[0],
                             VIT_MAX_TOKENS, report);
    if (!code)
        code = tomevit_limit(name, "a width", t->shape[1], VIT_MAX_DIM, report);
    if (code)
        return code;
    if (d->fc_norm || d->distilled)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensors \"%s\" and "
                            "\"%s\": expected one of them, found both", name,
                            d->fc_norm ? "fc_norm.weight" : "dist_token");
    if (!tomevit_has(file, "norm.weight"))
        return tomevit_need(file, "norm.weight", "[dim]", 1, &t, report);
    d->pool = TOMEVIT_POOL_QUERY;
    d->pool_queries = t->shape[0];
    d->features = t->shape[1];
    d->pool_prefix = 1;
    return 0;
}
