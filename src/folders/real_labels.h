/* SPDX-License-Identifier: MIT */
/* ReaL: the classes that people found in ImageNet's validation images (Beyer
 * et al., 2020), none, one or several for each. */
#ifndef TOMERGE_REAL_LABELS_H
#define TOMERGE_REAL_LABELS_H

#include <stddef.h>
#include <stdint.h>

enum { REAL_LABELS_WHY = 512 };

/* All zero: there are none. */
typedef struct real_labels {
    size_t count;          /* images */
    size_t *start;         /* [count + 1]: into `label` */
    int32_t *label;
} real_labels;

/* Reads a JSON list with a list of class indices for each image. 0, or -1
 * with a line in why[REAL_LABELS_WHY] and nothing to free. */
int real_labels_read(const char *path, size_t classes, real_labels *out,
                     char *why);
void real_labels_free(real_labels *r);

/* Whether `index` is one of the classes of the image of that name,
 * ILSVRC2012_val_XXXXXXXX with any folder before and ending after it: 1 or 0;
 * -1 if it has none or is not one of the images. */
int real_labels_has(const real_labels *r, const char *name, int32_t index);

/* 1 if the name is one of the images', with labels or without. */
int real_labels_knows(const real_labels *r, const char *name);

#endif
