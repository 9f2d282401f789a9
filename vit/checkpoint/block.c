/* SPDX-License-Identifier: MIT */
/* Of what kind a model's layers are, beyond the widths of their products. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "description.h"

static int says(const vit_tensors *file, const char *key, const char *value)
{
    const char *text = tomevit_tensors_metadata(file, key);

    return text && !strcmp(text, value);
}

/* Of the block what metadata say and no tensor shows. */
void tomevit_find_block(const vit_tensors *file, tomevit_description *d)
{
    d->rms_norm = says(file, "norm", "rms");
    d->unbiased = d->rms_norm && !tomevit_has(file, "blocks.0.attn.proj.bias");
    d->in_order = says(file, "order", "places");
}

/* Fewer heads of keys and values than of queries show in the rows of the
 * matrix of all three; the queries' number has to be known. */
int tomevit_find_kv_heads(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    const char *name = "blocks.0.attn.qkv.weight";
    const vit_stored *t = tomevit_tensors_find(file, name);
    size_t head, rows = t && t->dims == 2 ? t->shape[0] : 3 * d->dim;
    int code;

    if (rows == 3 * d->dim)
        return 0;
    code = tomevit_metadata_heads(file, d, report);
    if (code)
        return code;
    head = d->dim / d->heads;
    if (rows > 3 * d->dim || rows < d->dim + 2 * head ||
        (rows - d->dim) % (2 * head) ||
        d->heads % ((rows - d->dim) / (2 * head)))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "[dim + 2 heads of keys, dim] with dim %zu, %zu "
                            "heads of queries and a divisor of that, found %s",
                            tomevit_origin_of(file, name).name, d->dim,
                            d->heads,
                            tomevit_shape_text(t->shape, t->dims).text);
    d->kv_heads = (rows - d->dim) / (2 * head);
    return 0;
}

/* How often each layer's weights run. */
int tomevit_find_share(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report)
{
    const char *text = tomevit_tensors_metadata(file, "share");
    char *end;
    unsigned long share = text ? strtoul(text, &end, 10) : 1;

    if (text && (*end || end == text || share < 1 || share > VIT_MAX_DEPTH ||
                 d->depth * share > VIT_MAX_DEPTH))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"share\": "
                            "expected how often each layer runs, at most %d "
                            "in all, found \"%.40s\"", (int)VIT_MAX_DEPTH,
                            text);
    d->share = share;
    d->depth *= share;
    return 0;
}
