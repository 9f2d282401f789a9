/* SPDX-License-Identifier: MIT */
/* Reading parts of tensors; see pieces.h. */
#include "config.h"

#include "pieces.h"

#include <stdlib.h>

/* ---- what is kept -------------------------------------------------------- */

/* Stands in a place that some thread is changing. */
static const vit_stored changing;

/* Finds a place with this mark and makes it the caller's own for a moment;
 * NULL if there is none. No thread ever waits for another. */
static vit_kept_place *claim(vit_kept *kept, const vit_stored *mark)
{
    for (size_t i = 0; i < VIT_KEPT; i++) {
        const vit_stored *expected = mark;

        if (atomic_compare_exchange_strong(&kept->places[i].from, &expected,
                                           &changing))
            return &kept->places[i];
    }
    return NULL;
}

/* What is kept of a tensor, which is the caller's then; NULL if nothing is. */
static void *take(vit_kept *kept, const vit_stored *from)
{
    vit_kept_place *place = claim(kept, from);
    void *bytes = place ? place->bytes : NULL;

    if (place) {
        place->bytes = NULL;
        atomic_store(&place->from, NULL);
    }
    return bytes;
}

/* The bytes are freed if there is no place for them. */
static void keep(vit_kept *kept, const vit_stored *from, void *bytes)
{
    vit_kept_place *place = bytes ? claim(kept, NULL) : NULL;

    if (!place) {
        free(bytes);
        return;
    }
    place->bytes = bytes;
    atomic_store(&place->from, from);
}

void tomevit_kept_free(vit_kept *kept)
{
    for (size_t i = 0; i < VIT_KEPT; i++)
        free(kept->places[i].bytes);
}

/* ---- reading ------------------------------------------------------------- */

static int no_memory(const vit_tensors *file, const vit_stored *from,
                     tomevit_message *why)
{
    vit_report report = {file->path, why};

    return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory for tensor "
                        "\"%.80s\"", from->name);
}

/* All elements, moved to `out`; *whole holds them, from an earlier call or for
 * the next one. */
static int read_whole(const vit_tensors *file, const vit_stored *from,
                      const vit_axes *axes, float *out, void **whole,
                      tomevit_message *why)
{
    int code = 0;

    if (!*whole) {
        *whole = malloc((from->elements ? from->elements : 1) * sizeof(*out));
        code = *whole ? tomevit_tensors_read(file, from, *whole, why)
                      : no_memory(file, from, why);
    }
    if (!code)
        tomevit_axes_move(axes, *whole, out);
    return code;
}

/* The part's elements alone. 1 if the file cannot give them so. */
static int read_range(const vit_tensors *file, const vit_stored *from,
                      const vit_axes *axes, float *out, void **made,
                      tomevit_message *why)
{
    vit_axes alone = *axes;
    float *part;
    int code;

    if (!file->read_range)
        return 1;
    part = malloc((axes->elements ? axes->elements : 1) * sizeof(*part));
    if (!part)
        return no_memory(file, from, why);
    alone.offset = 0;
    code = tomevit_tensors_read_range(file, from, axes->offset,
                                      axes->elements, part, made, why);
    if (!code)
        tomevit_axes_move(&alone, part, out);
    free(part);
    return code;
}

int tomevit_piece_read(vit_kept *kept, const vit_tensors *file,
                       const vit_stored *from, const vit_axes *axes,
                       float *out, tomevit_message *why)
{
    int last = axes->offset + axes->elements == from->elements, code;
    void *bytes;

    if (tomevit_axes_plain(axes))
        return tomevit_tensors_read(file, from, out, why);
    bytes = take(kept, from);
    code = axes->elements < from->elements
               ? read_range(file, from, axes, out, &bytes, why) : 1;
    if (code == 1)
        code = read_whole(file, from, axes, out, &bytes, why);
    if (code || last)
        free(bytes);
    else
        keep(kept, from, bytes);
    return code;
}
