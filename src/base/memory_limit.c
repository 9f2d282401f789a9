/* SPDX-License-Identifier: MIT */
/* A limit on the memory of this process, by the system's own. */
#include "config.h"

#include "memory_limit.h"

#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char said[64];

const char *memory_limited(void)
{
    return said;
}

const char *memory_limited_by(int is_memory)
{
    return is_memory ? said : "";
}

/* Memory of its own that the process can write to already; 0 if the system does
 * not say. */
static size_t there_is(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A runtime of threads that cannot have one may end the process, or worse: they
 * are there before the limit is, with what each allocates first. */
static void start_threads(int threads)
{
    int started = 0;

    (void)threads;
#pragma omp parallel num_threads(threads) reduction(+ : started)
    started++;
    (void)started;
}

int memory_limit(size_t bytes, int threads, char *why)
{
#if defined(RLIMIT_DATA) && defined(__linux__)
    struct rlimit limit;

    start_threads(threads);
    if (getrlimit(RLIMIT_DATA, &limit) == 0) {
        rlim_t wanted = (rlim_t)(there_is() + bytes);

        /* One from outside that is less stays. */
        if (limit.rlim_cur == RLIM_INFINITY || wanted < limit.rlim_cur)
            limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_DATA, &limit) == 0) {
            snprintf(said, sizeof(said), ": --max-memory is %zu bytes", bytes);
            return 0;
        }
    }
    snprintf(why, ARGS_WHY, "--max-memory: %s", strerror(errno));
#else
    (void)bytes;
    (void)threads;
    (void)start_threads;
    (void)there_is;
    snprintf(why, ARGS_WHY, "--max-memory: this system has no such limit");
#endif
    return -1;
}
