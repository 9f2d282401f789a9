/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a checkpoint: opened and read whole, or refused in one line.
 * An input that starts with 'H' is a header, up to the first NUL, and its
 * data: the length before it is put in here, so that a change of the header
 * does not always end at a length that no longer fits.
 */
#include "config.h"

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../vit/checkpoint/checkpoint.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static void read_all(vit_checkpoint *checkpoint, const tomevit_description *d)
{
    vit_source source = tomevit_checkpoint_source(checkpoint);
    size_t layer;
    int t;

    for (layer = 0; layer < tomevit_own_layers(d); layer++)
        for (t = layer ? VIT_FIRST_OF_LAYER : 0; t < VIT_TENSORS; t++) {
            size_t count = tomevit_tensor_shape(d, (enum vit_tensor)t, NULL,
                                                NULL);
            float *values = count ? malloc(count * sizeof(*values)) : NULL;

            if (values)
                require(!source.read(source.self, (enum vit_tensor)t, layer,
                                     values));
            free(values);
        }
}

/* The description is one that a forward pass can be sized by. */
static void check_description(const tomevit_description *d)
{
    size_t grid = d->image_size / d->patch;

    require(d->dim && d->depth && d->mlp_dim);
    require(d->heads && d->dim % d->heads == 0);
    require(d->tokens == d->prefix + grid * grid && d->tokens > d->prefix);
    require(d->norm_eps > 0 && d->parameters > 0);
    require(d->preprocessing.size == d->image_size);
    require(d->preprocessing.crop_pct > 0 && d->preprocessing.crop_pct <= 1);
    require(d->preprocessing.std[0] > 0 && d->preprocessing.std[1] > 0 &&
            d->preprocessing.std[2] > 0);
}

static void try_file(const uint8_t *bytes, size_t size)
{
    vit_checkpoint *checkpoint;
    tomevit_description d;
    tomevit_message why;
    char **names = NULL;
    int code = tomevit_checkpoint_parse("fuzz", bytes, size, &checkpoint, &d,
                                        &why);

    if (code) {
        require(!checkpoint);
        require(!strncmp(why.text, "fuzz: ", 6) && !strchr(why.text, '\n'));
        return;
    }
    check_description(&d);
    read_all(checkpoint, &d);
    tomevit_checkpoint_class_names(checkpoint, &names, &why);
    free(names);
    tomevit_checkpoint_close(checkpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end;
    uint8_t *bytes;
    size_t header, rest, i;

    if (size == 0 || data[0] != 'H') {
        try_file(data, size);
        return 0;
    }
    end = memchr(data, 0, size);
    header = (end ? (size_t)(end - data) : size) - 1;
    rest = end ? size - header - 2 : 0;
    bytes = malloc(8 + header + rest);
    if (!bytes)
        return 0;
    for (i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)header >> 8 * i);
    memcpy(bytes + 8, data + 1, header);
    if (rest)
        memcpy(bytes + 8 + header, end + 1, rest);
    try_file(bytes, 8 + header + rest);
    free(bytes);
    return 0;
}
