/* SPDX-License-Identifier: MIT */
/* The tensors of a checkpoint: the container found, the list looked up. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "tensors.h"

/* Asked in this order. */
static const vit_container containers[] = {
    {"zip archive", tomevit_zip_detect, tomevit_zip_read},
    {"PyTorch stream", tomevit_torch_stream_detect, tomevit_torch_stream_read},
    {"GGUF", tomevit_gguf_detect, tomevit_gguf_read},
    {"NumPy array", tomevit_npy_detect, tomevit_npy_file_read},
    {"index of shards", tomevit_shards_detect, tomevit_shards_read},
    {"safetensors", tomevit_safetensors_detect, tomevit_safetensors_read},
};

enum { CONTAINERS = sizeof containers / sizeof *containers };

vit_tensors *tomevit_tensors_new(const char *path)
{
    size_t length = strlen(path) + 1;
    vit_tensors *tensors = calloc(1, sizeof *tensors + length);

    if (tensors)
        tensors->path = memcpy(tensors + 1, path, length);
    return tensors;
}

/* The last row takes what no other knows, and says what is wrong with it. A
 * shard is a whole file with names as they are, but no index of others. */
static int parse(vit_tensors *tensors, int shard, const vit_report *report)
{
    const unsigned char *bytes = tensors->mapping.bytes;
    size_t count = tensors->mapping.count, i = 0;
    int code;

    while (i + 1 < CONTAINERS && !containers[i].detect(bytes, count))
        i++;
    if (shard && containers[i].read == tomevit_shards_read)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected tensors, found "
                            "an index of other files");
    tensors->container = containers[i].name;
    code = containers[i].read(tensors, report);
    return code || shard ? code : tomevit_tensors_unwrap(tensors, report);
}

/* From a mapping of our own, or of the bytes given. */
static int open_mapping(const char *path, const vit_mapping *given, int shard,
                        vit_tensors **out, tomevit_message *why)
{
    vit_report report = {path, why};
    vit_tensors *tensors = tomevit_tensors_new(path);
    int code = 0;

    *out = NULL;
    if (!tensors)
        return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    if (given)
        tensors->mapping = *given;
    else
        code = tomevit_map(&tensors->mapping, &report);
    if (!code)
        code = parse(tensors, shard, &report);
    if (code)
        tomevit_tensors_close(tensors);
    else
        *out = tensors;
    return code;
}

int tomevit_tensors_open(const char *path, vit_tensors **tensors,
                         tomevit_message *why)
{
    return open_mapping(path, NULL, 0, tensors, why);
}

int tomevit_tensors_open_shard(const char *path, vit_tensors **tensors,
                               tomevit_message *why)
{
    return open_mapping(path, NULL, 1, tensors, why);
}

int tomevit_tensors_parse(const char *path, const void *bytes, size_t count,
                          vit_tensors **tensors, tomevit_message *why)
{
    vit_mapping mapping = {bytes, count, NULL};

    return open_mapping(path, &mapping, 0, tensors, why);
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
