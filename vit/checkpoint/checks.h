/* SPDX-License-Identifier: MIT */
/* Single tensors of a view: looked up, and checked against what is expected. */
#ifndef TOMEVIT_CHECKS_H
#define TOMEVIT_CHECKS_H

#include "../containers/tensors.h"
#include "../network/weights.h"

/* What messages call a tensor: its name in the file and, if that is another,
 * timm's. */
typedef struct vit_origin {
    char name[256], timm[96];
} vit_origin;

vit_origin tomevit_origin_of(const vit_tensors *file, const char *name);

/* 1 if positions are those of rows and of columns, [2, side, dim], whose sums
 * are those of patches. */
int tomevit_has_axes(const vit_tensors *file);

/* 1 if positions are a table [2, n, dim] of columns and of rows, by their
 * numbers, whatever the image's size. */
int tomevit_has_table(const vit_tensors *file);

int tomevit_has(const vit_tensors *file, const char *name);

/* 1 if metadata, or what stands for them, have this value under a key. */
int tomevit_says(const vit_tensors *file, const char *key, const char *value);

/* A tensor whose shape tells a size: *t, with so many dimensions. EMODEL. */
int tomevit_need(const vit_tensors *file, const char *name,
                 const char *layout, size_t dims, const vit_stored **t,
                 const vit_report *report);

/* A size that a tensor tells lies from 1 to `most`. EMODEL. */
int tomevit_limit(const char *name, const char *what, size_t value,
                  size_t most, const vit_report *report);

/* A tensor that tells the number of heads: d->heads, if no other tensor told
 * another one. EMODEL. */
int tomevit_heads_told(const vit_tensors *file, const char *name, size_t heads,
                       tomevit_description *d, const vit_report *report);

/* Every tensor of the description is there, with its shape and a dtype that
 * can be read. EMODEL. */
int tomevit_check_table(const vit_tensors *file, const tomevit_description *d,
                        const vit_report *report);

/* EMODEL: int8 that has no scales, or none that fit. */
int tomevit_refuse_int8(const vit_tensors *file, const char *name,
                        const vit_report *report);

#endif
