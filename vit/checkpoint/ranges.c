/* SPDX-License-Identifier: MIT */
/* Ranges that the inputs and outputs of a layer's products are cut off at.
 * [transformers, models/gemma4: Gemma4ClippableLinear] */
#include "config.h"

#include <stdio.h>

#include "checks.h"
#include "description.h"

#define FIRST "attn.q.input_range"

static int read_range(const vit_tensors *file, size_t layer, const char *name,
                      float range[2], const vit_report *report)
{
    const vit_stored *t;
    char full[64];

    snprintf(full, sizeof(full), "blocks.%zu.%s", layer, name);
    t = tomevit_tensors_find(file, full);
    if (!t || t->dims != 1 || t->shape[0] != 2 || !t->dtype->to_f32)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "the two ends of a range",
                            tomevit_origin_of(file, full).name);
    if (tomevit_tensors_read(file, t, range, report->why))
        return TOMEVIT_EIO;
    if (!(range[0] <= range[1]))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "a range, found %.9g to %.9g",
                            tomevit_origin_of(file, full).name,
                            (double)range[0], (double)range[1]);
    return 0;
}

static int check_layer(const vit_tensors *file, size_t layer,
                       const vit_report *report)
{
    static const char *const products[] = {"attn.q", "attn.k", "attn.v",
                                           "attn.proj", "mlp.gate", "mlp.up",
                                           "mlp.fc2"};
    float range[2];
    char name[64];
    int code = 0;

    for (size_t i = 0; !code && i < 2 * sizeof(products) / sizeof(*products);
         i++) {
        snprintf(name, sizeof(name), "%s.%s_range", products[i / 2],
                 i % 2 ? "output" : "input");
        code = read_range(file, layer, name, range, report);
    }
    return code;
}

int tomevit_find_ranges(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report)
{
    int code = 0;

    d->ranges = tomevit_has(file, "blocks.0." FIRST);
    if ((d->ranges && d->post_norm != 2) ||
        (d->signed_pixels && (d->patch_bias || d->stem_side[0] ||
                              d->stages[0])))
        return tomevit_fail(report, TOMEVIT_EMODEL, "%s other than in Gemma "
                            "4's tower cannot be run here", d->ranges
                                ? "ranges that products are cut off at"
                                : "signed pixels");
    for (size_t i = 0; d->ranges && !code && i < d->depth; i++)
        code = check_layer(file, i, report);
    return code;
}
