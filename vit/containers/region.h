/* SPDX-License-Identifier: MIT */
/* Small pieces of memory that are freed together. */
#ifndef TOMEVIT_REGION_H
#define TOMEVIT_REGION_H

#include <stddef.h>

/* All zero is an empty region. */
typedef struct vit_region {
    struct vit_region_block *blocks;
    size_t used;                            /* of the newest block */
} vit_region;

/* Zeroed and aligned for any type; NULL without memory. */
void *tomevit_region_take(vit_region *region, size_t bytes);

/* A copy with a NUL behind it. */
char *tomevit_region_text(vit_region *region, const char *text, size_t length);

void tomevit_region_free(vit_region *region);

#endif
