/* SPDX-License-Identifier: MIT */
/* Any bytes as a checkpoint's container: listed and read whole, or refused in
 * one line. */
#ifndef FUZZ_TENSORS_H
#define FUZZ_TENSORS_H

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../vit/containers/tensors.h"

static inline void fuzz_require(int condition)
{
    if (!condition)
        abort();
}

static inline void fuzz_line(const tomevit_message *why)
{
    fuzz_require(!strncmp(why->text, "fuzz: ", 6) && !strchr(why->text, '\n'));
}

/* Its two halves are what it is as a whole, or neither can be read. */
static inline void fuzz_halves(const vit_tensors *tensors, const vit_stored *t,
                               const float *whole)
{
    size_t half = t->elements / 2, rest = t->elements - half;
    float *part = malloc(rest * sizeof(*part) + 1);
    tomevit_message why = {""};
    void *made = NULL;

    if (part) {
        int code = tomevit_tensors_read_range(tensors, t, 0, half, part, &made,
                                              &why);

        fuzz_require(code || !memcmp(part, whole, half * sizeof(*part)));
        if (!code)
            code = tomevit_tensors_read_range(tensors, t, half, rest, part,
                                              &made, &why);
        fuzz_require(code ||
                     !memcmp(part, whole + half, rest * sizeof(*part)));
    }
    free(made);
    free(part);
}

/* Reads a tensor into memory of exactly its size. */
static inline void fuzz_read(const vit_tensors *tensors, const vit_stored *t)
{
    enum { MOST = 1 << 22 };
    tomevit_message why = {""};
    float *values;

    if (!t->dtype->to_f32 || t->elements > MOST)
        return;
    values = malloc(t->elements * sizeof(*values) + (t->elements == 0));
    if (values && tomevit_tensors_read(tensors, t, values, &why))
        fuzz_line(&why);
    else if (values)
        fuzz_halves(tensors, t, values);
    free(values);
}

static inline void fuzz_tensors(const uint8_t *bytes, size_t size)
{
    tomevit_message why = {""};
    vit_tensors *tensors;
    size_t i, read = 0;

    if (tomevit_tensors_parse("fuzz", bytes, size, &tensors, &why)) {
        fuzz_require(!tensors);
        fuzz_line(&why);
        return;
    }
    for (i = 0; i < tensors->count; i++) {
        const vit_stored *t = &tensors->list[i];

        fuzz_require(i == 0 || strcmp(t[-1].name, t->name) < 0);
        fuzz_require(tomevit_tensors_find(tensors, t->name) == t);
        fuzz_require(t->dims <= VIT_DIMS && t->dtype);
        if (read++ < 64)
            fuzz_read(tensors, t);
    }
    tomevit_tensors_close(tensors);
}

#endif
