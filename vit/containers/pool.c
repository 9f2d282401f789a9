/* SPDX-License-Identifier: MIT */
/* Small pieces of memory that are freed together. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

enum { BLOCK = 64 * 1024 };

struct vit_pool_block {
    struct vit_pool_block *next;
    size_t bytes;
    max_align_t data[];
};

static int grow(vit_pool *pool, size_t bytes)
{
    size_t room = bytes > BLOCK ? bytes : BLOCK;
    struct vit_pool_block *block;

    if (room > SIZE_MAX - sizeof *block)
        return 0;
    block = calloc(1, sizeof *block + room);
    if (!block)
        return 0;
    block->next = pool->blocks;
    block->bytes = room;
    pool->blocks = block;
    pool->used = 0;
    return 1;
}

void *tomevit_pool_take(vit_pool *pool, size_t bytes)
{
    const size_t unit = sizeof(max_align_t);
    void *piece;

    if (bytes > SIZE_MAX - unit)
        return NULL;
    bytes = (bytes + unit - 1) / unit * unit;
    if ((!pool->blocks || pool->blocks->bytes - pool->used < bytes) &&
        !grow(pool, bytes))
        return NULL;
    piece = (unsigned char *)pool->blocks->data + pool->used;
    pool->used += bytes;
    return piece;
}

char *tomevit_pool_text(vit_pool *pool, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? tomevit_pool_take(pool, length + 1) : NULL;

    return copy ? memcpy(copy, text, length) : NULL;
}

void tomevit_pool_free(vit_pool *pool)
{
    while (pool->blocks) {
        struct vit_pool_block *next = pool->blocks->next;

        free(pool->blocks);
        pool->blocks = next;
    }
    pool->used = 0;
}
