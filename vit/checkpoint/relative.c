/* SPDX-License-Identifier: MIT */
/* By what scores are raised, if by how far patches lie apart. */
#include "config.h"

#include "checks.h"
#include "description.h"

#define TABLE "blocks.0.attn.relative_position_bias_table"
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
    d->relative_hidden = t->shape[1];
    return tomevit_heads_told(file, name, t->shape[0], d, report);
}

static int find_table(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    const vit_stored *t;
    int code = tomevit_need(file, TABLE, "[distances, heads]", 2, &t, report);

    return code ? code
                : tomevit_heads_told(file, TABLE, t->shape[1], d, report);
}

int tomevit_find_relative(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    if (tomevit_has(file, TABLE)) {
        d->relative = 1;
        return find_table(file, d, report);
    }
    if (tomevit_has(file, MLP "fc2.weight"))
        d->relative = 2;
    else if (tomevit_has(file, SHARED "fc2.weight"))
        d->relative = 3;
    return d->relative > 1 ? find_mlp(file, d, d->relative == 2
                                          ? MLP "fc2.weight"
                                          : SHARED "fc2.weight", report) : 0;
}
