/* SPDX-License-Identifier: MIT */
/* Single tensors of a view: looked up, and checked against what is expected. */
#include "config.h"

#include "checks.h"

#include <stdio.h>
#include <string.h>

#include "../layouts/layout.h"

vit_origin tomevit_origin_of(const vit_tensors *file, const char *name)
{
    vit_origin o = {"", ""};

    tomevit_view_origin(file, name, o.name);
    if (strcmp(o.name, name))
        snprintf(o.timm, sizeof(o.timm), " (timm's \"%.80s\")", name);
    return o;
}

/* Int8 that has no scales, or none that fit. */
int tomevit_refuse_int8(const vit_tensors *file, const char *name,
                       const vit_report *report)
{
    vit_origin from = tomevit_origin_of(file, name);

    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\"%s: expected "
                        "dtype F32, F16, BF16, or I8 with \"%s_scale\", F32 of "
                        "[rows, 1], found I8", from.name, from.timm, from.name);
}

static int check_tensor(const vit_tensors *file, const char *name,
                        const size_t *shape, size_t dims,
                        const vit_report *report)
{
    const vit_stored *t = tomevit_tensors_find(file, name);
    vit_origin from = tomevit_origin_of(file, name);

    if (!t)
        return tomevit_fail(report, TOMEVIT_EMODEL,
                            "tensor \"%s\"%s is missing: expected shape %s",
                            from.name, from.timm,
                            tomevit_shape_text(shape, dims).text);
    if (t->dims != dims || memcmp(t->shape, shape, dims * sizeof(*shape)))
        return tomevit_fail(report, TOMEVIT_EMODEL,
                            "tensor \"%s\"%s: expected shape %s, found %s",
                            from.name, from.timm,
                            tomevit_shape_text(shape, dims).text,
                            tomevit_shape_text(t->shape, t->dims).text);
    if (t->dtype->to_f32)
        return 0;
    if (!strcmp(t->dtype->name, "I8") && dims == 2)
        return tomevit_refuse_int8(file, name, report);
    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\"%s: expected "
                        "dtype F32, F16 or BF16, found %s", from.name,
                        from.timm, t->dtype->name);
}

int tomevit_check_table(const vit_tensors *file,
                       const tomevit_description *d, const vit_report *report)
{
    size_t shape[4], dims, layer;
    char name[64];
    int t, code;

    for (t = 0; t < VIT_TENSORS; t++) {
        for (layer = 0; layer < tomevit_own_layers(d); layer++) {
            if ((t < VIT_FIRST_OF_LAYER && layer > 0) ||
                !tomevit_shape_in(d, layer, (enum vit_tensor)t, shape, &dims))
                break;
            if (t == VIT_POS_EMBED && tomevit_has_axes(file))
                shape[0] = 2, shape[1] = d->image_size / d->patch;
            if (t == VIT_POS_EMBED && tomevit_has_table(file))
                shape[0] = 2, shape[1] = tomevit_tensors_find(
                    file, "pos_embed")->shape[1];
            tomevit_tensor_name(d, (enum vit_tensor)t, layer, name);
            code = check_tensor(file, name, shape, dims, report);
            if (code)
                return code;
        }
    }
    return 0;
}

int tomevit_heads_told(const vit_tensors *file, const char *name, size_t heads,
                       tomevit_description *d, const vit_report *report)
{
    if (heads == 0 || d->dim % heads)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected a "
                            "number of heads that divides %zu, found %zu",
                            tomevit_origin_of(file, name).name, d->dim, heads);
    if (d->heads && d->heads != heads)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "%zu heads, as another tensor has it, found %zu",
                            tomevit_origin_of(file, name).name, d->heads,
                            heads);
    d->heads = heads;
    return 0;
}

/* A tensor whose shape tells a size, not checked any further here. */
int tomevit_need(const vit_tensors *file, const char *name,
                const char *layout, size_t dims, const vit_stored **t,
                const vit_report *report)
{
    vit_origin from;

    *t = tomevit_tensors_find(file, name);
    if (!*t && file->count == 0)
        return tomevit_fail(report, TOMEVIT_EMODEL,
                            "tensor \"%s\" is missing: the file holds no "
                            "tensors", name);
    from = tomevit_origin_of(file, name);
    if (!*t)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\"%s is "
                            "missing: expected a ViT with the names of timm, "
                            "transformers, torchvision, Google or CLIP, found "
                            "\"%.80s\" and %zu more", from.name, from.timm,
                            file->list[0].name, file->count - 1);
    if ((*t)->dims != dims)
        return tomevit_fail(report, TOMEVIT_EMODEL,
                            "tensor \"%s\"%s: expected shape %s, found %s",
                            from.name, from.timm, layout,
                            tomevit_shape_text((*t)->shape, (*t)->dims).text);
    return 0;
}

int tomevit_limit(const char *name, const char *what, size_t value, size_t most,
                 const vit_report *report)
{
    if (value >= 1 && value <= most)
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL,
                        "tensor \"%s\": expected %s from 1 to %zu, found %zu",
                        name, what, most, value);
}

int tomevit_has(const vit_tensors *file, const char *name)
{
    return tomevit_tensors_find(file, name) != NULL;
}

int tomevit_says(const vit_tensors *file, const char *key, const char *value)
{
    const char *text = tomevit_tensors_metadata(file, key);

    return text && !strcmp(text, value);
}

int tomevit_has_table(const vit_tensors *file)
{
    const vit_stored *t = tomevit_tensors_find(file, "pos_embed");

    return t && t->dims == 3 && t->shape[0] == 2 &&
           tomevit_says(file, "position_table", "columns and rows");
}

int tomevit_has_axes(const vit_tensors *file)
{
    const vit_stored *t = tomevit_tensors_find(file, "pos_embed");

    return t && t->dims == 3 && t->shape[0] == 2 && !tomevit_has_table(file);
}
