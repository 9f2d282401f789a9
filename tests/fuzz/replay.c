/* SPDX-License-Identifier: MIT */
/*
 * A main() for fuzz targets without a fuzzer: hands the target every file
 * named on the command line, or without any the corpus that the program is
 * named after, $srcdir/tests/fuzz/corpus/NAME of fuzz_NAME, and reports in TAP.
 * A finding shows as a crash, so run it under the sanitizers too.
 *
 * With --mutants N [SEED] it hands the target N inputs made of the corpus by
 * random changes, half of them with their sums and lengths put right. One of
 * more than five seconds or 256 MiB is a failure; it is left in mutant.NAME.
 */
#include "config.h"

#include "fuzz.h"
#include "mutants.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *fuzz_read_file(const char *path, size_t *size)
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
    uint8_t *data = fuzz_read_file(path, &size);

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

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    const char *name = corpus_of(argv[0]);
    char folder[4096];
    int files = 0, failed = 0;

    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
             srcdir ? srcdir : ".", name);
    if (argc > 2 && !strcmp(argv[1], "--mutants"))
        return fuzz_run_mutants(name, folder, strtoul(argv[2], NULL, 10),
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
