/* SPDX-License-Identifier: MIT */
/* --valid-labels: the classes that the images of a folder can be of, where
 * they are not all of the model's. */
#ifndef TOMERGE_VALID_LABELS_H
#define TOMERGE_VALID_LABELS_H

#include "classes.h"

/* Reads a class (index, WordNet id or name) from each line that is not empty
 * or a # comment into c->valid, in their order. 0, or -1 with a line in
 * why[CLASSES_WHY] and nothing to free. */
int valid_labels_read(const char *path, classes *c, char *why);
void valid_labels_free(classes *c);

/* The first file whose label is not one of them, or NULL. */
const folder_file *valid_labels_stranger(const classes *c, const folder *f);

#endif
