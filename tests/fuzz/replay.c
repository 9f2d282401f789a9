/* SPDX-License-Identifier: MIT */
/*
 * A main() for fuzz targets without a fuzzer: hands the target every file
 * named on the command line, or without any the corpus that the program is
 * named after, $srcdir/tests/fuzz/corpus/NAME of fuzz_NAME, and reports in TAP.
 * A finding shows as a crash, so run it under the sanitizers too.
 *
 * With --mutants N [SEED] it hands the target N inputs made of the corpus by
 * random changes, half of them with their sums and lengths put right, and says
 * how long the slowest took and how much memory the process had. One of more
 * than five seconds or 256 MiB is a failure; it is left in mutant.NAME.
 */
#include "config.h"

#include "fuzz.h"
#include "mutants.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SEEDS = 1000, ROOM = 1 << 12, SECONDS = 5, MEGABYTES = 256 };

/* AddressSanitizer keeps what was freed, to find who uses it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_FREED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define KEEPS_FREED 1
#endif
#ifndef KEEPS_FREED
#define KEEPS_FREED 0
#endif

/* All of a file, in a block of exactly its size; NULL if it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long length;

    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END) && (length = ftell(f)) >= 0 &&
        !fseek(f, 0, SEEK_SET)) {
        *size = (size_t)length;
        data = malloc(*size ? *size : 1);
        if (data && fread(data, 1, *size, f) != *size) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

static int replay(int number, const char *path)
{
    size_t size = 0;
    uint8_t *data = read_file(path, &size);

    if (!data) {
        printf("not ok %d - cannot read %s\n", number, path);
        return 1;
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d - %s\n", number, path);
    fflush(stdout);
    return 0;
}

/* Replays a folder; returns how many files it held, or -1. */
static int replay_folder(const char *folder, int *failed)
{
    char path[4096];
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), files = 0;

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (name[0] != '.' &&
            (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) <
                sizeof(path))
            *failed += replay(++files, path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count < 0 ? -1 : files;
}

/* What follows "fuzz_" in the program's name, which libtool may add to. */
static const char *corpus_of(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *prefix = strstr(slash ? slash : program, "fuzz_");

    return prefix ? prefix + strlen("fuzz_") : program;
}

/* ---- mutants ------------------------------------------------------------- */

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
            (s->bytes = read_file(path, &s->size))) {
            *most = s->size > *most ? s->size : *most;
            found++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return found;
}

static void keep(const char *name, const fuzz_input *input)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof(path), "mutant.%.200s", name);
    f = fopen(path, "wb");
    if (f) {
        fwrite(input->bytes, 1, input->size, f);
        fclose(f);
    }
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

static int run_mutants(const char *name, const char *folder, size_t count,
                       uint64_t seed)
{
    static fuzz_input seeds[SEEDS];
    struct rusage used;
    fuzz_input input;
    size_t most, known = read_corpus(folder, seeds, &most);
    double slowest = 0;

    if (known == 0)
        return printf("Bail out! no corpus in %s\n", folder), 1;
    input.space = most + ROOM;
    input.bytes = malloc(input.space);
    for (size_t i = 0; i < count && input.bytes && slowest < SECONDS; i++) {
        uint64_t at = seed + i; /* each by itself, to be made again */
        const fuzz_input *from = &seeds[i % known];

        memcpy(input.bytes, from->bytes, input.size = from->size);
        fuzz_mutate(&input, &seeds[i / known % known], &at);
        if (i % 2)
            fuzz_repair(&input);
        double seconds = try_mutant(&input);
        slowest = seconds > slowest ? seconds : slowest;
        if (seconds >= SECONDS)
            keep(name, &input);
    }
    getrusage(RUSAGE_SELF, &used);
    free(input.bytes);
    for (size_t i = 0; i < known; i++)
        free(seeds[i].bytes);
    printf("%s: %zu mutants of %zu files, the slowest %.2f s, %.0f MiB\n",
           name, count, known, slowest, (double)used.ru_maxrss / 1024);
    return slowest >= SECONDS ||
           (!KEEPS_FREED &&
            used.ru_maxrss / 1024 > MEGABYTES + 4 * (long)(most >> 20));
}

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    const char *name = corpus_of(argv[0]);
    char folder[4096];
    int files = 0, failed = 0;

    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
             srcdir ? srcdir : ".", name);
    if (argc > 2 && !strcmp(argv[1], "--mutants"))
        return run_mutants(name, folder, strtoul(argv[2], NULL, 10),
                           argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
    if (argc > 1) {
        for (; files < argc - 1; files++)
            failed += replay(files + 1, argv[files + 1]);
    } else {
        files = replay_folder(folder, &failed);
        if (files <= 0) {
            printf("Bail out! no corpus in %s\n", folder);
            return 1;
        }
    }
    printf("1..%d\n", files);
    return failed > 0;
}
