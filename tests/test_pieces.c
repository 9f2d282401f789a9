/* SPDX-License-Identifier: MIT */
/* Parts of tensors: right in any order, and what has to be made of the file
 * first is made once if they are read in theirs. */
#include "config.h"

#include "../vit/layouts/pieces.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { LAYERS = 5, ROWS = 6, COLUMNS = 4, LAYER = ROWS * COLUMNS, MANY = 40 };

static vit_stored tensors[MANY];
static int in_order;       /* what the file says of its elements */
static size_t made, whole_reads;

/* Element e of tensor t. */
static float value(size_t t, size_t e)
{
    return (float)(1000 * t + e);
}

static int read_all(const vit_tensors *file, const vit_stored *tensor,
                    float *out, const vit_report *report)
{
    (void)file;
    (void)report;
    whole_reads++;
    for (size_t e = 0; e < tensor->elements; e++)
        out[e] = value((size_t)(tensor - tensors), e);
    return 0;
}

static int read_range(const vit_tensors *file, const vit_stored *tensor,
                      size_t first, size_t count, float *out, void **kept,
                      const vit_report *report)
{
    (void)file;
    (void)report;
    if (!in_order)
        return 1;
    if (!*kept) {
        *kept = malloc(sizeof(size_t));
        *(size_t *)*kept = (size_t)(tensor - tensors);
        made++;
    }
    for (size_t e = 0; e < count; e++)
        out[e] = value(*(size_t *)*kept, first + e);
    return 0;
}

static void set_up(void)
{
    for (size_t t = 0; t < MANY; t++)
        tensors[t] = (vit_stored){.name = "stack", .dims = 3,
                                  .shape = {LAYERS, ROWS, COLUMNS},
                                  .elements = LAYERS * LAYER};
    made = whole_reads = 0;
    in_order = 1;
}

TestSuite(pieces, .init = set_up);

static const vit_tensors with_ranges = {.read = read_all,
                                        .read_range = read_range};
static const vit_tensors without = {.read = read_all};

/* Layer `layer` of tensor t, transposed. */
static void check(vit_kept *kept, const vit_tensors *file, size_t t,
                  size_t layer)
{
    vit_axes axes = tomevit_axes(&tensors[t], VIT_TRANSPOSED, 1, layer);
    float out[LAYER];

    cr_assert_eq(tomevit_piece_read(kept, file, &tensors[t], &axes, out, NULL),
                 0);
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t r = 0; r < ROWS; r++)
            cr_assert_eq(out[c * ROWS + r],
                         value(t, layer * LAYER + r * COLUMNS + c),
                         "tensor %zu, layer %zu", t, layer);
}

Test(pieces, a_stack_read_in_order_is_made_once)
{
    vit_kept kept = {{{NULL, NULL}}};

    for (size_t layer = 0; layer < LAYERS; layer++)
        check(&kept, &with_ranges, 0, layer);
    cr_expect_eq(made, 1);
    for (size_t i = 0; i < VIT_KEPT; i++)
        cr_expect_null(kept.places[i].bytes, "more is kept than is needed");
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (size_t t = 0; t < 16; t++)
            check(&kept, &with_ranges, t, layer);
    cr_expect_eq(made, 17);
    cr_expect_eq(whole_reads, 0);
    tomevit_kept_free(&kept);
}

Test(pieces, elements_in_another_order_are_converted_once)
{
    vit_kept kept = {{{NULL, NULL}}};

    in_order = 0;
    for (size_t layer = 0; layer < LAYERS; layer++) {
        check(&kept, &with_ranges, 0, layer);
        check(&kept, &without, 1, layer);
    }
    cr_expect_eq(whole_reads, 2);
    tomevit_kept_free(&kept);
}

/* More stacks than are kept, and layers that are read again. */
Test(pieces, any_order_gives_the_same)
{
    vit_kept kept = {{{NULL, NULL}}};

    for (size_t layer = LAYERS; layer > 0; layer--)
        for (size_t t = 0; t < MANY; t++)
            check(&kept, t % 2 ? &with_ranges : &without, t, layer - 1);
    for (size_t t = 0; t < MANY; t++)
        check(&kept, &with_ranges, t - t % 2 + 1, t % LAYERS);
    tomevit_kept_free(&kept);
}

/* Of three matrices in one, the first, then the others. */
Test(pieces, thirds_are_parts_too)
{
    vit_kept kept = {{{NULL, NULL}}};
    vit_stored *t = &tensors[3];
    vit_axes first, others;
    float out[LAYERS * LAYER];

    *t = (vit_stored){.name = "in_proj", .dims = 2, .shape = {6, 4},
                      .elements = 24};
    first = tomevit_axes(t, VIT_FIRST_THIRD, 0, 0);
    others = tomevit_axes(t, VIT_OTHER_THIRDS, 0, 0);
    cr_assert_eq(tomevit_piece_read(&kept, &with_ranges, t, &first, out, NULL),
                 0);
    cr_assert_eq(tomevit_piece_read(&kept, &with_ranges, t, &others, out + 8,
                                    NULL), 0);
    for (size_t e = 0; e < 24; e++)
        cr_assert_eq(out[e], value(3, e));
    cr_expect_eq(made, 1);
    tomevit_kept_free(&kept);
}
