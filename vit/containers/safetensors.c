/* SPDX-License-Identifier: MIT */
/* .safetensors files: the length of the header, and what lies behind it. */
#include "config.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../base/bytes.h"
#include "containers.h"
#include "../base/numeric.h"
#include "safetensors.h"

enum { LENGTH_BYTES = 8 };

/* The header's length, once it is known to lie inside the file. */
static int find_header(const unsigned char *bytes, size_t count,
                       size_t *header, const vit_report *report)
{
    uint64_t length = 0;
    size_t i;

    if (count < LENGTH_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected a .safetensors "
                            "header, found a file of %zu bytes", count);
    for (i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (length > count - LENGTH_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "header length %llu "
                            "exceeds the %zu bytes that follow it: cut short, "
                            "or no checkpoint of a known kind",
                            (unsigned long long)length, count - LENGTH_BYTES);
    if (length > VIT_ST_HEADER_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "header length %llu exceeds the limit of %d bytes",
                            (unsigned long long)length,
                            (int)VIT_ST_HEADER_BYTES);
    if (length == 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "header length is 0");
    *header = (size_t)length;
    return 0;
}

/* begin and end are places in the file by now; `more`, if not NULL, the
 * scales of an int8 matrix's rows. */
static int read_tensor(const vit_tensors *tensors, const vit_stored *tensor,
                       float *out, const vit_report *report)
{
    const unsigned char *scales = tensor->more;

    (void)report;
    tensor->dtype->to_f32(tensors->mapping.bytes + tensor->begin,
                          tensor->elements, out);
    for (size_t i = 0; scales && i < tensor->shape[0]; i++) {
        float scale = vit_f32_from_bits(vit_le32(scales + 4 * i));

        for (size_t j = 0; j < tensor->shape[1]; j++)
            *out++ *= scale;
    }
    tomevit_mapping_read(&tensors->mapping, tensor->begin, tensor->end);
    return 0;
}

static int read_int8(const vit_tensors *tensors, const vit_stored *tensor,
                     signed char *out, float *scale)
{
    const unsigned char *scales = tensor->more;

    if (!scales)
        return 0;
    for (size_t i = 0; out && i < tensor->shape[0]; i++)
        scale[i] = vit_f32_from_bits(vit_le32(scales + 4 * i));
    if (out) {
        memcpy(out, tensors->mapping.bytes + tensor->begin, tensor->elements);
        tomevit_mapping_read(&tensors->mapping, tensor->begin, tensor->end);
    }
    return out != NULL;
}

static void release(vit_tensors *tensors)
{
    json_decref(tensors->self);
}

/* ---- int8 ---------------------------------------------------------------- */

/* The scales of an int8 matrix's rows: "NAME_scale", [rows] or [rows, 1]. NULL
 * for a tensor that is no such matrix. */
static vit_stored *scales_of(const vit_tensors *tensors, const vit_stored *t)
{
    char name[256];
    const vit_stored *s;

    if (!t->dtype || strcmp(t->dtype->name, "I8") || t->dims != 2 ||
        (size_t)snprintf(name, sizeof(name), "%s_scale", t->name) >=
            sizeof(name))
        return NULL;
    s = tomevit_tensors_find(tensors, name);
    if (!s || !s->dtype || strcmp(s->dtype->name, "F32") || s->dims < 1 ||
        s->shape[0] != t->shape[0] || s->elements != t->shape[0])
        return NULL;
    return &tensors->list[s - tensors->list];
}

/* Makes matrices of I8 readable that have their scales, and takes the scales
 * off the list: they are part of them. */
static void join_scales(vit_tensors *tensors)
{
    size_t kept = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        vit_stored *t = &tensors->list[i], *s = scales_of(tensors, t);

        if (s) {
            t->dtype = &tomevit_dtype_int8_rows;
            t->more = tensors->mapping.bytes + s->begin;
            s->dtype = NULL;
        }
    }
    for (size_t i = 0; i < tensors->count; i++)
        if (tensors->list[i].dtype)
            tensors->list[kept++] = tensors->list[i];
    tensors->count = kept;
}

/* ---- the file ------------------------------------------------------------ */

int tomevit_safetensors_detect(const unsigned char *bytes, size_t count)
{
    return count > LENGTH_BYTES && bytes[LENGTH_BYTES] == '{';
}

int tomevit_safetensors_read(vit_tensors *tensors, const vit_report *report)
{
    const unsigned char *bytes = tensors->mapping.bytes;
    size_t count = tensors->mapping.count, header = 0, i;
    json_t *json = NULL;
    int code = find_header(bytes, count, &header, report);

    tensors->read = read_tensor;
    tensors->read_int8 = read_int8;
    tensors->release = release;
    if (code)
        return code;
    code = tomevit_st_header_parse(tensors, (const char *)bytes + LENGTH_BYTES,
                                   header, count - LENGTH_BYTES - header,
                                   &json, report);
    tensors->self = json;
    for (i = 0; i < tensors->count; i++) {
        tensors->list[i].begin += LENGTH_BYTES + header;
        tensors->list[i].end += LENGTH_BYTES + header;
    }
    if (!code)
        join_scales(tensors);
    return code;
}
