/* SPDX-License-Identifier: MIT */
/* The JSON header of a .safetensors file: parsed, checked, sorted. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "safetensors.h"

/* As far as a header nests: header, tensor, shape. */
enum { DEPTH = 3, HEADER_AT = 8 };

/* On failure too *root is to be released. */
static int parse_json(const char *text, size_t length, json_t **root,
                      const vit_report *report)
{
    json_error_t error;

    *root = tomevit_json_parse(text, length, DEPTH, &error);
    if (!*root && json_error_code(&error) == json_error_out_of_memory)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for a header of %zu bytes", length);
    if (!*root)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "bad header near byte %zu: %s",
                            (size_t)error.position + HEADER_AT, error.text);
    if (!json_is_object(*root))
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "bad header: expected a JSON object, found another "
                            "value");
    return 0;
}

/* JSON's integers are 64-bit and signed; 1 if this one is a size. */
static int get_size(const json_t *value, size_t *out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 ||
        (unsigned long long)number > SIZE_MAX)
        return 0;
    *out = (size_t)number;
    return 1;
}

static int parse_shape(vit_stored *t, const json_t *shape,
                       const vit_report *report)
{
    size_t i;

    if (!json_is_array(shape))
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "tensor \"%.80s\": expected a shape, found %s",
                            t->name, shape ? "no array" : "none");
    t->dims = json_array_size(shape);
    if (t->dims > VIT_DIMS)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected at most %d dimensions, found %zu",
                            t->name, (int)VIT_DIMS, t->dims);
    t->elements = 1;
    for (i = 0; i < t->dims; i++) {
        if (!get_size(json_array_get(shape, i), &t->shape[i]))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                                "dimension %zu of its shape is not a whole "
                                "number from 0 to %zu", t->name, i, SIZE_MAX);
        if (t->shape[i] && t->elements > SIZE_MAX / t->shape[i])
            return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                                "its shape's product overflows at dimension "
                                "%zu", t->name, i);
        t->elements *= t->shape[i];
    }
    return 0;
}

/* The range lies inside the data and is as long as shape and dtype say. */
static int parse_offsets(vit_stored *t, const json_t *offsets,
                         size_t data_bytes, const vit_report *report)
{
    size_t bits = t->dtype->bits;

    if (json_array_size(offsets) != 2 ||
        !get_size(json_array_get(offsets, 0), &t->begin) ||
        !get_size(json_array_get(offsets, 1), &t->end))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "data_offsets are not two whole numbers from 0 to "
                            "%zu", t->name, SIZE_MAX);
    if (t->begin > t->end || t->end > data_bytes)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "data_offsets [%zu, %zu] are not a range within "
                            "the file's %zu bytes of data", t->name, t->begin,
                            t->end, data_bytes);
    /* The longest range that the file can hold has few enough bits: compare
     * by division, so that no product can overflow. */
    if (t->elements > SIZE_MAX / bits || t->elements * bits % 8 ||
        t->elements * bits / 8 != t->end - t->begin)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "data_offsets [%zu, %zu] give it %zu bytes, which "
                            "is not %s of shape %s", t->name, t->begin, t->end,
                            t->end - t->begin, t->dtype->name,
                            tomevit_shape_text(t->shape, t->dims).text);
    return 0;
}

static int parse_tensor(vit_stored *t, const json_t *entry,
                        size_t data_bytes, const vit_report *report)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    int code;

    if (!json_is_object(entry))
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "tensor \"%.80s\": its entry is not an object",
                            t->name);
    t->dtype = dtype ? tomevit_dtype_find(dtype) : NULL;
    if (!t->dtype && dtype)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "dtype \"%.40s\" is not known", t->name, dtype);
    if (!t->dtype)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected a dtype, found %s", t->name,
                            json_object_get(entry, "dtype") ? "no string"
                                                            : "none");
    code = parse_shape(t, json_object_get(entry, "shape"), report);
    if (code)
        return code;
    return parse_offsets(t, json_object_get(entry, "data_offsets"),
                         data_bytes, report);
}

static int check_metadata(json_t *metadata, const vit_report *report)
{
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "__metadata__ is not an object");
    json_object_foreach(metadata, key, value)
        if (!json_is_string(value))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "__metadata__ key "
                                "\"%.80s\": its value is not a string", key);
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const vit_stored *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorted by offset, every tensor starts where the one before it ends. */
static int check_cover(const vit_tensors *tensors, size_t data_bytes,
                       const vit_report *report)
{
    size_t i, at = 0;

    for (i = 0; i < tensors->count; i++) {
        const vit_stored *t = &tensors->list[i];

        if (t->begin < at)
            return tomevit_fail(report, TOMEVIT_EFORMAT,
                "tensors \"%.80s\" and \"%.80s\" overlap: data_offsets [%zu, "
                "%zu] and [%zu, %zu]", tensors->list[i - 1].name, t->name,
                tensors->list[i - 1].begin, tensors->list[i - 1].end,
                t->begin, t->end);
        if (t->begin > at)
            return tomevit_fail(report, TOMEVIT_EFORMAT,
                "tensor \"%.80s\": expected data_offsets to begin at %zu, "
                "where the tensor before it ends, found %zu", t->name, at,
                t->begin);
        at = t->end;
    }
    if (at != data_bytes)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "the tensors end after %zu bytes of data, but the "
                            "file has %zu", at, data_bytes);
    return 0;
}

static int parse_entries(vit_tensors *tensors, json_t *json,
                         size_t data_bytes, const vit_report *report)
{
    const char *key;
    json_t *value;
    int code;

    json_object_foreach(json, key, value) {
        if (!strcmp(key, "__metadata__")) {
            if (json_is_null(value))
                continue;
            code = check_metadata(value, report);
            tensors->metadata = json_incref(value);
        } else {
            vit_stored *t = &tensors->list[tensors->count++];

            t->name = key;
            code = parse_tensor(t, value, data_bytes, report);
        }
        if (code)
            return code;
    }
    return 0;
}

int tomevit_st_header_parse(vit_tensors *tensors, const char *text,
                            size_t length, size_t data_bytes, json_t **json,
                            const vit_report *report)
{
    int code = parse_json(text, length, json, report);
    size_t entries;

    if (code)
        return code;
    entries = json_object_size(*json);
    tensors->list = calloc(entries + 1, sizeof(*tensors->list));
    if (!tensors->list)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for %zu tensors", entries);
    code = parse_entries(tensors, *json, data_bytes, report);
    if (code)
        return code;
    qsort(tensors->list, tensors->count, sizeof(*tensors->list), by_offset);
    code = check_cover(tensors, data_bytes, report);
    tomevit_tensors_sort(tensors);
    return code;
}
