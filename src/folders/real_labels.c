/* SPDX-License-Identifier: MIT */
/* ReaL: the classes that people found in ImageNet's validation images. */
#include "real_labels.h"

#include "../base/memory.h"
#include "../base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "ILSVRC2012_val_"
enum { DIGITS = 8 };

/* The labels of one image. 0, or -1 with a line in why. */
static int read_image(const json_t *list, size_t classes, size_t *capacity,
                      real_labels *out, char *why)
{
    size_t image = out->count, end = out->start[image];

    if (!json_is_array(list)) {
        snprintf(why, REAL_LABELS_WHY, "image %zu: expected a list of "
                 "class indices", image + 1);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) >= classes) {
            snprintf(why, REAL_LABELS_WHY, "image %zu: expected class indices "
                     "below %zu", image + 1, classes);
            return -1;
        }
        out->label = memory_grow(out->label, end, capacity,
                                 sizeof(*out->label));
        out->label[end++] = (int32_t)json_integer_value(value);
    }
    out->start[++out->count] = end;
    return 0;
}

int real_labels_read(const char *path, size_t classes, real_labels *out,
                     char *why)
{
    char reason[REAL_LABELS_WHY - 212] = "expected a list with a list of "
        "class indices for each image";
    json_error_t error;
    json_t *root = text_load_json(path, &error);
    size_t capacity = 0;
    int result = -1;

    memset(out, 0, sizeof(*out));
    if (!root) {
        if (error.line > 0)
            snprintf(why, REAL_LABELS_WHY, "%.200s: line %d: %.200s", path,
                     error.line, error.text);
        else
            snprintf(why, REAL_LABELS_WHY, "%.400s", error.text);
        return -1;
    }
    if (json_is_array(root) && json_array_size(root) > 0) {
        out->start = memory_zero(json_array_size(root) + 1,
                                 sizeof(*out->start));
        for (result = 0; result == 0 && out->count < json_array_size(root);)
            result = read_image(json_array_get(root, out->count), classes,
                                &capacity, out, reason);
    }
    json_decref(root);
    if (result != 0) {
        snprintf(why, REAL_LABELS_WHY, "%.200s: %s", path, reason);
        real_labels_free(out);
    }
    return result;
}

void real_labels_free(real_labels *r)
{
    free(r->start);
    free(r->label);
    memset(r, 0, sizeof(*r));
}

/* The image's place in the list, SIZE_MAX if it is not one of them. */
static size_t find(const real_labels *r, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name, *number;
    size_t place = 0;

    if (strncmp(base, PREFIX, strlen(PREFIX)) != 0)
        return SIZE_MAX;
    number = base + strlen(PREFIX);
    if (strspn(number, "0123456789") != DIGITS ||
        (number[DIGITS] != '.' && number[DIGITS] != '\0'))
        return SIZE_MAX;
    for (size_t i = 0; i < DIGITS; i++)
        place = place * 10 + (size_t)(number[i] - '0');
    return place >= 1 && place <= r->count ? place - 1 : SIZE_MAX;
}

int real_labels_knows(const real_labels *r, const char *name)
{
    return r->count > 0 && find(r, name) != SIZE_MAX;
}

int real_labels_has(const real_labels *r, const char *name, int32_t index)
{
    size_t place = r->count > 0 ? find(r, name) : SIZE_MAX;

    if (place == SIZE_MAX || r->start[place] == r->start[place + 1])
        return -1;
    for (size_t i = r->start[place]; i < r->start[place + 1]; i++)
        if (r->label[i] == index)
            return 1;
    return 0;
}
