/* SPDX-License-Identifier: MIT */
/* .safetensors files: the length of the header, and what lies behind it. */
#include "config.h"

#include <jansson.h>
#include <stdint.h>

#include "containers.h"
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

/* begin and end are places in the file by now. */
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
    json_decref(tensors->self);
}

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
    return code;
}
