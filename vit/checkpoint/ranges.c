/* SPDX-License-Identifier: MIT */
/* Ranges that the inputs and outputs of a layer's products are cut off at.
 * [transformers, models/gemma4: Gemma4ClippableLinear] */
#include "config.h"

#include <stdio.h>
#include <string.h>

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

/* Products that see the same rows see them cut off alike, as they are one. */
static int check_layer(const vit_tensors *file, size_t layer,
                       const vit_report *report)
{
    static const char *const inputs[][2] = {
        {FIRST, "attn.k.input_range"}, {FIRST, "attn.v.input_range"},
        {"mlp.gate.input_range", "mlp.up.input_range"},
    };
    static const char *const others[] = {
        "attn.q.output_range", "attn.k.output_range", "attn.v.output_range",
        "attn.proj.input_range", "attn.proj.output_range",
        "mlp.gate.output_range", "mlp.up.output_range", "mlp.fc2.input_range",
        "mlp.fc2.output_range",
    };
    float a[2], b[2];
    int code = 0;

    for (size_t i = 0; !code && i < sizeof(inputs) / sizeof(*inputs); i++) {
        if ((code = read_range(file, layer, inputs[i][0], a, report)) ||
            (code = read_range(file, layer, inputs[i][1], b, report)))
            return code;
        if (a[0] != b[0] || a[1] != b[1])
            return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"blocks.%zu."
                                "%s\": inputs that are cut off at %.9g to "
                                "%.9g here, and elsewhere in the layer at %.9g "
                                "to %.9g, cannot be run here", layer,
                                inputs[i][1], (double)b[0], (double)b[1],
                                (double)a[0], (double)a[1]);
    }
    for (size_t i = 0; !code && i < sizeof(others) / sizeof(*others); i++)
        code = read_range(file, layer, others[i], a, report);
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
