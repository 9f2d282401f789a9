/* SPDX-License-Identifier: MIT */
/*
 * A main() for fuzz targets without a fuzzer: hands the target every file
 * named on the command line, or without any the corpus that the program is
 * named after, $srcdir/tests/fuzz/corpus/NAME of fuzz_NAME, and reports in TAP.
 * A finding shows as a crash, so run it under the sanitizers too.
 */
#include "config.h"

#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    char folder[4096];
    int files = 0, failed = 0;

    if (argc > 1) {
        for (; files < argc - 1; files++)
            failed += replay(files + 1, argv[files + 1]);
    } else {
        snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
                 srcdir ? srcdir : ".", corpus_of(argv[0]));
        files = replay_folder(folder, &failed);
        if (files <= 0) {
            printf("Bail out! no corpus in %s\n", folder);
            return 1;
        }
    }
    printf("1..%d\n", files);
    return failed > 0;
}
