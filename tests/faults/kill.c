/* SPDX-License-Identifier: MIT */
/* Loaded before a program (LD_PRELOAD): kills it, as kill -9 would, in the
 * middle of the KILL_AT-th line of JSON that it writes to a file by write(),
 * which is how journals grow. With KILL_RANK only the process of that rank of
 * mpirun dies. Whatever the machine's speed, the process always dies at the
 * same place. With KILL_SIGNAL it is that signal that it gets instead, once the
 * line is whole. With KILL_FLUSH it is the N-th time that it brings a file by
 * fflush() to the disk, the last bytes of which are then missing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_ulong lines, flushes;
static unsigned long last, last_flush;
static int ends_by = SIGKILL;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("KILL_AT"), *only = getenv("KILL_RANK");
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    const char *flush = getenv("KILL_FLUSH"), *by = getenv("KILL_SIGNAL");
    int dies = !only || (rank && strcmp(only, rank) == 0);

    if (at && dies)
        last = strtoul(at, NULL, 10);
    if (by)
        ends_by = atoi(by);
    if (flush && dies)
        last_flush = strtoul(flush, NULL, 10);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    __typeof__(&write) real = (__typeof__(&write))dlsym(RTLD_NEXT, "write");
    struct stat about;
    int is_last = count > 1 && *(const char *)bytes == '{' &&
                  fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
                  atomic_fetch_add(&lines, 1) + 1 == last;
    ssize_t written = real(fd, bytes,
                           is_last && ends_by == SIGKILL ? count / 2 : count);

    if (is_last)
        raise(ends_by);
    return written;
}

int fflush(FILE *file)
{
    __typeof__(&fflush) real = (__typeof__(&fflush))dlsym(RTLD_NEXT, "fflush");
    int result = real(file);
    struct stat about;

    if (last_flush && file && fstat(fileno(file), &about) == 0 &&
            S_ISREG(about.st_mode) && about.st_size > 8 &&
            atomic_fetch_add(&flushes, 1) + 1 == last_flush) {
        if (ftruncate(fileno(file), about.st_size - 5) == 0)
            raise(SIGKILL);
    }
    return result;
}
