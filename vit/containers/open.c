/* SPDX-License-Identifier: MIT */
/* A file opened as the container that it is. */
#include "config.h"

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

enum { CONTAINERS = sizeof(containers) / sizeof(*containers) };

/* The last row takes what no other knows, and says what is wrong with it. A
 * shard is a whole file with names as they are, but no index of others. */
static int parse(vit_tensors *tensors, int shard, const vit_report *report)
{
    const unsigned char *bytes = tensors->mapping.bytes;
    size_t count = tensors->mapping.count, i = 0;
    int code;

    while (i < CONTAINERS && !containers[i].detect(bytes, count))
        i++;
    if (i == CONTAINERS && tomevit_foreign(bytes, count))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected a checkpoint, "
                            "found %s", tomevit_foreign(bytes, count));
    i -= i == CONTAINERS;
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
    if (!code && !shard && !given)
        code = tomevit_shards_refuse_one(&report);
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
    vit_mapping mapping = {.bytes = bytes, .count = count};

    return open_mapping(path, &mapping, 0, tensors, why);
}
