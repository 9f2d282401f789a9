/* SPDX-License-Identifier: MIT */
/* One image through one run: what the model sees, and what is merged. */
#ifndef TOMERGE_MERGED_H
#define TOMERGE_MERGED_H

#include "groups.h"
#include "../folders/folder.h"
#include "../session/session.h"

typedef struct merged {
    size_t rows;           /* tokens left */
    int32_t *map;          /* [tokens]: the row of each, -1 dropped */
    groups groups;         /* of its patches */
} merged;

/* The crop of an image, to be freed with image_free. 0, or -1 after a message,
 * with nothing to free. */
int merged_crop(const session *s, const folder_file *file, image *crop);

/* The groups after the first `layers` layers; the session has its context.
 * 0, or -1 after a message about `path`. To be freed in both cases. */
int merged_make(merged *m, const session *s, const merging_run *run,
                size_t layers, const image *crop, const char *path);
void merged_free(merged *m);

#endif
