/* SPDX-License-Identifier: MIT */
/* .safetensors files written: the header, then tensor by tensor. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dtype.h"
#include "../base/numeric.h"
#include "safetensors_write.h"

enum { BUFFER = 1 << 20, ALIGNMENT = 8 };

typedef struct writer {
    int fd;
    size_t used;
    unsigned char *buffer;                  /* [BUFFER] */
    const vit_report *report;
} writer;

/* ---- bytes --------------------------------------------------------------- */

static int flush(writer *w)
{
    const unsigned char *at = w->buffer;

    while (w->used > 0) {
        ssize_t now = write(w->fd, at, w->used);

        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return tomevit_fail(w->report, TOMEVIT_EIO, "cannot write: %s",
                                now < 0 ? strerror(errno) : "nothing taken");
        at += now;
        w->used -= (size_t)now;
    }
    return 0;
}

static int put(writer *w, const void *bytes, size_t count)
{
    const unsigned char *from = bytes;
    int code = 0;

    while (!code && count > 0) {
        size_t room = BUFFER - w->used, now = count < room ? count : room;

        memcpy(w->buffer + w->used, from, now);
        w->used += now;
        from += now;
        count -= now;
        if (w->used == BUFFER)
            code = flush(w);
    }
    return code;
}

/* ---- the header ---------------------------------------------------------- */

static size_t elements_of(const vit_st_tensor *t)
{
    size_t elements = 1, i;

    for (i = 0; i < t->dims; i++)
        elements *= t->shape[i];
    return elements;
}

/* An entry of the header; *offset moves on behind the tensor. */
static json_t *entry_of(const vit_st_tensor *t, size_t *offset)
{
    json_t *list = json_array();
    size_t begin = *offset, i;

    for (i = 0; i < t->dims; i++)
        json_array_append_new(list, json_integer((json_int_t)t->shape[i]));
    if (json_array_size(list) != t->dims) {
        json_decref(list);
        return NULL;
    }
    *offset += elements_of(t) * tomevit_dtype_find(t->dtype)->bits / 8;
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype", t->dtype, "shape", list,
                     "data_offsets", (json_int_t)begin, (json_int_t)*offset);
}

static char *header_text(const vit_st_output *o)
{
    json_t *header = json_object();
    size_t offset = 0, i;
    char *text;

    json_object_set(header, "__metadata__", o->metadata);
    for (i = 0; i < o->count; i++) {
        vit_st_tensor t = o->describe(o->self, i);

        json_object_set_new(header, t.name, entry_of(&t, &offset));
    }
    text = json_object_size(header) == o->count + 1
               ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    return text;
}

/* Blanks behind the header align the data, as other writers do. */
static int put_header(writer *w, const char *text)
{
    size_t length = strlen(text), padded, i;
    unsigned char bytes[8];
    int code;

    padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    code = put(w, bytes, sizeof(bytes));
    if (!code)
        code = put(w, text, length);
    for (; !code && length < padded; length++)
        code = put(w, " ", 1);
    return code;
}

/* ---- tensors ------------------------------------------------------------- */

/* An element's bits; *lost if a finite value would become infinite. */
typedef uint32_t bits_function(float value, int *lost);

static uint32_t f32_bits(float value, int *lost)
{
    (void)lost;
    return vit_f32_bits(value);
}

static uint32_t f16_bits(float value, int *lost)
{
    uint16_t half = vit_f16_from_f32(value);

    *lost |= isfinite(value) && !isfinite(vit_f32_from_f16(half));
    return half;
}

static uint32_t bf16_bits(float value, int *lost)
{
    uint16_t half = vit_bf16_from_f32(value);

    *lost |= isfinite(value) && !isfinite(vit_f32_from_bf16(half));
    return half;
}

static uint32_t i8_bits(float value, int *lost)
{
    (void)lost;
    return (uint32_t)(int32_t)value;
}

static const struct {
    const char *dtype;
    bits_function *bits;
} kinds[] = {
    {"F32", f32_bits}, {"F16", f16_bits}, {"BF16", bf16_bits}, {"I8", i8_bits},
};

static bits_function *bits_of(const char *dtype)
{
    size_t i = 0;

    while (strcmp(kinds[i].dtype, dtype))
        i++;
    return kinds[i].bits;
}

static int put_tensor(writer *w, const vit_st_tensor *t, const float *values)
{
    size_t count = elements_of(t), i, k;
    size_t width = tomevit_dtype_find(t->dtype)->bits / 8;
    bits_function *to_bits = bits_of(t->dtype);
    int code = 0, lost = 0;

    for (i = 0; !code && i < count; i++) {
        uint32_t bits = to_bits(values[i], &lost);
        unsigned char bytes[4];

        for (k = 0; k < width; k++)
            bytes[k] = (unsigned char)(bits >> 8 * k);
        code = put(w, bytes, width);
        if (lost)
            return tomevit_fail(w->report, TOMEVIT_EMODEL, "tensor \"%s\": %g "
                                "is too large for %s", t->name,
                                (double)values[i], t->dtype);
    }
    return code;
}

static size_t largest(const vit_st_output *o)
{
    size_t most = 1, i;

    for (i = 0; i < o->count; i++) {
        vit_st_tensor t = o->describe(o->self, i);
        size_t elements = elements_of(&t);

        most = elements > most ? elements : most;
    }
    return most;
}

static int put_tensors(writer *w, const vit_st_output *o)
{
    float *values = malloc(largest(o) * sizeof(*values));
    size_t i;
    int code = 0;

    if (!values)
        return tomevit_fail(w->report, TOMEVIT_ENOMEM, "out of memory");
    for (i = 0; !code && i < o->count; i++) {
        vit_st_tensor t = o->describe(o->self, i);

        code = o->read(o->self, i, values, w->report);
        if (!code)
            code = put_tensor(w, &t, values);
    }
    free(values);
    return code;
}

/* All that may be refused for want of memory but one tensor comes before the
 * file is there. */
int tomevit_safetensors_write(const vit_st_output *output,
                              const vit_report *report)
{
    writer w = {.report = report};
    char *header = header_text(output);
    int code = 0;

    w.buffer = malloc(BUFFER);
    if (!w.buffer || !header)
        code = tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    w.fd = code ? -1 : open(report->path,
                            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (!code && w.fd < 0)
        code = tomevit_fail(report, TOMEVIT_EIO, "cannot create: %s",
                            strerror(errno));
    if (!code)
        code = put_header(&w, header);
    if (!code)
        code = put_tensors(&w, output);
    if (!code)
        code = flush(&w);
    /* Some file systems report a full disk only here. */
    if (!code && fsync(w.fd) && errno != EINVAL)
        code = tomevit_fail(report, TOMEVIT_EIO, "cannot write: %s",
                            strerror(errno));
    if (w.fd >= 0 && close(w.fd) && !code)
        code = tomevit_fail(report, TOMEVIT_EIO, "cannot write: %s",
                            strerror(errno));
    free(w.buffer);
    free(header);
    return code;
}
