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
    [VIT_LAST_THIRD] = {0, {0}, {0}},
    [VIT_PATCH_ROWS] = {4, {0, 3, 1, 2}, {1, 1, 1, 1}},
    [VIT_PATCH_PLANES] = {4, {0, 1, 2, 3}, {1, 1, 1, 1}},
};

/* The tensor as one row of elements, and the shape it has there. */
static void as_it_is(vit_axes *a, const size_t *shape, size_t dims)
{
    a->dims = dims;
    memcpy(a->shape, shape, dims * sizeof(*shape));
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

    for (size_t i = dims, step = 1; i > 0; step *= shape[--i])
        steps[i - 1] = step;
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

/* Rows of squares of pixels, if that is what they are. */
static void reorder_patches(vit_axes *a, const size_t *shape,
                            enum vit_form form)
{
    size_t side = 1, square[AXES];

    while (3 * side * side < shape[1])
        side++;
    if (3 * side * side != shape[1])
        return;
    square[0] = shape[0];
    square[2] = side;
    square[1] = form == VIT_PATCH_ROWS ? side : 3;
    square[3] = form == VIT_PATCH_ROWS ? 3 : side;
    reorder(a, square, form);
}

/* So many thirds of the rows, from a third on. */
static void take_thirds(vit_axes *a, const size_t *shape, size_t dims,
                        size_t first, size_t count)
{
    size_t third = a->elements / 3;

    a->offset += first * third;
    a->elements = count * third;
    as_it_is(a, shape, dims);
    a->shape[0] = shape[0] / 3 * count;
}

vit_axes tomevit_axes(const vit_stored *tensor, enum vit_form form,
                      int stacked, size_t index)
{
    const size_t *shape = tensor->shape;
    size_t dims = tensor->dims;
    vit_axes a;

    memset(&a, 0, sizeof(a));
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
    } else if (form == VIT_FIRST_THIRD || form == VIT_OTHER_THIRDS ||
               form == VIT_LAST_THIRD) {
        if (dims > 0 && shape[0] % 3 == 0)
            take_thirds(&a, shape, dims,
                        form == VIT_LAST_THIRD ? 2 : form == VIT_OTHER_THIRDS,
                        form == VIT_OTHER_THIRDS ? 2 : 1);
    } else if ((form == VIT_PATCH_ROWS || form == VIT_PATCH_PLANES) &&
               dims == 2) {
        reorder_patches(&a, shape, form);
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

/* The last axis that is longer than 1 and lies `step` apart, AXES if none. */
static size_t axis_of(const size_t *length, const size_t *steps, size_t step)
{
    size_t found = AXES;

    for (size_t i = 0; i < AXES; i++)
        if (length[i] > 1 && steps[i] == step)
            found = i;
    return found;
}

/* Both ends step by step along some axis: x in the result, y in the tensor.
 * Squares of the two keep to few cache lines at either end. */
static void move_plane(const vit_axes *a, const size_t *steps_out, size_t x,
                       size_t y, const float *in, float *out)
{
    enum { SIDE = 16 };
    size_t columns = a->length[x], rows = x == y ? 1 : a->length[y];

    for (size_t r = 0; r < rows; r += SIDE) {
        size_t height = rows - r < SIDE ? rows - r : SIDE;

        for (size_t c = 0; c < columns; c += SIDE) {
            size_t width = columns - c < SIDE ? columns - c : SIDE;

            for (size_t i = 0; i < height; i++)
                for (size_t j = 0; j < width; j++)
                    out[(r + i) * steps_out[y] + c + j] =
                        in[(r + i) + (c + j) * a->step[x]];
        }
    }
}

void tomevit_axes_move(const vit_axes *a, const float *in, float *out)
{
    size_t steps_out[AXES], n[AXES], x, y;

    for (size_t i = AXES, step = 1; i > 0; step *= a->length[--i])
        steps_out[i - 1] = step;
    x = axis_of(a->length, steps_out, 1);
    y = axis_of(a->length, a->step, 1);
    in += a->offset;
    if (x == AXES)
        x = AXES - 1; /* one element */
    if (y == AXES)
        y = x;
    memcpy(n, a->length, sizeof(n));
    n[x] = n[y] = 1;
    for (size_t i = 0; i < n[0]; i++)
        for (size_t j = 0; j < n[1]; j++)
            for (size_t k = 0; k < n[2]; k++)
                for (size_t l = 0; l < n[3]; l++)
                    move_plane(a, steps_out, x, y,
                               in + i * a->step[0] + j * a->step[1] +
                                   k * a->step[2] + l * a->step[3],
                               out + i * steps_out[0] + j * steps_out[1] +
                                   k * steps_out[2] + l * steps_out[3]);
}
