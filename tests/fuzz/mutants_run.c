/* SPDX-License-Identifier: MIT */
/* A target and a great many changed inputs, in bounds of time and memory. */
#include "config.h"

#include "fuzz.h"
#include "mutants.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 1000, ROOM = 1 << 12, SECONDS = 5, MEGABYTES = 256 };

/* AddressSanitizer keeps what was freed, to find who uses it, and ends the
 * process by itself. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifdef SANITIZED
void __sanitizer_set_death_callback(void (*callback)(void));
#else
#define SANITIZED 0
#endif

/* ---- what is to be looked at again --------------------------------------- */

static const fuzz_input *at_hand;
static char kept[300];

/* The input at hand, in a file; also in a process that is about to end. */
static void keep(void)
{
    FILE *f = at_hand ? fopen(kept, "wb") : NULL;

    if (f) {
        fwrite(at_hand->bytes, 1, at_hand->size, f);
        fclose(f);
    }
}

static void on_end(int number)
{
    keep();
    signal(number, SIG_DFL);
    raise(number);
}

/* No input is worth more time of the processor, or ten minutes of waiting. */
static void set_bounds(void)
{
    static const int ends[] = {SIGABRT, SIGPROF, SIGALRM, SIGSEGV, SIGBUS,
                               SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (!SANITIZED || i < 3)
            signal(ends[i], on_end);
#if SANITIZED
    __sanitizer_set_death_callback(keep);
#endif
}

static void start_bounds(void)
{
    struct itimerval most = {{0, 0}, {SECONDS, 0}};

    setitimer(ITIMER_PROF, &most, NULL);
    alarm(600);
}

/* ---- the inputs ---------------------------------------------------------- */

/* The corpus, each in a block of its own; returns how many. */
static size_t read_corpus(const char *folder, fuzz_input *seeds, size_t *most)
{
    char path[4096 + 256];
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    size_t found = 0;

    *most = 0;
    for (int i = 0; i < count; i++) {
        fuzz_input *s = &seeds[found];

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && found < SEEDS &&
            (s->bytes = fuzz_read_file(path, &s->size))) {
            *most = s->size > *most ? s->size : *most;
            found++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return found;
}

/* Hands it over in a block of exactly its size; seconds of processor time. */
static double try_mutant(const fuzz_input *input)
{
    uint8_t *exact = malloc(input->size + (input->size == 0));
    clock_t began = clock();

    if (exact) {
        memcpy(exact, input->bytes, input->size);
        LLVMFuzzerTestOneInput(exact, input->size);
        free(exact);
    }
    return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static long memory_used(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss / 1024;
}

int fuzz_run_mutants(const char *name, const char *folder, size_t count,
                     uint64_t seed)
{
    static fuzz_input seeds[SEEDS], input;
    size_t most, known = read_corpus(folder, seeds, &most), i;
    long megabytes = MEGABYTES + 4 * (long)(most >> 20);
    double slowest = 0;
    int failed = 0;

    if (known == 0)
        return printf("Bail out! no corpus in %s\n", folder), 1;
    snprintf(kept, sizeof(kept), "mutant.%.200s", name);
    input.space = most + ROOM;
    input.bytes = malloc(input.space);
    set_bounds();
    for (i = 0; i < count && input.bytes && !failed; i++) {
        uint64_t at = seed + i; /* each by itself, to be made again */
        const fuzz_input *from = &seeds[i % known];

        start_bounds();
        memcpy(input.bytes, from->bytes, input.size = from->size);
        fuzz_mutate(&input, &seeds[i / known % known], &at);
        if (i % 2)
            fuzz_repair(&input);
        at_hand = &input;
        double seconds = try_mutant(&input);
        slowest = seconds > slowest ? seconds : slowest;
        failed = seconds >= SECONDS ||
                 (!SANITIZED && memory_used() > megabytes);
        if (failed)
            keep();
        at_hand = NULL;
    }
    alarm(0);
    free(input.bytes);
    for (size_t k = 0; k < known; k++)
        free(seeds[k].bytes);
    printf("%s: %zu mutants of %zu files, the slowest %.2f s, %ld MiB\n",
           name, i, known, slowest, memory_used());
    return failed;
}
