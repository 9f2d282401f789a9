/* SPDX-License-Identifier: MIT */
/* An input as a file, for what reads files only. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_path[256];

/* Where files of inputs are, which may be memory. */
static inline const char *fuzz_place(void)
{
    const char *named = getenv("TMPDIR");

    return named && named[0] && strlen(named) < 200 ? named : P_tmpdir;
}

static void fuzz_remove(void)
{
    unlink(fuzz_path);
}

/* The path of a file with these bytes, which the next call overwrites. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    if (fuzz_path[0] == '\0') {
        snprintf(fuzz_path, sizeof(fuzz_path), "%s/fuzz-XXXXXX",
                 fuzz_place());
        int descriptor = mkstemp(fuzz_path);
        if (descriptor < 0)
            abort();
        close(descriptor);
        atexit(fuzz_remove);
    }
    FILE *file = fopen(fuzz_path, "wb");
    if (!file || fwrite(data, 1, size, file) != size ||
        fclose(file) != 0)
        abort();
    return fuzz_path;
}

#endif
