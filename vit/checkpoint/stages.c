/* SPDX-License-Identifier: MIT */
/* Stages of convolutions before the layers, by the shapes of their tensors.
 * [arXiv 2404.02132; timm, models/vitamin.py] */
#include "config.h"

#include "checks.h"
#include "description.h"
#include "../network/weights.h"

#define STEM "patch_embed.backbone.stem.conv1.weight"
#define STAGE(i) "patch_embed.backbone.stages." #i ".0.conv3_1x1.weight"

/* One width of a map, which a tensor has as its rows. */
static int find_width(const vit_tensors *file, const char *name,
                      const char *shape, size_t *width,
                      const vit_report *report)
{
    const vit_stored *t;
    int code = tomevit_need(file, name, shape, 4, &t, report);

    if (code)
        return code;
    if (t->shape[0] < 2)                /* one channel shows no taps */
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "2 channels at least, found %zu", name,
                            t->shape[0]);
    *width = t->shape[0];
    return tomevit_limit(name, "a width", *width, VIT_MAX_DIM, report);
}

int tomevit_find_stages(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report)
{
    enum { HALVED = 16 };               /* by the stem, both stages, the last */
    int code;

    if (!tomevit_has(file, STEM))
        return 0;
    if ((code = find_width(file, STEM, "[width, 3, 3, 3]", &d->stages[0],
                           report)) ||
        (code = find_width(file, STAGE(0), "[width, 4 width, 1, 1]",
                           &d->stages[1], report)) ||
        (code = find_width(file, STAGE(1), "[width, 4 width, 1, 1]",
                           &d->stages[2], report)))
        return code;
    d->patch = HALVED;
    return 0;
}

int tomevit_check_stages(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    if (!d->stages[0])
        return 0;
    if (!d->mlp_norm || d->activation != TOMEVIT_SWIGLU || d->class_token ||
        d->distilled || tomevit_has(file, "reg_token") || d->norm_pre ||
        d->patch_norm || d->attn_norm || d->post_norm || d->parallel ||
        d->rms_norm || d->block != TOMEVIT_BLOCK_VIT)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"" STEM "\": "
                            "stages of convolutions before other layers than "
                            "ViTamin's cannot be run here");
    /* Its gate is GELU, and its MLP begins with a norm of its own. */
    d->activation = TOMEVIT_GEGLU;
    d->mlp_norm = 2;
    return 0;
}
