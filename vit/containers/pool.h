/* SPDX-License-Identifier: MIT */
/* Small pieces of memory that are freed together. */
#ifndef TOMEVIT_POOL_H
#define TOMEVIT_POOL_H

#include <stddef.h>

/* All zero is an empty pool. */
typedef struct vit_pool {
    struct vit_pool_block *blocks;
    size_t used;                            /* of the newest block */
} vit_pool;

/* Zeroed and aligned for any type; NULL without memory. */
void *tomevit_pool_take(vit_pool *pool, size_t bytes);

/* A copy with a NUL behind it. */
char *tomevit_pool_text(vit_pool *pool, const char *text, size_t length);

void tomevit_pool_free(vit_pool *pool);

#endif
