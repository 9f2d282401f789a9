/* SPDX-License-Identifier: MIT */
/*
 * A thread that waits for others can spin, which takes a CPU from whoever
 * could use it, or sleep, and be late when it is woken. OpenMP's runtimes spin
 * for up to 20 (GNU) and 200 milliseconds (LLVM): with other programs on the
 * same CPUs the ones waited for are often not even running. Most waits of a
 * forward pass are shorter than SPIN_NANOSECONDS, so that much of spinning
 * costs idle CPUs nothing, and busy ones little; where they are all taken from
 * the start, not to spin is better still.
 *
 * GNU's runtime reads its environment before main() and has no call for it, so
 * the program sets the variables and executes itself once more.
 */
#include "config.h"

#include "waiting.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
    "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"
};

const char *waiting_chosen(void)
{
    static char text[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (!value)
            continue;
        snprintf(text, sizeof(text), "%s=%.60s", names[i], value);
        return text;
    }
    return NULL;
}

int waiting_cpus_taken(const char *root, long cpus)
{
    char path[PATH_MAX];
    long running = 0;

    snprintf(path, sizeof(path), "%s/proc/loadavg", root);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %*s %*s %ld/", &running) != 1)
        running = 0;
    fclose(file);
    return cpus > 0 && running - 1 >= cpus;
}

#if defined(_OPENMP) && defined(__linux__)

enum { SPIN_NANOSECONDS = 60000, SAMPLE = 1000, LOOKS = 4 };

/* Looks more than once, as programs of a moment take no CPU for long. */
static int always_taken(void)
{
    const struct timespec millisecond = {0, 1000000};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    for (int i = 0; i < LOOKS; i++) {
        if (!waiting_cpus_taken("", cpus))
            return 0;
        nanosleep(&millisecond, NULL);
    }
    return 1;
}

static double nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* What one turn of GNU's loop takes: "pause" alone has 10 cycles on one CPU
 * and 140 on another. */
static double turn(void)
{
    static volatile int never;
    double least = 1e9;

    for (int tries = 0; tries < 5; tries++) {
        double began = nanoseconds();
        for (int i = 0; i < SAMPLE && !never; i++) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#elif defined(__GNUC__)
            __asm__ volatile("" : : : "memory");
#endif
        }
        double took = (nanoseconds() - began) / SAMPLE;
        if (took < least)
            least = took;
    }
    return least < 0.1 ? 0.1 : least;
}

void waiting_choose(char **argv)
{
    char path[PATH_MAX], count[32];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (waiting_chosen() || length <= 0)
        return;
    path[length] = '\0';
    snprintf(count, sizeof(count), "%.0f", SPIN_NANOSECONDS / turn());
    /* LLVM's unit is a millisecond, and 0 is not to spin at all. */
    int failed = always_taken()
        ? setenv("OMP_WAIT_POLICY", "passive", 1)
        : setenv("GOMP_SPINCOUNT", count, 1) || setenv("KMP_BLOCKTIME", "1", 1);
    if (failed == 0)
        execv(path, argv);
    /* It still runs, and waits as the runtime does by default. */
}

#else

void waiting_choose(char **argv)
{
    (void)argv;
}

#endif
