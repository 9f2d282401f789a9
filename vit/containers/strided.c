/* SPDX-License-Identifier: MIT */
/* Tensors whose elements do not lie in the order of their indices. */
#include "config.h"

#include <stdint.h>

#include "strided.h"

void tomevit_strides(const size_t *shape, size_t dims, size_t *strides)
{
    size_t stride = 1, i;

    for (i = dims; i > 0; i--) {
        strides[i - 1] = stride;
        stride *= shape[i - 1];
    }
}

int tomevit_in_order(const size_t *shape, size_t dims, const size_t *strides)
{
    size_t stride = 1, i;

    for (i = dims; i > 0; i--) {
        if (shape[i - 1] != 1 && strides[i - 1] != stride)
            return 0;
        stride *= shape[i - 1];
    }
    return 1;
}

size_t tomevit_span(const size_t *shape, size_t dims, const size_t *strides)
{
    size_t last = 0, i;

    for (i = 0; i < dims; i++)
        if (shape[i] == 0)
            return 0;
    for (i = 0; i < dims; i++) {
        if (strides[i] && shape[i] - 1 > (SIZE_MAX - 1 - last) / strides[i])
            return SIZE_MAX;
        last += (shape[i] - 1) * strides[i];
    }
    return last + 1;
}

void tomevit_read_strided(const vit_stored *tensor, const size_t *strides,
                          const unsigned char *bytes, float *out)
{
    size_t inner = tensor->dims - 1, width = tensor->dtype->bits / 8;
    size_t index[VIT_DIMS] = {0}, at = 0, done = 0, i;

    while (done < tensor->elements) {
        for (i = 0; i < tensor->shape[inner]; i++, done++)
            tensor->dtype->to_f32(bytes + (at + i * strides[inner]) * width, 1,
                                  out + done);
        /* On to the next row of the innermost dimension. */
        for (i = inner; i > 0; i--) {
            at += strides[i - 1];
            if (++index[i - 1] < tensor->shape[i - 1])
                break;
            at -= index[i - 1] * strides[i - 1];
            index[i - 1] = 0;
        }
    }
}
