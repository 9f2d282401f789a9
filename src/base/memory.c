/* SPDX-License-Identifier: MIT */
/* Memory that is there: on exhaustion the command says so and exits 1. */
#include "memory.h"

#include "memory_limit.h"
#include "message.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Threads run out of memory together: the first one ends the process, and the
 * others wait for that. Once more in the same thread is while it ends. */
static void end_alone(void)
{
    static atomic_flag ends = ATOMIC_FLAG_INIT;
    static _Thread_local int here;

    if (here)
        _exit(STATUS_FAILED);
    while (atomic_flag_test_and_set(&ends))
        pause();
    here = 1;
}

_Noreturn void memory_exhausted(void)
{
    end_alone();
    message_failed("out of memory%s", memory_limited());
    exit(STATUS_FAILED);
}

_Noreturn void memory_exhausted_by(const char *path, const char *why)
{
    end_alone();
    message_failed("%s: out of memory: %s%s", path, why, memory_limited());
    exit(STATUS_FAILED);
}

static void *present(void *memory)
{
    if (!memory)
        memory_exhausted();
    return memory;
}

void *memory_zero(size_t count, size_t size)
{
    return present(calloc(count ? count : 1, size));
}

void *memory_bytes(size_t size)
{
    return present(malloc(size ? size : 1));
}

void *memory_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *larger = wanted > SIZE_MAX / 2 / size
        ? NULL : realloc(array, wanted * size);
    *capacity = wanted;
    return present(larger);
}

char *memory_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_zero(size, 1), text, size);
}

char *memory_path(const char *folder, const char *name)
{
    size_t left = strlen(folder), right = strlen(name) + 1;
    int slash = left > 0 && folder[left - 1] != '/';
    char *path = memory_zero(left + (size_t)slash + right, 1);

    memcpy(path, folder, left);
    if (slash)
        path[left] = '/';
    memcpy(path + left + (size_t)slash, name, right);
    return path;
}
