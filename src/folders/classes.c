/* SPDX-License-Identifier: MIT */
/* Which class an image is of, and what the classes are called. */
#include "classes.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char wnid[10];
    const char *name;
} imagenet[IMAGENET_CLASSES] = {
#include "src/imagenet1k.inc"
};

const char *imagenet_wnid(size_t index)
{
    return index < IMAGENET_CLASSES ? imagenet[index].wnid : NULL;
}

const char *imagenet_name(size_t index)
{
    return index < IMAGENET_CLASSES ? imagenet[index].name : NULL;
}

static int compare_wnid(const void *key, const void *row)
{
    return strcmp(key, row);    /* a row begins with its id */
}

int32_t imagenet_find(const char *wnid)
{
    const char *row = bsearch(wnid, imagenet, IMAGENET_CLASSES,
                              sizeof(imagenet[0]), compare_wnid);
    if (!row)
        return -1;
    return (int32_t)((size_t)(row - (const char *)imagenet) /
                     sizeof(imagenet[0]));
}

const char *classes_name(const classes *c, size_t index)
{
    const char *name = !c->own_name ? NULL
                                           : c->own_name(c->data, index);
    return !name && c->count == IMAGENET_CLASSES
        ? imagenet_name(index) : name;
}

int32_t classes_find(const classes *c, const char *text, char *why)
{
    size_t index;
    int32_t found = -1;

    if (args_size(text, &index) == 0) {
        if (index < c->count)
            return (int32_t)index;
        snprintf(why, CLASSES_WHY, "class %zu: the model has %zu classes",
                 index, c->count);
        return -1;
    }
    if (c->count == IMAGENET_CLASSES && (found = imagenet_find(text)) >= 0)
        return found;
    for (size_t i = 0; i < c->count; i++) {
        const char *name = classes_name(c, i);
        if (!name || strcmp(name, text) != 0)
            continue;
        if (found >= 0) {
            snprintf(why, CLASSES_WHY, "'%.200s' is the name of classes %d "
                     "and %zu: give the index", text, found, i);
            return -1;
        }
        found = (int32_t)i;
    }
    if (found < 0)
        snprintf(why, CLASSES_WHY, "'%.200s' is not a class of the model",
                 text);
    return found;
}

/* ---- folders ------------------------------------------------------------- */

/* Fills label[group] by looking every folder up in the class map. */
static int label_by_map(const classes *c, const folder *f, const pairs *map,
                        int32_t *label, char *why)
{
    for (size_t g = 0; g < f->group_count; g++) {
        char reason[CLASSES_WHY];
        const pair *entry = pairs_find(map, f->groups[g]);
        if (!entry) {
            snprintf(why, CLASSES_WHY, "%.200s: folder '%.200s' is not in it",
                     map->path, f->groups[g]);
            return -1;
        }
        label[g] = classes_find(c, entry->value, reason);
        if (label[g] < 0) {
            snprintf(why, CLASSES_WHY, "%.200s: line %zu: %.250s", map->path,
                     entry->line, reason);
            return -1;
        }
    }
    return 0;
}

static int32_t find_own_name(const classes *c, const char *text)
{
    int32_t found = -1;

    for (size_t i = 0; c->own_name && i < c->count; i++) {
        const char *name = c->own_name(c->data, i);
        if (!name || strcmp(name, text) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = (int32_t)i;
    }
    return found;
}

static int32_t find_wnid(const classes *c, const char *text)
{
    return c->count == IMAGENET_CLASSES ? imagenet_find(text) : -1;
}

static int holds_images(const folder *f, size_t group)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->files[i].group == group)
            return 1;
    return 0;
}

/* A class by its number, as in folders called 0, 1, 2, ...; zeros before it
 * do not matter. -1 if the model has no such class. */
static int32_t find_number(const classes *c, const char *text)
{
    size_t index;

    return args_size(text, &index) == 0 && index < c->count ? (int32_t)index
                                                            : -1;
}

/* How many folders `find` knows; *stranger is the first of the others that
 * holds an image, NULL if none does. */
static size_t label_by(const classes *c, const folder *f,
                       int32_t (*find)(const classes *, const char *),
                       int32_t *label, const char **stranger)
{
    size_t known = 0;

    *stranger = NULL;
    for (size_t g = 0; g < f->group_count; g++) {
        label[g] = find(c, f->groups[g]);
        known += label[g] >= 0;
        if (label[g] < 0 && !*stranger && holds_images(f, g))
            *stranger = f->groups[g];
    }
    return known;
}

/* 1 if every folder with an image is called by a number. */
static int only_numbers(const folder *f)
{
    for (size_t g = 0; g < f->group_count; g++) {
        const char *name = f->groups[g];
        if (holds_images(f, g) && name[strspn(name, "0123456789")] != '\0')
            return 0;
    }
    return 1;
}

/* Folders '1' and '01' are one number, and perhaps not one class. */
static int check_numbers(const folder *f, const int32_t *label, char *why)
{
    for (size_t g = 1; g < f->group_count; g++)
        for (size_t k = 0; k < g; k++)
            if (label[g] >= 0 && label[g] == label[k]) {
                snprintf(why, CLASSES_WHY, "folders '%.200s' and '%.200s' "
                         "are the same number: give --class-map",
                         f->groups[k], f->groups[g]);
                return -1;
            }
    return 0;
}

static int label_groups(const classes *c, const folder *f, const pairs *map,
                        int32_t *label, const char **how, char *why)
{
    const char *stranger, *no_name, *no_number;

    if (map) {
        *how = "class map";
        return label_by_map(c, f, map, label, why);
    }
    *how = "WordNet id";
    size_t known = label_by(c, f, find_wnid, label, &stranger);
    if (known > 0 && !stranger)
        return 0;
    *how = "class name";
    if (label_by(c, f, find_own_name, label, &no_name) > 0 && !no_name)
        return 0;
    *how = "class number";
    if (label_by(c, f, find_number, label, &no_number) > 0 &&
        !no_number)
        return check_numbers(f, label, why);
    if (only_numbers(f)) {
        snprintf(why, CLASSES_WHY, "folder '%.200s' is a number like all "
                 "others, but the model's classes are 0 to %zu: whether they "
                 "count from 1 only --class-map FILE can say", no_number,
                 c->count - 1);
        return -1;
    }
    *how = "sorted order";
    if (f->group_count == (c->valid ? c->valid_count : c->count)) {
        for (size_t g = 0; g < f->group_count; g++)
            label[g] = c->valid ? c->valid[g] : (int32_t)g;
        return 0;
    }
    if (known > 0)
        snprintf(why, CLASSES_WHY, "folder '%.200s' is not a WordNet id of "
                 "ImageNet-1k, as %zu others are: remove it or give "
                 "--class-map", stranger, known);
    else
        snprintf(why, CLASSES_WHY, "%zu class folder%s, but %s has %zu "
                 "classes: --class-map FILE can say which is which",
                 f->group_count, f->group_count == 1 ? "" : "s",
                 c->valid ? "--valid-labels" : "the model",
                 c->valid ? c->valid_count : c->count);
    return -1;
}

int classes_label_groups(const classes *c, folder *f, const pairs *map,
                         const char **how, char *why)
{
    int32_t *label = memory_zero(f->group_count, sizeof(*label));
    int result = label_groups(c, f, map, label, how, why);

    for (size_t i = 0; result == 0 && i < f->count; i++)
        f->files[i].label = label[f->files[i].group];
    free(label);
    return result;
}

/* ---- flat folders -------------------------------------------------------- */

/* The class that a line means. Of a WordNet id with more behind it, as in lists
 * of boxes, the id counts. */
static int32_t find_listed(const classes *c, const char *text, char *why)
{
    int32_t found = classes_find(c, text, why);
    size_t length = strcspn(text, " ");
    char wnid[16] = "";

    if (found >= 0 || length >= sizeof(wnid))
        return found;
    memcpy(wnid, text, length);
    return find_wnid(c, wnid);
}

static int label_file(const classes *c, folder_file *file, const pair *entry,
                      const pairs *labels, const pairs *map, char *why)
{
    char reason[CLASSES_WHY];
    const char *text = entry->value;
    const pair *mapped = !map ? NULL : pairs_find(map, text);

    if (mapped)
        text = mapped->value;
    file->label = find_listed(c, text, reason);
    if (file->label >= 0)
        return 0;
    snprintf(why, CLASSES_WHY, "%.200s: line %zu: %.250s", labels->path,
             entry->line, reason);
    return -1;
}

int classes_label_given(const classes *c, folder *f, const pairs *map,
                        size_t *left_out, char *why)
{
    size_t kept = 0, all = f->count;
    int result = 0;

    for (size_t i = 0; i < all; i++) {
        folder_file file = f->files[i];
        char reason[CLASSES_WHY];
        if (!file.given)
            continue;
        const pair *mapped = !map ? NULL : pairs_find(map, file.given);
        file.label = classes_find(c, mapped ? mapped->value : file.given,
                                  reason);
        if (file.label < 0 && result == 0) {
            snprintf(why, CLASSES_WHY, "%.200s: %.250s", file.path, reason);
            result = -1;
        }
        f->files[kept++] = file;
    }
    f->count = kept;
    *left_out = all - kept;
    return result;
}

int classes_label_files(const classes *c, folder *f, const pairs *labels,
                        const pairs *map, size_t *left_out, char *why)
{
    const pair **entries = names_match(labels, f);
    size_t kept = 0, all = f->count;
    int result = 0;

    snprintf(why, CLASSES_WHY, "%.150s: none of the folder's images is in it: "
             "it has '%.100s', the folder '%.100s'", labels->path,
             labels->items[0].key, f->files[0].name);
    for (size_t i = 0; i < all; i++) {
        folder_file file = f->files[i];
        if (entries[i] && result == 0)
            result = label_file(c, &file, entries[i], labels, map, why);
        if (entries[i])
            f->files[kept++] = file;
    }
    free(entries);
    f->count = kept;
    *left_out = all - kept;
    return result == 0 && kept == 0 ? -1 : result;
}
