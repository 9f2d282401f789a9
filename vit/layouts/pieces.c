/* SPDX-License-Identifier: MIT */
/* Reading parts of tensors; see pieces.h. */
#include "config.h"

#include "pieces.h"

#include <stdlib.h>

/* ---- what is kept ---------------------------------------------------------- */

/* Takes what is kept of a tensor (or, from NULL, a free place) away and leaves
 * `bytes` of another in its place; 0 if there is none such. */
static int swap(vit_kept *kept, const vit_stored *from,
                const vit_stored *other, void **bytes)
{
    int found = 0;

    while (atomic_flag_test_and_set(&kept->busy))
        ;
    for (size_t i = 0; !found && i < VIT_KEPT; i++)
        if (kept->places[i].from == from) {
            void *old = kept->places[i].bytes;

            kept->places[i].from = other;
            kept->places[i].bytes = *bytes;
            *bytes = old;
            found = 1;
        }
    atomic_flag_clear(&kept->busy);
    return found;
}

static void *take(vit_kept *kept, const vit_stored *from)
{
    void *bytes = NULL;

    swap(kept, from, NULL, &bytes);
    return bytes;
}

static void keep(vit_kept *kept, const vit_stored *from, void *bytes)
{
    if (bytes && !swap(kept, NULL, from, &bytes))
        free(bytes);
}

void tomevit_kept_free(vit_kept *kept)
{
    for (size_t i = 0; i < VIT_KEPT; i++)
        free(kept->places[i].bytes);
}

/* ---- reading ----------------------------------------------------------------- */

static int no_memory(const vit_stored *from, const vit_report *report)
{
    return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for tensor "
                        "\"%.80s\"", from->name);
}

/* All elements, moved to `out`; *whole holds them, from an earlier call or for
 * the next one. */
static int read_whole(const vit_tensors *file, const vit_stored *from,
                      const vit_axes *axes, float *out, void **whole,
                      const vit_report *report)
{
    int code = 0;

    if (!*whole) {
        *whole = malloc((from->elements ? from->elements : 1) * sizeof *out);
        code = *whole ? file->read(file, from, *whole, report)
                      : no_memory(from, report);
    }
    if (!code)
        tomevit_axes_move(axes, *whole, out);
    return code;
}

/* The part's elements alone. 1 if the file cannot give them so. */
static int read_range(const vit_tensors *file, const vit_stored *from,
                      const vit_axes *axes, float *out, void **made,
                      const vit_report *report)
{
    vit_axes alone = *axes;
    float *part;
    int code;

    if (!file->read_range)
        return 1;
    part = malloc((axes->elements ? axes->elements : 1) * sizeof *part);
    if (!part)
        return no_memory(from, report);
    alone.offset = 0;
    code = file->read_range(file, from, axes->offset, axes->elements, part,
                            made, report);
    if (!code)
        tomevit_axes_move(&alone, part, out);
    free(part);
    return code;
}

int tomevit_piece_read(vit_kept *kept, const vit_tensors *file,
                       const vit_stored *from, const vit_axes *axes,
                       float *out, const vit_report *report)
{
    int last = axes->offset + axes->elements == from->elements, code;
    void *bytes;

    if (tomevit_axes_plain(axes))
        return file->read(file, from, out, report);
    bytes = take(kept, from);
    code = axes->elements < from->elements
               ? read_range(file, from, axes, out, &bytes, report) : 1;
    if (code == 1)
        code = read_whole(file, from, axes, out, &bytes, report);
    if (code || last)
        free(bytes);
    else
        keep(kept, from, bytes);
    return code;
}
