/* SPDX-License-Identifier: MIT */
/* The header of a .npy array: a Python dict of three keys, as text. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "../base/bytes.h"
#include "npy.h"

enum { START = 8 };                         /* magic and version */

typedef struct text {
    const char *at, *end;
} text;

/* bf16 has no name in NumPy: JAX's arrays come as two bytes of no type. */
static const struct {
    char descr[4];
    const char *dtype;
} dtypes[] = {
    {"<f4", "F32"}, {"<f2", "F16"}, {"|V2", "BF16"}, {"<f8", "F64"},
    {"<i8", "I64"}, {"<i4", "I32"}, {"<i2", "I16"}, {"|i1", "I8"},
    {"<u8", "U64"}, {"<u4", "U32"}, {"<u2", "U16"}, {"|u1", "U8"},
    {"|b1", "BOOL"}, {"<c8", "C64"},
};

static void skip_blanks(text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

/* 1 and past it if the next character, after blanks, is this one. */
static int take(text *t, char wanted)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != wanted)
        return 0;
    t->at++;
    return 1;
}

/* A string in single or double quotes, without escapes. */
static int take_string(text *t, const char **start, size_t *length)
{
    char quote;

    skip_blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return 0;
    quote = *t->at++;
    *start = t->at;
    while (t->at < t->end && *t->at != quote)
        t->at++;
    *length = (size_t)(t->at - *start);
    return take(t, quote);
}

static int take_word(text *t, const char *word)
{
    size_t length = strlen(word);

    skip_blanks(t);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length))
        return 0;
    t->at += length;
    return 1;
}

static int take_size(text *t, size_t *size)
{
    const char *start;

    skip_blanks(t);
    start = t->at;
    for (*size = 0; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        size_t digit = (size_t)(*t->at - '0');

        if (*size > (SIZE_MAX - digit) / 10)
            return 0;
        *size = *size * 10 + digit;
    }
    if (t->at == start)
        return 0;
    take(t, 'L');                           /* Python 2's long */
    return 1;
}

/* "(2, 3)", "(2,)", "()". */
static int take_shape(text *t, vit_npy *npy)
{
    npy->elements = 1;
    if (!take(t, '('))
        return 0;
    while (!take(t, ')')) {
        size_t side;

        if (npy->dims == VIT_DIMS || !take_size(t, &side) ||
            (side && npy->elements > SIZE_MAX / side))
            return 0;
        npy->shape[npy->dims++] = side;
        npy->elements *= side;
        if (!take(t, ',') && (t->at == t->end || *t->at != ')'))
            return 0;
    }
    return 1;
}

/* A type of its own fields is a list of tuples: skipped, not known. */
static int skip_list(text *t)
{
    size_t depth = 0;

    do {
        if (t->at == t->end)
            return 0;
        depth += *t->at == '[' || *t->at == '(';
        depth -= *t->at == ']' || *t->at == ')';
        t->at++;
    } while (depth > 0);
    return 1;
}

/* What has no name here is left without a dtype. */
static int take_dtype(text *t, vit_npy *npy)
{
    const char *descr = NULL;
    size_t length = 0, i;

    skip_blanks(t);
    if (t->at < t->end && *t->at == '[')
        return skip_list(t);
    if (!take_string(t, &descr, &length))
        return 0;
    npy->swapped = length > 0 && descr[0] == '>';
    for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++)
        if (length == 3 && !memcmp(dtypes[i].descr, descr, 3))
            npy->dtype = tomevit_dtype_find(dtypes[i].dtype);
    return 1;
}

static int take_bool(text *t, int *value)
{
    *value = take_word(t, "True");
    return *value || take_word(t, "False");
}

/* A key, which must be new, and its value. */
static int take_entry(text *t, vit_npy *npy, unsigned *found)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    const char *key = "";
    size_t length = 0;
    unsigned i = 0;

    if (!take_string(t, &key, &length) || !take(t, ':'))
        return 0;
    while (i < 3 && (strlen(keys[i]) != length ||
                     memcmp(keys[i], key, length)))
        i++;
    if (i == 3 || *found & 1u << i)
        return 0;
    *found |= 1u << i;
    return i == 0 ? take_dtype(t, npy)
         : i == 1 ? take_bool(t, &npy->fortran) : take_shape(t, npy);
}

/* 1 if `t` holds a dict of all three keys and no more. */
static int take_dict(text t, vit_npy *npy)
{
    unsigned found = 0;

    if (!take(&t, '{'))
        return 0;
    while (!take(&t, '}'))
        if (!take_entry(&t, npy, &found) ||
            (!take(&t, ',') && (t.at == t.end || *t.at != '}')))
            return 0;
    skip_blanks(&t);
    return found == 7 && t.at == t.end;
}

int tomevit_npy_read(vit_npy *npy, const char *name,
                     const unsigned char *bytes, size_t count,
                     const vit_report *report)
{
    static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    size_t start, length;
    text t;

    memset(npy, 0, sizeof(*npy));
    if (count < START + 4 || memcmp(bytes, magic, sizeof(magic)) ||
        bytes[6] < 1 || bytes[6] > 3)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "array \"%.80s\": "
                            "expected a .npy header of version 1 to 3, found "
                            "none", name);
    start = bytes[6] == 1 ? START + 2 : START + 4;
    length = bytes[6] == 1 ? vit_le16(bytes + START) : vit_le32(bytes + START);
    if (length > count - start)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "array \"%.80s\": its "
                            "header of %zu bytes is cut short or too long",
                            name, length);
    npy->bytes = start + length;
    t.at = (const char *)bytes + start;
    t.end = t.at + length;
    if (!take_dict(t, npy))
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "array \"%.80s\": expected "
                            "{'descr', 'fortran_order', 'shape'} with at most "
                            "%d dimensions, found another header", name,
                            (int)VIT_DIMS);
    if (npy->swapped)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "array \"%.80s\": "
                            "expected little-endian numbers, found big-endian "
                            "ones", name);
    return 0;
}
