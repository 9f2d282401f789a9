/* SPDX-License-Identifier: MIT */
/* A file of counts for each layer, in DiffRate's own format. */
#ifndef TOMEVIT_METHOD_COUNTS_H
#define TOMEVIT_METHOD_COUNTS_H

#include "list.h"
#include "tomevit.h"

/* Where a file's counts are: of which model, for which arithmetic; NULL where
 * there is only one. */
typedef struct vit_counts_of {
    const char *file, *model, *target;
} vit_counts_of;

/* What is kept in pruning and in merging; one of them may be none. EIO, EFORMAT
 * for other than JSON, EINVAL for what it has not, ENOMEM; with a line in
 * `why`. */
int tomevit_counts_read(const vit_counts_of *counts, vit_method_list *prune,
                        vit_method_list *merge, tomevit_message *why);

#endif
