/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints in several files: an index in JSON whose "weight_map" says which
 * file, in the index's own folder, holds each tensor.
 * [huggingface_hub, "serialization": model.safetensors.index.json]
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "json.h"

enum {
    NESTING = 4,
    INDEX_BYTES = 16 * 1024 * 1024,
    SHARDS = 1024,
    NAME = 256                              /* of a file, with NUL */
};

typedef struct shard {
    const char *name;                       /* in the JSON */
    vit_tensors *tensors;
} shard;

typedef struct index_file {
    json_t *json;                           /* holds the names of files */
    shard shards[SHARDS];
    size_t count;
    struct part *parts;
} index_file;

typedef struct part {
    const vit_tensors *tensors;
    const vit_stored *tensor;
} part;

/* ---- shards -------------------------------------------------------------- */

/* A plain name: nothing that could lead out of the folder. */
static int is_plain(const char *name)
{
    return name && name[0] && !strchr(name, '/') && strcmp(name, ".") &&
           strcmp(name, "..") && strlen(name) < NAME;
}

/* Opens a shard by its name beside the index; an index cannot be one. */
static int open_shard(const char *index, shard *s, tomevit_message *why)
{
    const char *slash = strrchr(index, '/');
    size_t folder = slash ? (size_t)(slash + 1 - index) : 0;
    char *path = malloc(folder + strlen(s->name) + 1);
    vit_report report = {index, why};
    int code;

    if (!path)
        return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    memcpy(path, index, folder);
    strcpy(path + folder, s->name);
    code = tomevit_tensors_open_shard(path, &s->tensors, why);
    free(path);
    return code;
}

/* The shard of this name, opened if it is new. */
static int find_shard(index_file *file, const char *tensor, const char *name,
                      shard **found, const vit_report *report)
{
    size_t i = 0;

    if (!is_plain(name))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected the name of a file in the index's "
                            "folder, found \"%.80s\"", tensor,
                            name ? name : "no string");
    while (i < file->count && strcmp(file->shards[i].name, name))
        i++;
    *found = &file->shards[i];
    if (i < file->count)
        return 0;
    if (i == SHARDS)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected at most %d "
                            "files in its weight_map", (int)SHARDS);
    (*found)->name = name;
    file->count++;
    return open_shard(report->path, *found, report->why);
}

/* "-00001-of-00002" behind a name, before its last ending: where it begins, and
 * the two numbers; NULL if there is none. */
static const char *shard_mark(const char *path, unsigned *number, unsigned *all,
                              const char **ending)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t digits = strlen("-00001-of-00002");
    int read = 0;

    *ending = dot;
    if (!dot || (size_t)(dot - name) <= digits ||
        sscanf(dot - digits, "-%5u-of-%5u%n", number, all, &read) != 2 ||
        (size_t)read != digits)
        return NULL;
    return dot - digits;
}

int tomevit_shards_refuse_one(const vit_report *report)
{
    const char *slash = strrchr(report->path, '/'), *ending;
    const char *name = slash ? slash + 1 : report->path;
    unsigned number = 0, all = 0;
    const char *mark = shard_mark(report->path, &number, &all, &ending);

    if (!mark || all < 2)
        return 0;
    if (!strcmp(ending, ".gguf"))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "shard %u of %u: expected "
                            "a whole GGUF; parts can be joined by llama.cpp's "
                            "gguf-split --merge", number, all);
    return tomevit_fail(report, TOMEVIT_EFORMAT, "shard %u of %u: expected "
                        "their index, \"%.*s%s.index.json\" beside them",
                        number, all, (int)(mark - name), name, ending);
}

/* ---- the index ----------------------------------------------------------- */

static int add_tensor(vit_tensors *tensors, index_file *file, part *parts,
                      const char *name, const json_t *value,
                      const vit_report *report)
{
    vit_stored *t = &tensors->list[tensors->count];
    part *p = &parts[tensors->count];
    shard *s = NULL;
    int code = find_shard(file, name, json_string_value(value), &s, report);

    if (code)
        return code;
    p->tensors = s->tensors;
    p->tensor = tomevit_tensors_find(s->tensors, name);
    if (!p->tensor)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\" is not "
                            "in \"%.80s\", where weight_map has it", name,
                            s->name);
    *t = *p->tensor;
    t->more = p;
    tensors->count++;
    return 0;
}

/* What the shards' own metadata say, the first to say it. */
static int join_metadata(vit_tensors *tensors, const index_file *file)
{
    size_t i;

    tensors->metadata = json_object();
    for (i = 0; tensors->metadata && i < file->count; i++)
        if (file->shards[i].tensors->metadata &&
            json_object_update_missing(tensors->metadata,
                                       file->shards[i].tensors->metadata))
            return 0;
    return tensors->metadata != NULL;
}

static int parse_index(const vit_mapping *mapping, json_t **json,
                       const vit_report *report)
{
    json_error_t error;

    if (mapping->count > INDEX_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "an index of %zu bytes "
                            "exceeds the limit of %d", mapping->count,
                            (int)INDEX_BYTES);
    *json = tomevit_json_parse((const char *)mapping->bytes, mapping->count,
                               NESTING, &error);
    if (!*json)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "bad index near byte "
                            "%zu: %s", (size_t)error.position, error.text);
    if (!json_is_object(json_object_get(*json, "weight_map")))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected an index with "
                            "a \"weight_map\" of tensors to files, found "
                            "other JSON");
    return 0;
}

static int read_tensor(const vit_tensors *tensors, const vit_stored *tensor,
                       float *out, const vit_report *report)
{
    const part *p = tensor->more;

    (void)tensors;
    return tomevit_tensors_read(p->tensors, p->tensor, out, report->why);
}

static void release(vit_tensors *tensors)
{
    index_file *file = tensors->self;
    size_t i;

    for (i = 0; file && i < file->count; i++)
        tomevit_tensors_close(file->shards[i].tensors);
    if (file) {
        json_decref(file->json);
        free(file->parts);
    }
    free(file);
}

int tomevit_shards_read(vit_tensors *tensors, const vit_report *report)
{
    index_file *file = calloc(1, sizeof(*file));
    const char *name;
    json_t *map, *value;
    int code;

    if (!file)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    tensors->self = file;
    tensors->read = read_tensor;
    tensors->release = release;
    code = parse_index(&tensors->mapping, &file->json, report);
    if (code)
        return code;
    map = json_object_get(file->json, "weight_map");
    tensors->list = calloc(json_object_size(map) + 1, sizeof(*tensors->list));
    file->parts = calloc(json_object_size(map) + 1, sizeof(*file->parts));
    if (!tensors->list || !file->parts)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for %zu "
                            "tensors", json_object_size(map));
    json_object_foreach(map, name, value) {
        code = add_tensor(tensors, file, file->parts, name, value, report);
        if (code)
            return code;
    }
    tomevit_tensors_sort(tensors);
    if (!join_metadata(tensors, file))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

/* JSON whose first 8 bytes are not the length of a .safetensors header; a byte
 * order mark may stand before it. */
int tomevit_shards_detect(const unsigned char *bytes, size_t count)
{
    size_t i = count >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;

    while (i < count && i < 64 && memchr(" \t\r\n", bytes[i], 4))
        i++;
    return i < count && bytes[i] == '{' &&
           (count < 8 || bytes[5] || bytes[6] || bytes[7]);
}
