/* SPDX-License-Identifier: MIT */
/*
 * Files of torch.save since PyTorch 1.6 and of torch.jit.save: a zip archive
 * with one folder that holds data.pkl, the storages as data/KEY, not
 * compressed, and the byte order of the machine that wrote them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "torch.h"

#define PICKLE "data.pkl"

typedef struct archive {
    const vit_mapping *mapping;
    const vit_zip *zip;
    const char *folder;                     /* up to its '/', or empty */
    int folder_length;
} archive;

/* The entry of the archive's folder, NULL if there is none. */
static const vit_zip_entry *find(const archive *a, const char *name)
{
    char path[1024];
    int used = snprintf(path, sizeof(path), "%.*s%s", a->folder_length,
                        a->folder, name);

    return used > 0 && (size_t)used < sizeof(path)
               ? tomevit_zip_find(a->zip, path) : NULL;
}

static int find_storage(const void *self, const char *key, size_t *begin,
                        size_t *bytes, const vit_report *report)
{
    const archive *a = self;
    const vit_zip_entry *entry;
    char name[96];

    snprintf(name, sizeof(name), "data/%.80s", key);
    entry = find(a, name);
    if (!entry)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected the storage "
                            "\"%.80s\" in the archive, found none", name);
    if (entry->deflated)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "the storage \"%.80s\" "
                            "is compressed: expected it as torch.save stores "
                            "it", entry->name);
    *begin = (size_t)(entry->bytes - a->mapping->bytes);
    *bytes = entry->size;
    return 0;
}

/* Finds the folder by its data.pkl. 1 if there is one. */
static int find_folder(archive *a)
{
    const size_t tail = strlen(PICKLE);
    size_t i;

    for (i = 0; i < a->zip->count; i++) {
        const char *name = a->zip->entries[i].name;
        size_t length = strlen(name);
        const char *slash = strchr(name, '/');

        if (length < tail || strcmp(name + length - tail, PICKLE) ||
            length > tail + 512 ||
            (slash ? slash + 1 : name) != name + length - tail)
            continue;
        a->folder = name;
        a->folder_length = (int)(length - tail);
        return 1;
    }
    return 0;
}

static int check_order(const archive *a, const vit_report *report)
{
    const vit_zip_entry *entry = find(a, "byteorder");

    int code = entry ? tomevit_zip_check(a->zip, entry, report) : 0;

    if (code || !entry || entry->deflated || entry->size != 3 ||
        memcmp(entry->bytes, "big", 3))
        return code;
    return tomevit_fail(report, TOMEVIT_EFORMAT, "expected little-endian "
                        "storages, found big-endian ones");
}

static int read_pickle(vit_tensors *tensors, const archive *a,
                       const vit_report *report)
{
    vit_storages storages = {find_storage, a};
    const vit_zip_entry *entry = find(a, PICKLE);
    const unsigned char *bytes;
    void *inflated;
    vit_pickle pickle = {0};
    int code;

    if (!entry)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected data.pkl in the "
                            "archive, found none");
    if (entry->size > VIT_PICKLE_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "data.pkl of %zu bytes "
                            "exceeds the limit of %d", entry->size,
                            (int)VIT_PICKLE_BYTES);
    code = tomevit_zip_bytes(entry, &bytes, &inflated, report);
    if (code)
        return code;
    code = tomevit_pickle_read(&pickle, PICKLE, bytes, entry->size, report);
    if (!code)
        code = tomevit_torch_list(tensors, &pickle, PICKLE, &storages,
                                  report);
    tomevit_pickle_free(&pickle);
    free(inflated);
    return code;
}

int tomevit_torch_zip_read(vit_tensors *tensors, vit_zip *zip,
                           const vit_report *report)
{
    archive a = {.mapping = &tensors->mapping, .zip = zip};
    int code;

    find_folder(&a);
    code = check_order(&a, report);
    if (!code)
        code = read_pickle(tensors, &a, report);
    if (!code)
        tomevit_torch_check(tensors, zip);
    return code;
}

int tomevit_torch_zip_detect(const vit_zip *zip)
{
    archive a = {.zip = zip};

    return find_folder(&a);
}
