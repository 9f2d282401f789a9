/* SPDX-License-Identifier: MIT */
/* Carved memory; see memory.h. */
#include "config.h"

#include "memory.h"
#include "tomevit.h"

#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISONED 1
#endif

enum { HUGE_PAGE = 2 << 20 };

/* Under AddressSanitizer nothing but the pieces may be touched: neither what
 * rounding leaves behind one of them nor the gap that then follows it. */
#ifdef POISONED
#include <sanitizer/asan_interface.h>
enum { GAP = VIT_ALIGN };
#else
enum { GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address))
#endif

void *tomevit_carve(vit_arena *arena, size_t count, size_t size)
{
    size_t bytes, whole, start = arena->used;

    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, VIT_ALIGN - 1 + GAP, &whole) ||
        __builtin_add_overflow(start, whole & ~(size_t)(VIT_ALIGN - 1),
                               &arena->used)) {
        arena->overflow = 1;
        return NULL;
    }
    if (!arena->base)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(arena->base + start, bytes);
    return arena->base + start;
}

/* calloc takes large pieces from the system, which hands out zeroed pages
 * when they are touched first: nothing is written twice. */
int tomevit_arena_allocate(vit_arena *arena)
{
    size_t align = arena->used >= HUGE_PAGE ? HUGE_PAGE : VIT_ALIGN, bytes;
    char *memory;

    if (arena->overflow ||
        __builtin_add_overflow(arena->used, 2 * align - 1, &bytes))
        return TOMEVIT_ENOMEM;
    bytes &= ~(align - 1);
    memory = calloc(bytes, 1);
    if (!memory)
        return TOMEVIT_ENOMEM;
    arena->memory = memory;
    arena->base = memory + (align - (uintptr_t)memory % align) % align;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (align == HUGE_PAGE)
        madvise(arena->base, bytes - align, MADV_HUGEPAGE); /* for speed only */
#endif
    ASAN_POISON_MEMORY_REGION(arena->base, arena->used);
    arena->bytes = arena->used;
    arena->used = 0;
    return 0;
}

void tomevit_arena_free(vit_arena *arena)
{
    ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->bytes);
    free(arena->memory);
    *arena = (vit_arena){0};
}

size_t tomevit_row_stride(size_t n)
{
    enum { LINE = VIT_ALIGN / sizeof(float), HALF_L1_SETS = 32, SHIFT = 9 };
    size_t lines = (n + LINE - 1) / LINE;

    /* 9 lines a row spread 14 rows evenly over the 64 sets. */
    if (lines % HALF_L1_SETS == 0)
        lines += SHIFT;
    return lines * LINE;
}
