/* SPDX-License-Identifier: MIT */
/* The metadata of GGUF files as strings. */
#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "gguf.h"
#include "../base/numeric.h"

enum {
    U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, TYPES
};

/* Bytes of a value; 0: its length is its own. */
static const unsigned char widths[TYPES] = {
    1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8
};

/* Longer arrays (the words of a language model) are not kept. */
enum { ITEMS_KEPT = 65536, KEY = 256 };

static int cut(const vit_gguf *g)
{
    return tomevit_fail(g->report, TOMEVIT_EFORMAT, "cut short at byte %zu",
                        g->at);
}

int tomevit_gguf_number(vit_gguf *g, size_t width, uint64_t *number)
{
    const unsigned char *b = g->bytes + g->at;

    if (g->count - g->at < width)
        return cut(g);
    *number = width == 1 ? b[0] : width == 2 ? vit_le16(b)
            : width == 4 ? vit_le32(b) : vit_le64(b);
    g->at += width;
    return 0;
}

int tomevit_gguf_text(vit_gguf *g, const char **text, size_t *length)
{
    uint64_t bytes = 0;
    int code = tomevit_gguf_number(g, 8, &bytes);

    if (!code && bytes > g->count - g->at)
        return cut(g);
    if (code)
        return code;
    *text = (const char *)g->bytes + g->at;
    *length = (size_t)bytes;
    g->at += *length;
    return 0;
}

/* A value of fixed width as JSON; NULL also without memory. */
static json_t *json_of(uint64_t type, uint64_t bits)
{
    double number;

    switch (type) {
    case U8: case U16: case U32:
        return json_integer((json_int_t)bits);
    case I8:
        return json_integer((int8_t)bits);
    case I16:
        return json_integer((int16_t)bits);
    case I32:
        return json_integer((int32_t)bits);
    case U64: case I64:
        return json_integer((json_int_t)bits);
    case BOOL:
        return json_boolean(bits != 0);
    case F32:
        number = (double)vit_f32_from_bits((uint32_t)bits);
        break;
    default:
        memcpy(&number, &bits, sizeof(number));
    }
    return isfinite(number) ? json_real(number) : json_null();
}

/* The next value that is no array. */
static int take_scalar(vit_gguf *g, uint64_t type, json_t **value)
{
    const char *text = NULL;
    size_t length = 0;
    uint64_t bits = 0;
    int code;

    if (type == STRING) {
        code = tomevit_gguf_text(g, &text, &length);
        /* NULL if it is not UTF-8: then there is nothing to keep. */
        *value = code ? NULL : json_stringn(text, length);
        return code;
    }
    code = tomevit_gguf_number(g, widths[type], &bits);
    *value = code ? NULL : json_of(type, bits);
    return code;
}

static int take_array(vit_gguf *g, json_t **value)
{
    uint64_t type = 0, items = 0, i;
    int code = tomevit_gguf_number(g, 4, &type);

    *value = NULL;
    if (!code)
        code = tomevit_gguf_number(g, 8, &items);
    if (code)
        return code;
    if (type >= TYPES || type == ARRAY)
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "byte %zu: expected an "
                            "array of numbers or strings, found one of type "
                            "%llu", g->at, (unsigned long long)type);
    if (items > (g->count - g->at) / (widths[type] ? widths[type] : 8))
        return cut(g);
    if (items <= ITEMS_KEPT)
        *value = json_array();
    for (i = 0; !code && i < items; i++) {
        json_t *item;

        code = take_scalar(g, type, &item);
        if (*value && !code)
            json_array_append_new(*value, item ? item : json_null());
        else
            json_decref(item);
    }
    return code;
}

/* As a string: text as it is, everything else as JSON. */
static json_t *text_of(json_t *value)
{
    char *text;
    json_t *string;

    if (!value || json_is_string(value))
        return value;
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
                      JSON_REAL_PRECISION(9));
    string = text ? json_string(text) : NULL;
    free(text);
    json_decref(value);
    return string;
}

/* Where the tensors are aligned to something else than usual. */
static int check_alignment(vit_gguf *g, const json_t *value)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 1 || number > 1 << 20 ||
        number & (number - 1))
        return tomevit_fail(g->report, TOMEVIT_EFORMAT, "metadata "
                            "\"general.alignment\": expected a power of 2 up "
                            "to %d, found another value", 1 << 20);
    g->alignment = (size_t)number;
    return 0;
}

/* What is not UTF-8 is not kept; nor is what has an endless key. */
static void keep(json_t *metadata, const char *key, size_t length,
                 json_t *value)
{
    char name[KEY];

    if (!value || length >= sizeof(name) || memchr(key, 0, length))
        return;
    memcpy(name, key, length);
    name[length] = '\0';
    json_object_set(metadata, name, value);
}

static int take_entry(vit_gguf *g, json_t *metadata)
{
    const char *key = NULL;
    size_t length = 0;
    uint64_t type = 0;
    json_t *value = NULL;
    int code = tomevit_gguf_text(g, &key, &length);

    if (!code)
        code = tomevit_gguf_number(g, 4, &type);
    if (!code && type >= TYPES)
        code = tomevit_fail(g->report, TOMEVIT_EFORMAT, "byte %zu: metadata "
                            "\"%.*s\": type %llu is not known", g->at,
                            (int)(length < 80 ? length : 80), key,
                            (unsigned long long)type);
    if (!code)
        code = type == ARRAY ? take_array(g, &value)
                             : take_scalar(g, type, &value);
    if (!code && length == 17 && !memcmp(key, "general.alignment", 17))
        code = check_alignment(g, value);
    value = text_of(value);
    if (!code)
        keep(metadata, key, length, value);
    json_decref(value);
    return code;
}

int tomevit_gguf_metadata(vit_gguf *g, uint64_t entries, json_t **metadata)
{
    uint64_t i;
    int code = 0;

    *metadata = json_object();
    if (!*metadata)
        return tomevit_fail(g->report, TOMEVIT_ENOMEM, "out of memory");
    for (i = 0; !code && i < entries; i++)
        code = take_entry(g, *metadata);
    return code;
}
