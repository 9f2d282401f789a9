/* SPDX-License-Identifier: MIT */
/* What the tests of all containers share. */
#include "config.h"

#include "containers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "refused.h"

char *fixture_path(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char path[4096];

    cr_assert_lt(snprintf(path, sizeof(path), "%s/tests/fixtures/%s",
                          srcdir ? srcdir : ".", name), (int)sizeof(path));
    return strdup(path);
}

unsigned char *fixture_bytes(const char *name, size_t *count)
{
    char *path = fixture_path(name);
    FILE *in = fopen(path, "rb");
    unsigned char *bytes;
    long length;

    cr_assert_not_null(in, "no %s", path);
    cr_assert_eq(fseek(in, 0, SEEK_END), 0);
    length = ftell(in);
    cr_assert_gt(length, 0);
    rewind(in);
    *count = (size_t)length;
    bytes = malloc(*count);
    cr_assert_eq(fread(bytes, 1, *count, in), *count);
    fclose(in);
    free(path);
    return bytes;
}

vit_tensors *fixture_open(const char *name, const char *container)
{
    char *path = fixture_path(name);
    tomevit_message why = {""};
    vit_tensors *tensors;
    int code = tomevit_tensors_open(path, &tensors, &why);

    cr_assert_eq(code, 0, "%s", why.text);
    cr_assert_str_eq(tensors->container, container);
    cr_assert_str_eq(tensors->path, path);
    free(path);
    return tensors;
}

void check_ramp_near(const vit_tensors *tensors, const char *name,
                     const char *dtype, const char *shape, double tolerance)
{
    const vit_stored *t = tomevit_tensors_find(tensors, name);
    tomevit_message why = {""};
    float *values;
    size_t i;

    cr_assert_not_null(t, "no tensor %s", name);
    cr_assert_str_eq(t->dtype->name, dtype, "%s is %s", name, t->dtype->name);
    cr_assert_str_eq(tomevit_shape_text(t->shape, t->dims).text, shape,
                     "%s has another shape", name);
    cr_assert_not_null(t->dtype->to_f32);
    values = malloc((t->elements + 1) * sizeof(*values));
    values[t->elements] = 12345;
    cr_assert_eq(tomevit_tensors_read(tensors, t, values, &why), 0, "%s",
                 why.text);
    for (i = 0; i < t->elements; i++)
        cr_assert(fabs((double)values[i] - ((double)i / 2 - 1)) <= tolerance,
                  "%s[%zu] is %g", name, i, (double)values[i]);
    cr_assert_eq(values[t->elements], 12345);
    free(values);
}

void check_ramp(const vit_tensors *tensors, const char *name,
                const char *dtype, const char *shape)
{
    check_ramp_near(tensors, name, dtype, shape, 0);
}

void check_names(const vit_tensors *tensors, const char *names)
{
    char found[4096];
    size_t used = 0, i;

    for (i = 0; i < tensors->count; i++)
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%s",
                                 i ? " " : "", tensors->list[i].name);
    cr_assert_str_eq(found, names);
}

void refuse_bytes(const unsigned char *bytes, size_t count, const char *words)
{
    vit_tensors *tensors = (vit_tensors *)&tensors;
    tomevit_message why = {""};
    int code = tomevit_tensors_parse("some/file", bytes, count, &tensors,
                                     &why);

    cr_assert_null(tensors);
    refused(code, TOMEVIT_EFORMAT, &why, "some/file", words);
    cr_assert_eq(tomevit_tensors_parse("f", bytes, count, &tensors, NULL),
                 TOMEVIT_EFORMAT);
}

void refuse_changed(const char *fixture, const char *from, const char *to,
                    size_t length, const char *words)
{
    size_t count, changed = 0, i;
    unsigned char *bytes = fixture_bytes(fixture, &count);

    for (i = 0; i + length <= count; i++)
        if (!memcmp(bytes + i, from, length)) {
            memcpy(bytes + i, to, length);
            changed++;
        }
    cr_assert_gt(changed, 0, "%s: nothing to change", fixture);
    refuse_bytes(bytes, count, words);
    free(bytes);
}

void refuse_cuts(const char *fixture, size_t step, size_t spare)
{
    size_t count, cut;
    unsigned char *bytes = fixture_bytes(fixture, &count);

    for (cut = 0; cut < count - spare; cut += step) {
        unsigned char *exact = malloc(cut + 1);

        memcpy(exact, bytes, cut);
        refuse_bytes(exact, cut, "");
        free(exact);
    }
    free(bytes);
}

/* Reads all that can be read; an error of reading is one line too. */
static void read_all(const vit_tensors *tensors)
{
    size_t i;

    for (i = 0; i < tensors->count; i++) {
        const vit_stored *t = &tensors->list[i];
        tomevit_message why = {""};
        float *values;
        int code;

        if (!t->dtype->to_f32 || t->elements > 1 << 20)
            continue;
        values = malloc((t->elements + 1) * sizeof(*values));
        code = tomevit_tensors_read(tensors, t, values, &why);
        if (code)
            refused(code, TOMEVIT_EFORMAT, &why, "some/file", "");
        free(values);
    }
}

void survive_damage(const char *fixture, size_t times, size_t least)
{
    size_t count, i, opened = 0, turned_down = 0;
    unsigned char *bytes = fixture_bytes(fixture, &count);
    uint32_t random = 1;

    for (i = 0; i < times; i++) {
        tomevit_message why = {""};
        vit_tensors *tensors;
        unsigned char old;
        size_t at;
        int code;

        at = (draw_32(&random) >> 8) % count;
        old = bytes[at];
        bytes[at] = (unsigned char)(draw_32(&random) >> 24);
        code = tomevit_tensors_parse("some/file", bytes, count, &tensors,
                                     &why);
        if (code)
            refused(code, TOMEVIT_EFORMAT, &why, "some/file", "");
        else
            read_all(tensors);
        opened += code == 0;
        turned_down += code != 0;
        tomevit_tensors_close(tensors);
        bytes[at] = old;
    }
    cr_assert_gt(opened, 0);
    cr_assert_geq(turned_down, least, "only %zu refused", turned_down);
    free(bytes);
}

/* All elements, to be freed; NULL for an error of reading, which is reported
 * in one line. */
static float *values_of(const vit_tensors *tensors, const vit_stored *t)
{
    tomevit_message why = {""};
    float *values = malloc((t->elements + 1) * sizeof(*values));
    int code = tomevit_tensors_read(tensors, t, values, &why);

    if (!code)
        return values;
    refused(code, TOMEVIT_EFORMAT, &why, "some/file", "");
    free(values);
    return NULL;
}

/* How many tensors of `now` could not be read; the others are as in `good`. */
static size_t count_refused(const vit_tensors *now, const vit_tensors *good)
{
    size_t noticed = 0;

    for (size_t i = 0; i < good->count; i++) {
        const vit_stored *a = &good->list[i];
        const vit_stored *b = tomevit_tensors_find(now, a->name);
        float *before, *after;

        if (!a->dtype->to_f32 || !b || b->elements != a->elements)
            continue;
        before = values_of(good, a);
        after = values_of(now, b);
        noticed += !after;
        cr_assert(!after || !memcmp(before, after,
                                    a->elements * sizeof(*after)),
                  "%s is read with other elements", a->name);
        free(before);
        free(after);
    }
    return noticed;
}

void notice_damage(const char *fixture, size_t step)
{
    size_t count, noticed = 0;
    unsigned char *bytes = fixture_bytes(fixture, &count);
    unsigned char *damaged = malloc(count);
    vit_tensors *good, *now;

    cr_assert_eq(tomevit_tensors_parse("some/file", bytes, count, &good, NULL),
                 0);
    memcpy(damaged, bytes, count);
    for (size_t at = 0; at < count; at += step) {
        damaged[at] ^= 0x10;
        if (tomevit_tensors_parse("some/file", damaged, count, &now, NULL))
            noticed++;
        else
            noticed += count_refused(now, good);
        tomevit_tensors_close(now);
        damaged[at] = bytes[at];
    }
    cr_assert_gt(noticed, 0);
    tomevit_tensors_close(good);
    free(damaged);
    free(bytes);
}
