/* SPDX-License-Identifier: MIT */
/* Any bytes as a checkpoint: described and read whole, or refused in one
 * line. */
#ifndef FUZZ_CHECKPOINT_H
#define FUZZ_CHECKPOINT_H

#include "fuzz_tensors.h"

#include "../../vit/checkpoint/checkpoint.h"

/* A matrix in int8 as it is stored, into memory of exactly its size. */
static inline void fuzz_read_int8(vit_source source,
                                  const tomevit_description *d,
                                  enum vit_tensor t, size_t layer)
{
    size_t shape[4], dims, count = tomevit_tensor_shape(d, t, shape, &dims);
    signed char *values;
    float *scale;

    if (!source.read_int8 || count == 0 || dims < 2)
        return;
    values = malloc(count);
    scale = malloc(shape[0] * sizeof(*scale));
    if (values && scale)
        source.read_int8(source.self, t, layer, values, scale);
    free(values);
    free(scale);
}

static inline void fuzz_read_all(vit_checkpoint *checkpoint,
                                 const tomevit_description *d)
{
    vit_source source = tomevit_checkpoint_source(checkpoint);
    size_t layer;
    int t;

    for (layer = 0; layer < tomevit_own_layers(d); layer++)
        for (t = layer ? VIT_FIRST_OF_LAYER : 0; t < VIT_TENSORS; t++) {
            size_t count = tomevit_shape_in(d, layer, (enum vit_tensor)t,
                                            NULL, NULL);
            float *values = count ? malloc(count * sizeof(*values)) : NULL;

            if (values)
                fuzz_require(!source.read(source.self, (enum vit_tensor)t,
                                          layer, values));
            free(values);
            fuzz_read_int8(source, d, (enum vit_tensor)t, layer);
        }
}

/* The description is one that a forward pass can be sized by. */
static inline void fuzz_description(const tomevit_description *d)
{
    size_t width = d->image_width ? d->image_width : d->image_size;
    size_t patches = d->image_size / d->patch * (width / d->patch);

    fuzz_require(d->dim && d->depth && d->mlp_dim);
    fuzz_require(d->heads && d->dim % d->heads == 0);
    fuzz_require(d->tokens == d->prefix + patches && d->tokens > d->prefix);
    fuzz_require(d->norm_eps > 0 && d->parameters > 0);
    fuzz_require(d->preprocessing.size == d->image_size &&
                 d->preprocessing.width == d->image_width);
    fuzz_require(d->preprocessing.crop_pct > 0 &&
                 d->preprocessing.crop_pct <= 1);
    fuzz_require(d->preprocessing.std[0] > 0 && d->preprocessing.std[1] > 0 &&
                 d->preprocessing.std[2] > 0);
}

static inline void fuzz_checkpoint(const uint8_t *bytes, size_t size)
{
    vit_checkpoint *checkpoint;
    tomevit_description d;
    tomevit_message why;
    char **names = NULL;
    int code = tomevit_checkpoint_parse("fuzz", bytes, size, &checkpoint, &d,
                                        &why);

    if (code) {
        fuzz_require(!checkpoint);
        fuzz_line(&why);
        return;
    }
    fuzz_description(&d);
    fuzz_read_all(checkpoint, &d);
    tomevit_checkpoint_class_names(checkpoint, &names, &why);
    free(names);
    tomevit_checkpoint_close(checkpoint);
}

#endif
