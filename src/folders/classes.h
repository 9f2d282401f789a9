/* SPDX-License-Identifier: MIT */
/* Which class an image is of, and what the classes are called. */
#ifndef TOMERGE_CLASSES_H
#define TOMERGE_CLASSES_H

#include "folder.h"
#include "pairs.h"

#include <stddef.h>
#include <stdint.h>

enum { CLASSES_WHY = 512, IMAGENET_CLASSES = 1000 };

/* ImageNet-1k: WordNet ids in the order of a model's outputs. */
const char *imagenet_wnid(size_t index);
const char *imagenet_name(size_t index);
/* The index of a WordNet id, -1 if it is not one of the thousand. */
int32_t imagenet_find(const char *wnid);

/* A model's classes: their number, and a function for their own names (from
 * the checkpoint) that returns NULL where there are none. */
typedef struct classes {
    size_t count;
    const char *(*own_name)(const void *data, size_t index);
    const void *data;
    int32_t *valid;        /* those that an image can be of; NULL: all */
    size_t valid_count;
} classes;

/* The name to show: the model's own, ImageNet's if it has 1000 classes and
 * none of its own, else NULL. */
const char *classes_name(const classes *c, size_t index);

/* The class a text means: an index, a WordNet id (models of 1000 classes), or
 * a name that only one class has. -1 with a line in why[CLASSES_WHY]. */
int32_t classes_find(const classes *c, const char *text, char *why);

/* Labels the files of a class-per-folder walk: by `map` where it is not
 * NULL; by WordNet id where all folders with an image are (1000 classes); by
 * the model's own class names where they are; by class number where all are
 * numbers of the model's classes (other numbers alone are refused: they may
 * count from 1); otherwise in sorted order, if there are as many folders as
 * classes, or as valid ones, in their order. `how` gets the rule's name. 0, or
 * -1 with a line in why. */
int classes_label_groups(const classes *c, folder *f, const pairs *map,
                         const char **how, char *why);

/* Labels files by what their source gives them, looked up in `map` (may be
 * NULL) first. Files without are taken out of the list and counted. */
int classes_label_given(const classes *c, folder *f, const pairs *map,
                        size_t *left_out, char *why);

/* Labels the files of a flat walk from `labels` (file name to class), the
 * classes named there first looked up in `map` (may be NULL). Files that
 * `labels` does not name are taken out of the list and counted. */
int classes_label_files(const classes *c, folder *f, const pairs *labels,
                        const pairs *map, size_t *left_out, char *why);

#endif
