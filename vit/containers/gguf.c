/* SPDX-License-Identifier: MIT */
/*
 * GGUF files, versions 2 and 3: metadata, the tensors' names, shapes and
 * places, then the tensors. [ggml, docs/gguf.md]
 *
 * Metadata become strings: text as it is, numbers and arrays as JSON.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "containers.h"
#include "gguf.h"
#include "../base/numeric.h"
#include "region.h"

enum {
    ALIGNMENT = 32,                         /* unless the metadata say */
    NAME = 512,
    TENSORS = 1 << 20                       /* more are refused */
};

typedef struct gguf_file {
    vit_region region;
} gguf_file;

/* ---- dtypes -------------------------------------------------------------- */

/* Blocks of 32: a scale in f16 and 32 signed bytes. */
static void q8_0_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const unsigned char *block = bytes + i / 32 * 34;
        int value = block[2 + i % 32];

        out[i] = vit_f32_from_f16(vit_le16(block)) *
                 (float)(value < 128 ? value : value - 256);
    }
}

/* The types of ggml by their numbers: elements and bytes of a block.
 * [ggml/include/ggml.h, enum ggml_type; ggml/src/ggml-common.h] */
static const struct {
    vit_dtype dtype;
    size_t block, bytes;
} types[] = {
    [2] = {{"Q4_0", 0, NULL}, 32, 18}, [3] = {{"Q4_1", 0, NULL}, 32, 20},
    [6] = {{"Q5_0", 0, NULL}, 32, 22}, [7] = {{"Q5_1", 0, NULL}, 32, 24},
    [8] = {{"Q8_0", 0, q8_0_to_f32}, 32, 34},
    [9] = {{"Q8_1", 0, NULL}, 32, 36},
    [10] = {{"Q2_K", 0, NULL}, 256, 84}, [11] = {{"Q3_K", 0, NULL}, 256, 110},
    [12] = {{"Q4_K", 0, NULL}, 256, 144}, [13] = {{"Q5_K", 0, NULL}, 256, 176},
    [14] = {{"Q6_K", 0, NULL}, 256, 210}, [15] = {{"Q8_K", 0, NULL}, 256, 292},
};

/* Those that other containers have too. */
static const struct {
    uint32_t type;
    const char *dtype;
} plain[] = {
    {0, "F32"}, {1, "F16"}, {24, "I8"}, {25, "I16"}, {26, "I32"}, {27, "I64"},
    {28, "F64"}, {30, "BF16"},
};

static const vit_dtype *find_type(uint32_t type, size_t *block, size_t *bytes)
{
    size_t i;

    for (i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if (plain[i].type == type) {
            const vit_dtype *dtype = tomevit_dtype_find(plain[i].dtype);

            *block = 1;
            *bytes = dtype->bits / 8;
            return dtype;
        }
    if (type >= sizeof(types) / sizeof(*types) || !types[type].block)
        return NULL;
    *block = types[type].block;
    *bytes = types[type].bytes;
    return &types[type].dtype;
}

/* ---- tensors ------------------------------------------------------------- */

/* The first dimension is the fastest: shapes are reversed here. */
static int take_shape(vit_gguf *g, vit_stored *t)
{
    uint64_t dims = 0, side = 0;
    int code = tomevit_gguf_number(g, 4, &dims);
    size_t i;

    if (!code && dims > VIT_DIMS)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected at most %d dimensions, found %llu",
                            t->name, (int)VIT_DIMS, (unsigned long long)dims);
    t->dims = (size_t)dims;
    t->elements = 1;
    for (i = t->dims; !code && i > 0; i--) {
        code = tomevit_gguf_number(g, 8, &side);
        if (!code && (side > SIZE_MAX ||
                      (side && t->elements > SIZE_MAX / side)))
            return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor "
                                "\"%.80s\": its shape's product overflows",
                                t->name);
        t->shape[i - 1] = (size_t)side;
        t->elements *= (size_t)side;
    }
    return code;
}

/* begin and end are bytes behind the start of the data, which is not known
 * yet. */
static int take_place(vit_gguf *g, vit_stored *t)
{
    uint64_t type = 0, offset = 0;
    size_t block = 1, bytes = 0, blocks;
    int code = tomevit_gguf_number(g, 4, &type);

    if (!code)
        code = tomevit_gguf_number(g, 8, &offset);
    if (code)
        return code;
    t->dtype = find_type((uint32_t)type, &block, &bytes);
    if (!t->dtype)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "ggml type %llu is not known", t->name,
                            (unsigned long long)type);
    if ((t->dims ? t->shape[t->dims - 1] : 1) % block)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "%s needs rows of a multiple of %zu, found shape "
                            "%s", t->name, t->dtype->name, block,
                            tomevit_shape_text(t->shape, t->dims).text);
    blocks = t->elements / block;
    if (offset > SIZE_MAX || blocks > (SIZE_MAX - offset) / bytes)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": its "
                            "place at byte %llu of the data overflows",
                            t->name, (unsigned long long)offset);
    t->begin = (size_t)offset;
    t->end = t->begin + blocks * bytes;
    return 0;
}

static int take_tensor(vit_gguf *g, gguf_file *file, vit_stored *t)
{
    const char *name = NULL;
    size_t length = 0;
    int code = tomevit_gguf_text(g, &name, &length);

    if (code)
        return code;
    if (length >= NAME || memchr(name, 0, length))
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "byte %zu: expected a "
                            "tensor's name of less than %d bytes", g->at,
                            (int)NAME);
    t->name = tomevit_region_text(&file->region, name, length);
    if (!t->name)
        return tomevit_fail(g->report, TOMEVIT_ENOMEM, "out of memory");
    code = take_shape(g, t);
    return code ? code : take_place(g, t);
}

static int by_place(const void *a, const void *b)
{
    const vit_stored *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Where the data begin, the tensors lie in it, each by itself. */
static int place_tensors(vit_tensors *tensors, const vit_gguf *g)
{
    size_t mask = g->alignment - 1, i;
    size_t data = g->at > SIZE_MAX - mask ? g->count : (g->at + mask) & ~mask;
    size_t room = data < g->count ? g->count - data : 0, before = 0;

    qsort(tensors->list, tensors->count, sizeof(*tensors->list), by_place);
    for (i = 0; i < tensors->count; i++) {
        vit_stored *t = &tensors->list[i];

        if (t->begin > t->end || t->end > room)
            return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor "
                                "\"%.80s\": its bytes %zu to %zu do not lie "
                                "in the file's %zu bytes of data", t->name,
                                t->begin, t->end, room);
        if (t->begin < before)
            return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensors "
                                "\"%.80s\" and \"%.80s\" overlap",
                                tensors->list[i - 1].name, t->name);
        before = t->end;
    }
    for (i = 0; i < tensors->count; i++) {
        tensors->list[i].begin += data;
        tensors->list[i].end += data;
    }
    tomevit_tensors_sort(tensors);
    for (i = 1; i < tensors->count; i++)
        if (!strcmp(tensors->list[i - 1].name, tensors->list[i].name))
            return tomevit_fail(g->report, TOMEVIT_EFORMAT, "tensor \"%.80s\" "
                                "is there twice", tensors->list[i].name);
    return 0;
}

/* ---- files --------------------------------------------------------------- */

static int read_tensor(const vit_tensors *tensors, const vit_stored *tensor,
                       float *out, const vit_report *report)
{
    (void)report;
    tensor->dtype->to_f32(tensors->mapping.bytes + tensor->begin,
                          tensor->elements, out);
    tomevit_mapping_read(&tensors->mapping, tensor->begin, tensor->end);
    return 0;
}

static void release(vit_tensors *tensors)
{
    gguf_file *file = tensors->self;

    if (file)
        tomevit_region_free(&file->region);
    free(file);
}

static int take_start(vit_gguf *g, uint64_t *tensors, uint64_t *entries)
{
    uint64_t version = 0;
    int code;

    g->at = 4;
    g->alignment = ALIGNMENT;
    code = tomevit_gguf_number(g, 4, &version);
    if (!code && version != 2 && version != 3)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "expected GGUF version "
                            "2 or 3, found %s", version == 1 ? "version 1"
                            : version & 0xff000000 ? "a big-endian file"
                            : "a later version");
    if (!code)
        code = tomevit_gguf_number(g, 8, tensors);
    if (!code)
        code = tomevit_gguf_number(g, 8, entries);
    if (!code && *tensors > TENSORS)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "expected at most %d "
                            "tensors, found %llu", (int)TENSORS,
                            (unsigned long long)*tensors);
    return code;
}

int tomevit_gguf_read(vit_tensors *tensors, const vit_report *report)
{
    vit_gguf g = {.bytes = tensors->mapping.bytes,
                  .count = tensors->mapping.count, .report = report};
    gguf_file *file = calloc(1, sizeof(*file));
    uint64_t count = 0, entries = 0;
    int code;

    if (!file)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    tensors->self = file;
    tensors->read = read_tensor;
    tensors->release = release;
    code = take_start(&g, &count, &entries);
    if (!code)
        code = tomevit_gguf_metadata(&g, entries, &tensors->metadata);
    if (code)
        return code;
    /* Not more than the file can hold, whatever it says. */
    if (count > (g.count - g.at) / 24)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "%llu tensors do not fit "
                            "the %zu bytes left", (unsigned long long)count,
                            g.count - g.at);
    tensors->list = calloc((size_t)count + 1, sizeof(*tensors->list));
    if (!tensors->list)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for %llu "
                            "tensors", (unsigned long long)count);
    for (; !code && tensors->count < count; tensors->count++)
        code = take_tensor(&g, file, &tensors->list[tensors->count]);
    return code ? code : place_tensors(tensors, &g);
}

int tomevit_gguf_detect(const unsigned char *bytes, size_t count)
{
    return count >= 4 && !memcmp(bytes, "GGUF", 4);
}
