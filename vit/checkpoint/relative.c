/* SPDX-License-Identifier: MIT */
/* By what scores are raised, if by how far patches lie apart. */
#include "config.h"

#include "checks.h"
#include "description.h"

#define MLP "blocks.0.attn.rel_pos.mlp."
#define SHARED "shared_rel_pos.mlp."

/* [timm, models/vision_transformer_relpos.py; those of Swin V2 end without a
 * bias, and in another way] */
static int find_mlp(const vit_tensors *file, tomevit_description *d,
                    const char *name, const vit_report *report)
{
    const vit_stored *t;
    int code = tomevit_need(file, name, "[heads, hidden]", 2, &t, report);

    if (!code)
        code = tomevit_limit(name, "a width", t->shape[1], VIT_MAX_MLP, report);
    if (code)
        return code;
    if (!t->shape[0] || d->dim % t->shape[0])
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected a "
                            "number of heads that divides %zu, found %zu",
                            name, d->dim, t->shape[0]);
    d->heads = t->shape[0];
    d->relative_hidden = t->shape[1];
    return 0;
}

int tomevit_find_relative(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    if (tomevit_has(file, "blocks.0.attn.relative_position_bias_table"))
        d->relative = 1;
    else if (tomevit_has(file, MLP "fc2.weight"))
        d->relative = 2;
    else if (tomevit_has(file, SHARED "fc2.weight"))
        d->relative = 3;
    return d->relative > 1 ? find_mlp(file, d, d->relative == 2
                                          ? MLP "fc2.weight"
                                          : SHARED "fc2.weight", report) : 0;
}
