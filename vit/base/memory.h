/* SPDX-License-Identifier: MIT */
/*
 * One allocation, carved in order. The same code runs twice: with a NULL base
 * it only adds up the size, so size and layout cannot disagree. Every piece
 * starts on a cache line. Under AddressSanitizer what lies between two pieces
 * is poisoned.
 */
#ifndef TOMEVIT_MEMORY_H
#define TOMEVIT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum { VIT_ALIGN = 64 };

typedef struct vit_arena {
    char *base;            /* NULL while measuring */
    void *memory;          /* what was allocated */
    size_t used;
    size_t bytes;          /* what was measured, once it is allocated */
    int overflow;          /* some size did not fit a size_t */
} vit_arena;

/* `count` elements of `size` bytes; NULL while measuring or on overflow. */
void *tomevit_carve(vit_arena *arena, size_t count, size_t size);

static inline float *tomevit_carve_f32(vit_arena *arena, size_t count)
{
    return tomevit_carve(arena, count, sizeof(float));
}

/* Zeroed memory for a measured arena, on huge pages where the system has
 * them; sets base and used for the second run. 0 or TOMEVIT_ENOMEM. */
int tomevit_arena_allocate(vit_arena *arena);
void tomevit_arena_free(vit_arena *arena);

/* Length of a row of n floats: whole cache lines, and never so that the rows
 * of a GEMM tile fall into the same few sets of an L1 cache. */
size_t tomevit_row_stride(size_t n);

#endif
