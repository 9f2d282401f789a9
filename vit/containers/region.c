/* SPDX-License-Identifier: MIT */
/* Small pieces of memory that are freed together. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "region.h"

enum { BLOCK = 64 * 1024 };

struct vit_region_block {
    struct vit_region_block *next;
    size_t bytes;
    max_align_t data[];
};

static int grow(vit_region *region, size_t bytes)
{
    size_t room = bytes > BLOCK ? bytes : BLOCK;
    struct vit_region_block *block;

    if (room > SIZE_MAX - sizeof(*block))
        return 0;
    block = calloc(1, sizeof(*block) + room);
    if (!block)
        return 0;
    block->next = region->blocks;
    block->bytes = room;
    region->blocks = block;
    region->used = 0;
    return 1;
}

void *tomevit_region_take(vit_region *region, size_t bytes)
{
    const size_t unit = sizeof(max_align_t);
    void *piece;

    if (bytes > SIZE_MAX - unit)
        return NULL;
    bytes = (bytes + unit - 1) / unit * unit;
    if ((!region->blocks || region->blocks->bytes - region->used < bytes) &&
        !grow(region, bytes))
        return NULL;
    piece = (unsigned char *)region->blocks->data + region->used;
    region->used += bytes;
    return piece;
}

char *tomevit_region_text(vit_region *region, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? tomevit_region_take(region, length + 1)
                                   : NULL;

    return copy ? memcpy(copy, text, length) : NULL;
}

void tomevit_region_free(vit_region *region)
{
    while (region->blocks) {
        struct vit_region_block *next = region->blocks->next;

        free(region->blocks);
        region->blocks = next;
    }
    region->used = 0;
}
