/* SPDX-License-Identifier: MIT */
/* How a model is to be opened: defaults, names, checks. */
#include "config.h"

#include "../base/reserved.h"
#include "options.h"

#include <stdint.h>
#include <string.h>

static const char names[][5] = {
    [TOMEVIT_F32] = "f32",
    [TOMEVIT_BF16] = "bf16",
    [TOMEVIT_INT8] = "int8",
};

enum { DTYPES = sizeof(names) / sizeof(names[0]) };

const char *tomevit_dtype_name(int dtype)
{
    return dtype >= 0 && dtype < DTYPES ? names[dtype] : NULL;
}

int tomevit_dtype_from_name(const char *name, int *dtype)
{
    for (int i = 0; name && dtype && i < DTYPES; i++) {
        if (!strcmp(name, names[i])) {
            *dtype = i;
            return 0;
        }
    }
    return TOMEVIT_EINVAL;
}

void tomevit_open_options_init(tomevit_open_options *options)
{
    if (!options)
        return;
    memset(options, 0, sizeof(*options));
    options->struct_size = sizeof(*options);
    options->dtype = TOMEVIT_F32;
}

/* Rows from memory, or a file, or neither. */
static int texts_valid(const tomevit_open_options *o)
{
    if (!o->text_rows)
        return o->text_count == 0 && o->text_width == 0;
    return !o->text_embeddings && o->text_count > 0 && o->text_width > 0 &&
           o->text_count <= SIZE_MAX / sizeof(float) / o->text_width;
}

int tomevit_open_options_valid(const tomevit_open_options *options)
{
    return !options || (options->struct_size == sizeof(*options) &&
                        tomevit_dtype_name(options->dtype) &&
                        (unsigned)options->strict <= 1 &&
                        options->projection <= 1 && texts_valid(options) &&
                        (options->image_size || !options->image_width) &&
                        !(options->image_size && options->max_patches) &&
                        VIT_UNUSED(options->reserved));
}
