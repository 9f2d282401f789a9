/* SPDX-License-Identifier: MIT */
/* A list of tensors: made, put in order, looked up, read. */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

vit_tensors *tomevit_tensors_new(const char *path)
{
    size_t length = strlen(path) + 1;
    vit_tensors *tensors = calloc(1, sizeof(*tensors) + length);

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
    tomevit_region_free(&tensors->region);
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
        qsort(tensors->list, tensors->count, sizeof(*tensors->list), by_name);
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

/* The key under which a value's source is kept. */
static void source_key(const char *key, char name[64])
{
    snprintf(name, 64, "%.48s from", key);
}

int tomevit_tensors_say(vit_tensors *tensors, const char *key,
                        const char *value, const char *from)
{
    char source[64];

    if (json_object_get(tensors->metadata, key))
        return 0;
    source_key(key, source);
    return json_object_set_new(tensors->metadata, key, json_string(value)) ||
                   json_object_set_new(tensors->metadata, source,
                                       json_string(from))
               ? TOMEVIT_ENOMEM : 0;
}

const char *tomevit_tensors_from(const vit_tensors *tensors, const char *key)
{
    const char *from;
    char source[64];

    if (!tomevit_tensors_metadata(tensors, key))
        return NULL;
    source_key(key, source);
    from = tomevit_tensors_metadata(tensors, source);
    return from ? from : "metadata";
}

int tomevit_tensors_read(const vit_tensors *tensors, const vit_stored *tensor,
                         float *out, tomevit_message *why)
{
    vit_report report = {tensors->path, why};
    int code = tomevit_mapping_check(&tensors->mapping, &report);

    return code ? code : tensors->read(tensors, tensor, out, &report);
}

int tomevit_tensors_read_range(const vit_tensors *tensors,
                               const vit_stored *tensor, size_t first,
                               size_t count, float *out, void **made,
                               tomevit_message *why)
{
    vit_report report = {tensors->path, why};
    int code;

    if (!tensors->read_range)
        return 1;
    code = tomevit_mapping_check(&tensors->mapping, &report);
    return code ? code : tensors->read_range(tensors, tensor, first, count,
                                             out, made, &report);
}

int tomevit_tensors_read_int8(const vit_tensors *tensors,
                              const vit_stored *tensor, signed char *out,
                              float *scale)
{
    vit_report report = {tensors->path, NULL};

    return tensors->read_int8 &&
           !tomevit_mapping_check(&tensors->mapping, &report) &&
           tensors->read_int8(tensors, tensor, out, scale);
}
