/* SPDX-License-Identifier: MIT */
/* A .npy file: one array, called "array". */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "npy.h"
#include "strided.h"

int tomevit_npy_detect(const unsigned char *bytes, size_t count)
{
    return count > 6 && !memcmp(bytes, "\x93NUMPY", 6);
}

/* Column-major arrays have their strides in ascending order. */
static int read_array(const vit_tensors *tensors, const vit_stored *tensor,
                      float *out, const vit_report *report)
{
    const unsigned char *bytes = tensors->mapping.bytes + tensor->begin;
    size_t strides[VIT_DIMS], stride = 1;

    (void)report;
    if (!tensors->self) { /* row-major */
        tensor->dtype->to_f32(bytes, tensor->elements, out);
        return 0;
    }
    for (size_t i = 0; i < tensor->dims; i++) {
        strides[i] = stride;
        stride *= tensor->shape[i];
    }
    tomevit_read_strided(tensor, strides, bytes, out);
    return 0;
}

int tomevit_npy_file_read(vit_tensors *tensors, const vit_report *report)
{
    size_t count = tensors->mapping.count, left;
    vit_npy npy;
    int code = tomevit_npy_read(&npy, "array", tensors->mapping.bytes, count,
                                report);

    if (code)
        return code;
    left = count - npy.bytes;
    if (npy.dtype && (npy.elements > left / (npy.dtype->bits / 8) ||
                      npy.elements * (npy.dtype->bits / 8) != left))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "array: its %zu bytes are "
                            "not %s of shape %s", left, npy.dtype->name,
                            tomevit_shape_text(npy.shape, npy.dims).text);
    tensors->read = read_array;
    tensors->self = npy.fortran && npy.dims > 1 ? tensors : NULL;
    tensors->list = calloc(1, sizeof(*tensors->list));
    if (!tensors->list)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    if (!npy.dtype)
        return 0;
    tensors->list[0] = (vit_stored){.name = "array", .dtype = npy.dtype,
                                    .dims = npy.dims,
                                    .elements = npy.elements,
                                    .begin = npy.bytes, .end = count};
    memcpy(tensors->list[0].shape, npy.shape, sizeof(npy.shape));
    tensors->count = 1;
    return 0;
}
