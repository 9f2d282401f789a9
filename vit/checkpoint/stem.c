/* SPDX-License-Identifier: MIT */
/* Patches that more than one product makes, by the shapes of these. */
#include "config.h"

#include "checks.h"
#include "description.h"

#define FIRST "patch_embed.backbone.0.conv.weight"
#define SECOND "patch_embed.backbone.1.conv.weight"

/* Of convolutions in a row those run here that are as wide as their strides,
 * which no tensor shows: of three, with norms between, [timm, models/
 * vision_transformer_hybrid.py: ConvStem] has no other in use. */
int tomevit_find_stem(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    enum { SQUARES = 16 };
    const vit_stored *first, *second, *last;
    size_t squares;
    int code;

    if (!tomevit_has(file, FIRST))
        return 0;
    if ((code = tomevit_need(file, FIRST, "[width, 3, side, side]", 4, &first,
                             report)) ||
        (code = tomevit_need(file, SECOND, "[width, width, side, side]", 4,
                             &second, report)) ||
        (code = tomevit_need(file, "patch_embed.proj.weight",
                             "[dim, width, side, side]", 4, &last, report)) ||
        (code = tomevit_limit(FIRST, "a width", first->shape[0], VIT_MAX_DIM,
                              report)) ||
        (code = tomevit_limit(SECOND, "a width", second->shape[0], VIT_MAX_DIM,
                              report)) ||
        (code = tomevit_limit(FIRST, "a side", first->shape[2], SQUARES,
                              report)) ||
        (code = tomevit_limit(SECOND, "a side", second->shape[2], SQUARES,
                              report)))
        return code;
    squares = second->shape[2] * last->shape[2];
    if (!tomevit_has(file, "patch_embed.backbone.0.bn.running_var") ||
        !tomevit_has(file, "patch_embed.backbone.1.bn.running_var") ||
        last->shape[2] > SQUARES || squares * squares > SQUARES)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"" FIRST "\": "
                            "expected a stem of three convolutions with norms "
                            "between and at most %d squares of a patch, found "
                            "another", (int)SQUARES);
    d->stem_width[0] = first->shape[0];
    d->stem_width[1] = second->shape[0];
    d->stem_side[0] = first->shape[2];
    d->stem_side[1] = second->shape[2];
    d->stem_side[2] = last->shape[2];
    d->patch = first->shape[2] * squares;
    return 0;
}
