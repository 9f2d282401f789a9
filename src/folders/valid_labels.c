/* SPDX-License-Identifier: MIT */
/* --valid-labels: the classes that the images of a folder can be of. */
#include "valid_labels.h"

#include "../base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends the class of line `number`; line_of[class] is the one it is on. */
static int add(const char *text, size_t number, classes *c, int32_t *valid,
               size_t *line_of, char *why)
{
    int32_t index = classes_find(c, text, why);

    if (index < 0)
        return -1;
    if (line_of[index] > 0) {
        snprintf(why, CLASSES_WHY, "class %d is on line %zu already", index,
                 line_of[index]);
        return -1;
    }
    line_of[index] = number;
    valid[c->valid_count++] = index;
    return 0;
}

int valid_labels_read(const char *path, classes *c, char *why)
{
    char reason[CLASSES_WHY];
    size_t count = 0, i;
    char **lines = pairs_read_lines(path, &count, why);

    if (!lines)
        return -1;
    int32_t *valid = memory_zero(c->count, sizeof(*valid));
    size_t *line_of = memory_zero(c->count, sizeof(*line_of));
    snprintf(reason, sizeof(reason), "expected a class on each line");
    for (i = 0; i < count; i++)
        if (lines[i][0] != '\0' && lines[i][0] != '#' &&
            add(lines[i], i + 1, c, valid, line_of, reason) != 0)
            break;
    free(line_of);
    pairs_free_lines(lines);
    if (i == count && c->valid_count > 0) {
        c->valid = valid;
        return 0;
    }
    snprintf(why, CLASSES_WHY, "%.200s: line %zu: %.250s", path,
             i < count ? i + 1 : count, reason);
    free(valid);
    c->valid_count = 0;
    return -1;
}

void valid_labels_free(classes *c)
{
    free(c->valid);
    c->valid = NULL;
    c->valid_count = 0;
}

const folder_file *valid_labels_stranger(const classes *c, const folder *f)
{
    char *valid;
    size_t i = 0;

    if (!c->valid)
        return NULL;
    valid = memory_zero(c->count, 1);
    for (size_t k = 0; k < c->valid_count; k++)
        valid[c->valid[k]] = 1;
    while (i < f->count && (f->files[i].label < 0 ||
                            valid[f->files[i].label]))
        i++;
    free(valid);
    return i < f->count ? &f->files[i] : NULL;
}
