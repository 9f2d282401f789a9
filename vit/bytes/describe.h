/* SPDX-License-Identifier: MIT */
/* What a checkpoint of MEGABYTE is, by its tensors and its "config". */
#ifndef TOMEVIT_BYTES_DESCRIBE_H
#define TOMEVIT_BYTES_DESCRIBE_H

#include "model.h"
#include "../containers/tensors.h"

/* A file's tensors, and what stands before their names in it. */
typedef struct vit_bytes_file {
    vit_tensors *tensors;
    char prefix[64];
    vit_report report;
} vit_bytes_file;

/* The tensor of this name and shape; NULL after a message. */
const vit_stored *tomevit_bytes_find(const vit_bytes_file *f, const char *name,
                                     size_t dims, const size_t *shape);

/* 1 if there is a tensor of this name. */
int tomevit_bytes_has(const vit_bytes_file *f, const char *name);

/* Fills the description, eps and both parts of `m` but for their weights. The
 * prefix is found first. EFORMAT, EMODEL, ENOMEM. */
int tomevit_bytes_read_description(vit_bytes_file *f, struct tomevit_bytes *m);

#endif
