/* SPDX-License-Identifier: MIT */
/* Buffers that end at a page nobody may touch: reading or writing one element
 * too far is a fault, not luck. In front of each lie bytes that are checked. */
#ifndef TOMERGE_TESTS_GUARDED_H
#define TOMERGE_TESTS_GUARDED_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
    unsigned char *map, *data;
    size_t mapped;
} guarded;

enum { GUARD_BYTE = 0xa5 };

static inline guarded guarded_new(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (bytes + page) / page * page;
    guarded g = {.mapped = room + page};

    g.map = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)g.map, MAP_FAILED);
    memset(g.map, GUARD_BYTE, room);
    cr_assert_eq(mprotect(g.map + room, page, PROT_NONE), 0);
    g.data = g.map + room - bytes;
    return g;
}

/* The bytes in front of the data are as they were. */
static inline int guarded_intact(const guarded *g)
{
    for (const unsigned char *p = g->map; p < g->data; p++)
        if (*p != GUARD_BYTE)
            return 0;
    return 1;
}

static inline void guarded_free(guarded *g)
{
    munmap(g->map, g->mapped);
}

#endif
