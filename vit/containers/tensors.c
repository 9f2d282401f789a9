/* SPDX-License-Identifier: MIT */
/* A list of tensors: made, put in order, looked up, read. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

vit_tensors *tomevit_tensors_new(const char *path)
{
    size_t length = strlen(path) + 1;
    vit_tensors *tensors = calloc(1, sizeof *tensors + length);

    if (tensors)
        tensors->path = memcpy(tensors + 1, path, length);
    return tensors;
}

void tomevit_tensors_close(vit_tensors *tensors)
{
    if (!tensors)
        return;
    if (tensors->release)
        tensors->release(tensors);
    free(tensors->list);
    json_decref(tensors->metadata);
    tomevit_unmap(&tensors->mapping);
    free(tensors);
}

static int by_name(const void *a, const void *b)
{
    const vit_stored *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void tomevit_tensors_sort(vit_tensors *tensors)
{
    if (tensors->count > 0)
        qsort(tensors->list, tensors->count, sizeof *tensors->list, by_name);
}

const vit_stored *tomevit_tensors_find(const vit_tensors *tensors,
                                       const char *name)
{
    size_t low = 0, high = tensors->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(tensors->list[middle].name, name);

        if (order == 0)
            return &tensors->list[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *tomevit_tensors_metadata(const vit_tensors *tensors,
                                     const char *key)
{
    return json_string_value(json_object_get(tensors->metadata, key));
}

int tomevit_tensors_read(const vit_tensors *tensors, const vit_stored *tensor,
                         float *out, tomevit_message *why)
{
    vit_report report = {tensors->path, why};

    return tensors->read(tensors, tensor, out, &report);
}
