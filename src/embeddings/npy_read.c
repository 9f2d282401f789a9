/* SPDX-License-Identifier: MIT */
/* .npy files, read whole [NumPy's formats 1.0, 2.0 and 3.0]. */
#include "config.h"

#include "npy_read.h"

#include "../base/memory.h"
#include "half.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, LONGEST = 1 << 16 };

typedef struct npy {
    FILE *file;
    char kind;             /* 'f', 'i', 'u' */
    size_t bytes;          /* of a number */
    size_t dims, dim[2];
} npy;

int npy_is(const char *path)
{
    char first[MAGIC];
    FILE *file = fopen(path, "rb");
    int is = file && fread(first, 1, MAGIC, file) == MAGIC &&
             memcmp(first, magic, MAGIC) == 0;

    if (file)
        fclose(file);
    return is;
}

/* ---- the header ---------------------------------------------------------- */

/* What follows a key of the header, NULL if it is not there. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at)
        return NULL;
    at += strlen(key);
    return at + strspn(at, " :");
}

/* Of this machine's order of bytes, or of single bytes. */
static int read_type(const char *text, npy *n)
{
    const uint16_t one = 1;
    unsigned char low;
    char quote = text ? text[0] : '\0';

    memcpy(&low, &one, 1);
    if ((quote != '\'' && quote != '"') || !text[1] || !text[2] || !text[3] ||
        text[4] != quote || (text[1] != '|' && text[1] != (low ? '<' : '>')))
        return -1;
    n->kind = text[2];
    n->bytes = (size_t)(text[3] - '0');
    return strchr("fiu", n->kind) && (n->bytes == 1 || n->bytes == 2 ||
                                      n->bytes == 4 || n->bytes == 8)
        ? 0 : -1;
}

static int read_shape(const char *text, npy *n)
{
    size_t all = 1;

    if (!text || *text++ != '(')
        return -1;
    for (n->dims = 0; *text != ')' && n->dims < 2; n->dims++) {
        char *end;
        text += strspn(text, " ,");
        if (*text < '0' || *text > '9')
            return -1;
        unsigned long long value = strtoull(text, &end, 10);
        if (value > SIZE_MAX / 16 / all)
            return -1;
        n->dim[n->dims] = (size_t)value;
        all *= value ? (size_t)value : 1;
        text = end + strspn(end, " ,");
    }
    return *text == ')' && n->dims > 0 ? 0 : -1;
}

static int read_header(npy *n, char *why)
{
    unsigned char start[12];
    char *header;
    size_t length, more;

    snprintf(why, NPY_WHY, "it is not a .npy file");
    if (fread(start, 1, 8, n->file) != 8 || memcmp(start, magic, MAGIC) != 0)
        return -1;
    more = start[6] == 1 ? 2 : 4;
    if (fread(start, 1, more, n->file) != more)
        return -1;
    length = start[0] | (size_t)start[1] << 8;
    if (more == 4)
        length |= (size_t)start[2] << 16 | (size_t)start[3] << 24;
    if (length > LONGEST)
        return -1;
    header = memory_zero(length + 1, 1);
    const char *order = NULL, *type;
    int result = -1;
    if (fread(header, 1, length, n->file) == length) {
        order = value_of(header, "fortran_order'");
        type = value_of(header, "descr'");
        type = type ? type : "";
        if (read_type(type, n) != 0)
            snprintf(why, NPY_WHY, "its type %.*s is not one of this "
                     "machine's f2, f4, f8 or whole numbers",
                     (int)strcspn(type, ",}\n"), type);
        else if (!order || strncmp(order, "False", 5) != 0)
            snprintf(why, NPY_WHY, "it is in Fortran's order");
        else if (read_shape(value_of(header, "shape'"), n) != 0)
            snprintf(why, NPY_WHY, "it is not of one or two dimensions");
        else
            result = 0;
    }
    free(header);
    return result;
}

/* 1 if all numbers are there, 0 with a line; a header may say anything, and
 * memory is asked for by it. The shape's product fits, see read_shape. */
static int is_whole(const npy *n, char *why)
{
    size_t wanted = n->dim[0] * (n->dims > 1 ? n->dim[1] : 1) * n->bytes;
    long at = ftell(n->file), last;

    if (at < 0 || fseek(n->file, 0, SEEK_END) != 0 ||
        (last = ftell(n->file)) < 0 || fseek(n->file, at, SEEK_SET) != 0) {
        snprintf(why, NPY_WHY, "%s", strerror(errno));
        return 0;
    }
    if (last >= at && (size_t)(last - at) >= wanted)
        return 1;
    snprintf(why, NPY_WHY, "it is shorter than its shape: expected %zu bytes "
             "of numbers, found %zu", wanted,
             last > at ? (size_t)(last - at) : 0);
    return 0;
}

/* Opens a file of the dimensions that are wanted; 0, or -1. */
static int begin(npy *n, const char *path, size_t dims, int whole, char *why)
{
    memset(n, 0, sizeof(*n));
    n->file = fopen(path, "rb");
    if (!n->file) {
        snprintf(why, NPY_WHY, "%s", strerror(errno));
        return -1;
    }
    if (read_header(n, why) != 0)
        return -1;
    if (n->dims == dims && (n->kind != 'f') == whole && (n->bytes > 1 || whole))
        return is_whole(n, why) ? 0 : -1;
    snprintf(why, NPY_WHY, "expected %zu dimension%s of %s, found %zu of %c%zu",
             dims, dims == 1 ? "" : "s", whole ? "whole numbers" : "f2, f4 or "
             "f8", n->dims, n->kind, n->bytes);
    return -1;
}

static void end(npy *n)
{
    if (n->file)
        fclose(n->file);
}

/* ---- numbers ------------------------------------------------------------- */

static float float_of(const unsigned char *from, size_t bytes)
{
    uint16_t half;
    float single;
    double twice;

    switch (bytes) {
    case 2:
        memcpy(&half, from, 2);
        return half_value(half);
    case 4:
        memcpy(&single, from, 4);
        return single;
    default:
        memcpy(&twice, from, 8);
        return (float)twice;
    }
}

float *npy_read_matrix(const char *path, size_t *rows, size_t *columns,
                       char *why)
{
    unsigned char *row = NULL;
    float *x = NULL;
    npy n;

    int begun = begin(&n, path, 2, 0, why) == 0;
    if (begun && n.dim[0] * n.dim[1] == 0) {
        snprintf(why, NPY_WHY, "there is nothing in it");
        begun = 0;
    }
    if (begun) {
        *rows = n.dim[0];
        *columns = n.dim[1];
        x = memory_zero(*rows * *columns, sizeof(*x));
        row = memory_zero(*columns, n.bytes);
    }
    for (size_t i = 0; x && i < *rows; i++) {
        const char *fault = NULL;
        if (fread(row, n.bytes, *columns, n.file) != *columns)
            fault = "is not there";
        for (size_t k = 0; !fault && k < *columns; k++) {
            float value = float_of(row + k * n.bytes, n.bytes);
            x[i * *columns + k] = value;
            fault = isfinite(value) ? NULL : "is not finite";
        }
        if (fault) {
            snprintf(why, NPY_WHY, "row %zu of %zu %s", i, *rows, fault);
            free(x);
            x = NULL;
        }
    }
    free(row);
    end(&n);
    return x;
}

static int64_t integer_of(const unsigned char *from, const npy *n)
{
    uint64_t value = 0;
    uint32_t four;
    uint16_t two;

    switch (n->bytes) {
    case 1:
        value = from[0];
        break;
    case 2:
        memcpy(&two, from, 2);
        value = two;
        break;
    case 4:
        memcpy(&four, from, 4);
        value = four;
        break;
    default:
        memcpy(&value, from, 8);
        break;
    }
    /* The sign stands at the top. */
    unsigned beyond = (unsigned)(64 - 8 * n->bytes);
    if (n->kind == 'i' && beyond > 0 && value >> (63 - beyond) & 1)
        value |= ~(UINT64_MAX >> beyond);
    return (int64_t)value;
}

int64_t *npy_read_integers(const char *path, size_t *count, char *why)
{
    unsigned char one[8];
    int64_t *x = NULL;
    npy n;

    if (begin(&n, path, 1, 1, why) == 0) {
        *count = n.dim[0];
        x = memory_zero(*count, sizeof(*x));
    }
    for (size_t i = 0; x && i < *count; i++) {
        if (fread(one, n.bytes, 1, n.file) != 1) {
            snprintf(why, NPY_WHY, "number %zu of %zu is not there", i, *count);
            free(x);
            x = NULL;
            break;
        }
        x[i] = integer_of(one, &n);
    }
    end(&n);
    return x;
}
