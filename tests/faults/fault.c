/* SPDX-License-Identifier: MIT */
/* Loaded before a program (LD_PRELOAD): counts what it allocates from the start
 * of main on, and lets one allocation fail. FAULT_AT=N fails the N-th, whoever
 * asked for it: the program, a library, the C library for a stream's buffer.
 * With FAULT_COUNT=FILE the number of allocations is written there in the end.
 * SHORT=N cuts every read and write of more than N bytes to N, as a signal or a
 * slow disk may at any time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int counting;
static atomic_ulong seen;
static unsigned long fails_at;
static size_t shortest;

/* dlsym itself may allocate before it has found the allocator. */
static char early[1 << 16];
static size_t early_used;

static void *take_early(size_t bytes)
{
    size_t at = early_used;

    early_used += (bytes + 15) & ~(size_t)15;
    return early_used <= sizeof(early) ? early + at : NULL;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fails(void)
{
    if (!atomic_load(&counting))
        return 0;
    if (atomic_fetch_add(&seen, 1) + 1 != fails_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes)
{
    static __typeof__(&malloc) real;
    static int looking;

    if (!real) {
        if (looking)
            return take_early(bytes);
        looking = 1;
        real = REAL(malloc);
        looking = 0;
    }
    return fails() ? NULL : real(bytes);
}

void *calloc(size_t count, size_t size)
{
    static __typeof__(&calloc) real;
    static int looking;

    if (!real) {
        if (looking)
            return take_early(count * size);
        looking = 1;
        real = REAL(calloc);
        looking = 0;
    }
    return fails() ? NULL : real(count, size);
}

void *realloc(void *p, size_t bytes)
{
    static __typeof__(&realloc) real;

    if (!real)
        real = REAL(realloc);
    return fails() ? NULL : real(p, bytes);
}

void free(void *p)
{
    static __typeof__(&free) real;

    if (is_early(p))
        return;
    if (!real)
        real = REAL(free);
    real(p);
}

int posix_memalign(void **p, size_t alignment, size_t bytes)
{
    static __typeof__(&posix_memalign) real;

    if (!real)
        real = REAL(posix_memalign);
    return fails() ? ENOMEM : real(p, alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    static __typeof__(&aligned_alloc) real;

    if (!real)
        real = REAL(aligned_alloc);
    return fails() ? NULL : real(alignment, bytes);
}

/* ---- short counts -------------------------------------------------------- */

static size_t cut(size_t count)
{
    return shortest && atomic_load(&counting) && count > shortest ? shortest
                                                                  : count;
}

ssize_t read(int fd, void *to, size_t count)
{
    return REAL(read)(fd, to, cut(count));
}

ssize_t pread(int fd, void *to, size_t count, off_t at)
{
    return REAL(pread)(fd, to, cut(count), at);
}

ssize_t write(int fd, const void *from, size_t count)
{
    return REAL(write)(fd, from, cut(count));
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at)
{
    return REAL(pwrite)(fd, from, cut(count), at);
}

/* ---- from main on -------------------------------------------------------- */

static void say_count(void)
{
    const char *path = getenv("FAULT_COUNT");

    atomic_store(&counting, 0);
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%lu\n", atomic_load(&seen));
        fclose(file);
    }
}

static int (*real_main)(int, char **, char **);

static int counted_main(int argc, char **argv, char **environment)
{
    const char *at = getenv("FAULT_AT"), *bytes = getenv("SHORT");

    fails_at = at ? strtoul(at, NULL, 10) : 0;
    shortest = bytes ? strtoul(bytes, NULL, 10) : 0;
    atexit(say_count);
    atomic_store(&counting, 1);
    return real_main(argc, argv, environment);
}

int __libc_start_main(int (*start)(int, char **, char **), int argc,
                      char **argv, void (*init)(void), void (*fini)(void),
                      void (*linked)(void), void *stack_end);
int __libc_start_main(int (*start)(int, char **, char **), int argc,
                      char **argv, void (*init)(void), void (*fini)(void),
                      void (*linked)(void), void *stack_end)
{
    real_main = start;
    return REAL(__libc_start_main)(counted_main, argc, argv, init, fini,
                                   linked, stack_end);
}
