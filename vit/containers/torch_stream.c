/* SPDX-License-Identifier: MIT */
/*
 * Files of torch.save before PyTorch 1.6: five pickles in a row (a magic
 * number, the protocol, facts about the machine, the values, the keys of the
 * storages), then for each key its number of elements in 8 bytes and its
 * elements. [torch/serialization.py, _legacy_save]
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "containers.h"
#include "torch.h"

enum { PROTOCOL = 1001 };

/* The pickle of 0x1950a86a20f9469cfc6c. */
static const unsigned char magic[15] = {
    0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50,
    0x19, '.'
};

typedef struct storage {
    const char *key;                        /* in the pickle */
    size_t length;                          /* of the key */
    size_t width;                           /* bytes of an element */
    size_t begin, bytes;                    /* begin 0: not in the file */
} storage;

typedef struct stream {
    storage *storages;                      /* [count], by key */
    size_t count;
} stream;

static int by_key(const void *a, const void *b)
{
    const storage *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->key, y->key, shorter);

    return order ? order : x->length < y->length ? -1 : x->length > y->length;
}

static storage *find(const stream *s, const char *key, size_t length)
{
    storage wanted = {.key = key, .length = length};

    return s->count ? bsearch(&wanted, s->storages, s->count, sizeof(wanted),
                              by_key) : NULL;
}

static int find_storage(const void *self, const char *key, size_t *begin,
                        size_t *bytes, const vit_report *report)
{
    const storage *found = find(self, key, strlen(key));

    if (!found || !found->begin)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected the storage "
                            "\"%.60s\" in the file, found none", key);
    *begin = found->begin;
    *bytes = found->bytes;
    return 0;
}

/* ---- what the values say of the storages --------------------------------- */

/* Keys and widths of all storages that the pickle names. */
static int list_storages(stream *s, const vit_pickle *values,
                         const vit_report *report)
{
    size_t i, kept = 0;

    s->storages = calloc(values->lists_count + 1, sizeof(*s->storages));
    if (!s->storages)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for %zu "
                            "storages", values->lists_count);
    for (i = 0; i < values->lists_count; i++) {
        const vit_value *id = values->lists[i];
        storage *now = &s->storages[s->count];

        if (id->kind != VIT_STORAGE || id->list.count < 3 ||
            !tomevit_torch_is_storage(id->list.items[1]) ||
            id->list.items[2]->kind != VIT_TEXT)
            continue;
        now->key = id->list.items[2]->text.start;
        now->length = id->list.items[2]->text.length;
        now->width = tomevit_dtype_find(id->list.items[1]->global->dtype)->bits
                     / 8;
        s->count++;
    }
    qsort(s->storages, s->count, sizeof(*s->storages), by_key);
    for (i = 0; i < s->count; i++)
        if (kept == 0 || by_key(&s->storages[kept - 1], &s->storages[i]))
            s->storages[kept++] = s->storages[i];
        else if (s->storages[kept - 1].width != s->storages[i].width)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "the storage "
                                "\"%.*s\" has two types",
                                (int)(s->storages[i].length % 64),
                                s->storages[i].key);
    s->count = kept;
    return 0;
}

/* Where each storage is: in the order of the keys, from byte `at` on. */
static int place_storages(stream *s, const vit_mapping *file, size_t at,
                          const vit_value *keys, const vit_report *report)
{
    size_t i;

    for (i = 0; i < keys->list.count; i++) {
        const vit_value *key = keys->list.items[i];
        storage *now = key->kind == VIT_TEXT
                           ? find(s, key->text.start, key->text.length) : NULL;
        uint64_t elements;

        if (!now || now->begin)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "the key of storage "
                                "%zu is none of the values', or is there "
                                "twice", i);
        if (file->count - at < 8)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "cut short in storage "
                                "%zu of %zu", i, keys->list.count);
        elements = vit_le64(file->bytes + at);
        at += 8;
        if (elements > (file->count - at) / now->width)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "cut short in storage "
                                "%zu of %zu: expected %llu elements of %zu "
                                "bytes, found %zu bytes", i, keys->list.count,
                                (unsigned long long)elements, now->width,
                                file->count - at);
        now->begin = at;
        now->bytes = (size_t)elements * now->width;
        at += now->bytes;
    }
    return 0;
}

/* ---- the pickles --------------------------------------------------------- */

static int next_pickle(vit_pickle *pickle, const char *name,
                       const vit_mapping *file, size_t *at,
                       const vit_report *report)
{
    int code = tomevit_pickle_read(pickle, name, file->bytes + *at,
                                   file->count - *at, report);

    *at += pickle->used;
    return code;
}

/* What stands before the values: nothing to keep, but not to be ignored. */
static int check_start(const vit_mapping *file, size_t *at,
                       const vit_report *report)
{
    vit_pickle protocol = {0}, machine = {0};
    const vit_value *little;
    int code = next_pickle(&protocol, "protocol", file, at, report);

    if (!code && (protocol.root->kind != VIT_INT ||
                  protocol.root->number != PROTOCOL))
        code = tomevit_fail(report, TOMEVIT_EFORMAT, "expected torch.save's "
                            "protocol %d, found another", PROTOCOL);
    if (!code)
        code = next_pickle(&machine, "sys_info", file, at, report);
    if (!code) {
        little = tomevit_pickle_get(machine.root, "little_endian");
        if (!little || little->kind != VIT_BOOL || !little->number)
            code = tomevit_fail(report, TOMEVIT_EFORMAT, "expected "
                                "little-endian storages, found others");
    }
    tomevit_pickle_free(&protocol);
    tomevit_pickle_free(&machine);
    return code;
}

static int read_values(vit_tensors *tensors, stream *s, vit_pickle *values,
                       vit_pickle *keys, const vit_report *report)
{
    const vit_mapping *file = &tensors->mapping;
    vit_storages storages = {find_storage, s};
    size_t at = sizeof(magic);
    int code = check_start(file, &at, report);

    if (!code)
        code = next_pickle(values, "pickle", file, &at, report);
    if (!code)
        code = next_pickle(keys, "storage keys", file, &at, report);
    if (!code && keys->root->kind != VIT_LIST)
        code = tomevit_fail(report, TOMEVIT_EFORMAT,
                            "expected a list of storage keys");
    if (!code)
        code = list_storages(s, values, report);
    if (!code)
        code = place_storages(s, file, at, keys->root, report);
    return code ? code : tomevit_torch_list(tensors, values, "pickle",
                                            &storages, report);
}

int tomevit_torch_stream_read(vit_tensors *tensors, const vit_report *report)
{
    vit_pickle values = {0}, keys = {0};
    stream s = {0};
    int code = read_values(tensors, &s, &values, &keys, report);

    free(s.storages);
    tomevit_pickle_free(&values);
    tomevit_pickle_free(&keys);
    return code;
}

int tomevit_torch_stream_detect(const unsigned char *bytes, size_t count)
{
    return count >= sizeof(magic) && !memcmp(bytes, magic, sizeof(magic));
}
