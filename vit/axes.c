/* SPDX-License-Identifier: MIT */
/* Tensors with their axes in another order, and parts of tensors. */
#include "config.h"

#include "axes.h"

#include <string.h>

enum { AXES = 4 };

/* What a form does: which axis of the tensor each axis of the result is, and
 * how many of those join into the result's first and second. */
static const struct {
    size_t dims;           /* of the tensor; 0: any */
    size_t axis[AXES];
    size_t join[AXES];     /* 0 ends the list */
} forms[] = {
    [VIT_TRANSPOSED] = {2, {1, 0}, {1, 1}},
    [VIT_HWIO] = {4, {3, 2, 0, 1}, {1, 1, 1, 1}},
    [VIT_TO_HEADS] = {3, {1, 2, 0}, {2, 1}},
    [VIT_FROM_HEADS] = {3, {2, 0, 1}, {1, 2}},
    [VIT_OTHER_THIRDS] = {0, {0}, {0}},
};

/* The tensor as one row of elements, and the shape it has there. */
static void as_it_is(vit_axes *a, const size_t *shape, size_t dims)
{
    a->dims = dims;
    memcpy(a->shape, shape, dims * sizeof *shape);
    a->length[0] = a->elements;
    a->step[0] = 1;
    for (size_t i = 1; i < AXES; i++) {
        a->length[i] = 1;
        a->step[i] = 0;
    }
}

static void reorder(vit_axes *a, const size_t *shape, enum vit_form form)
{
    size_t steps[AXES], dims = forms[form].dims, next = 0;

    for (size_t i = dims, step = 1; i-- > 0;) {
        steps[i] = step;
        step *= shape[i];
    }
    for (size_t i = 0; i < dims; i++) {
        a->length[i] = shape[forms[form].axis[i]];
        a->step[i] = steps[forms[form].axis[i]];
    }
    for (a->dims = 0; a->dims < AXES && forms[form].join[a->dims]; a->dims++) {
        a->shape[a->dims] = 1;
        for (size_t n = 0; n < forms[form].join[a->dims]; n++)
            a->shape[a->dims] *= a->length[next++];
    }
}

/* The first third of the rows, or the others. */
static void take_thirds(vit_axes *a, const size_t *shape, size_t dims,
                        int others)
{
    size_t third = a->elements / 3;

    a->offset += others ? third : 0;
    a->elements = others ? 2 * third : third;
    as_it_is(a, shape, dims);
    a->shape[0] = shape[0] / 3 * (others ? 2 : 1);
}

vit_axes tomevit_axes(const vit_stored *tensor, enum vit_form form,
                      int stacked, size_t index)
{
    const size_t *shape = tensor->shape;
    size_t dims = tensor->dims;
    vit_axes a;

    memset(&a, 0, sizeof a);
    a.whole = a.elements = tensor->elements;
    if (stacked && dims > 0 && index < shape[0]) {
        a.elements /= shape[0];
        a.offset = index * a.elements;
        shape++;
        dims--;
    }
    as_it_is(&a, shape, dims);
    if (form == VIT_VECTOR) {
        as_it_is(&a, &a.elements, 1);
    } else if (form == VIT_TOKENS && dims > 0 && shape[dims - 1] > 0) {
        size_t dim = shape[dims - 1], tokens[3] = {1, a.elements / dim, dim};

        as_it_is(&a, tokens, 3);
    } else if (form == VIT_FIRST_THIRD || form == VIT_OTHER_THIRDS) {
        if (dims > 0 && shape[0] % 3 == 0)
            take_thirds(&a, shape, dims, form == VIT_OTHER_THIRDS);
    } else if (form >= VIT_TRANSPOSED && form <= VIT_FROM_HEADS &&
               dims == forms[form].dims) {
        reorder(&a, shape, form);
    }
    return a;
}

int tomevit_axes_plain(const vit_axes *a)
{
    return a->elements == a->whole && a->length[0] == a->elements;
}

void tomevit_axes_move(const vit_axes *a, const float *in, float *out)
{
    const size_t *n = a->length, *step = a->step;

    in += a->offset;
    for (size_t i = 0; i < n[0]; i++)
        for (size_t j = 0; j < n[1]; j++)
            for (size_t k = 0; k < n[2]; k++)
                for (size_t l = 0; l < n[3]; l++)
                    *out++ = in[i * step[0] + j * step[1] + k * step[2] +
                                l * step[3]];
}
