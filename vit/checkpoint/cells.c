/* SPDX-License-Identifier: MIT */
/* What a file says of how its patches are handed on in squares. */
#include "config.h"

#include <string.h>

#include "checks.h"
#include "description.h"

/* The first product's columns are `side` squared times the width; their order
 * no tensor shows. */
int tomevit_find_cells(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report)
{
    const char *order = tomevit_tensors_metadata(file, "cells");
    const vit_stored *fc1, *fc2;
    size_t side = 1;
    int code = tomevit_need(file, "merger.fc1.weight",
                            "[hidden, side side dim]", 2, &fc1, report);

    if (!code)
        code = tomevit_need(file, "merger.fc2.weight", "[out, hidden]", 2, &fc2,
                            report);
    if (!code)
        code = tomevit_limit("merger.fc1.weight", "a width", fc1->shape[0],
                             VIT_MAX_MLP, report);
    if (!code)
        code = tomevit_limit("merger.fc2.weight", "a width", fc2->shape[0],
                             VIT_MAX_MLP, report);
    if (code)
        return code;
    while (side < VIT_MAX_CELL && side * side * d->dim < fc1->shape[1])
        side++;
    if (side * side * d->dim != fc1->shape[1])
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "rows of a square of patches of width %zu, found "
                            "%zu numbers",
                            tomevit_origin_of(file, "merger.fc1.weight").name,
                            d->dim, fc1->shape[1]);
    if (order && strcmp(order, "patches") && strcmp(order, "channels"))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"cells\": "
                            "expected patches or channels, found \"%.40s\"",
                            order);
    d->pool = TOMEVIT_POOL_CELLS;
    d->cells.side = side;
    d->cells.norm = tomevit_has(file, "merger.norm.weight");
    d->cells.hidden = fc1->shape[0];
    d->cells.out = fc2->shape[0];
    d->cells.by_channel = order ? !strcmp(order, "channels") : !d->cells.norm;
    return 0;
}
