/* SPDX-License-Identifier: MIT */
/* An input as a folder of files, for what reads files beside others: a line
 * "@NAME" before what is in each. */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H

#include "fuzz_file.h"

enum { FUZZ_NAMES = 16, FUZZ_PATH = 320, FUZZ_ZEROS = 1 << 18 };

static char fuzz_folder[256];
static const char *const *fuzz_names; /* ends with NULL */

static inline void fuzz_path_of(const char *name, char path[FUZZ_PATH])
{
    snprintf(path, FUZZ_PATH, "%s/%s", fuzz_folder, name);
}

static inline void fuzz_empty(void)
{
    char path[FUZZ_PATH];

    for (size_t i = 0; fuzz_names[i]; i++) {
        fuzz_path_of(fuzz_names[i], path);
        unlink(path);
    }
}

static void fuzz_remove_folder(void)
{
    fuzz_empty();
    rmdir(fuzz_folder);
}

/* Which name the line at `at` has; NULL of none. */
static inline const char *fuzz_named(const char *at, const char *end,
                                     const char **contents)
{
    for (size_t i = 0; fuzz_names[i]; i++) {
        size_t length = strlen(fuzz_names[i]);

        if ((size_t)(end - at) > length + 1 && at[0] == '@' &&
            memcmp(at + 1, fuzz_names[i], length) == 0 &&
            at[length + 1] == '\n') {
            *contents = at + length + 2;
            return fuzz_names[i];
        }
    }
    return NULL;
}

/* Where the last tensor of a header ends, which a NUL ends. */
static inline size_t fuzz_data_size(const char *header)
{
    static const char key[] = "\"data_offsets\":[";
    size_t most = 0;

    for (const char *at = strstr(header, key); at; at = strstr(at, key)) {
        size_t end;

        at += sizeof(key) - 1;
        at += strcspn(at, ",]}");
        end = *at == ',' ? (size_t)strtoull(at + 1, NULL, 10) : 0;
        most = end > most ? end : most;
    }
    return most;
}

static inline void fuzz_write(FILE *file, const void *bytes, size_t count)
{
    if (count && fwrite(bytes, 1, count, file) != count)
        abort();
}

/* A model that begins with a brace is a header: its length is put before it,
 * and behind it as many zeros as it asks for, up to some. */
static inline void fuzz_write_model(FILE *file, const char *from, size_t count)
{
    static const char zeros[1 << 12];
    size_t end = count, left;
    uint8_t length[8];

    while (end > 0 && from[end - 1] != '}')
        end--;
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (uint8_t)((uint64_t)end >> 8 * i);
    left = fuzz_data_size(from);
    left = left < FUZZ_ZEROS ? left : 0;
    fuzz_write(file, length, sizeof(length));
    fuzz_write(file, from, end);
    for (; left > 0; left -= left < sizeof(zeros) ? left : sizeof(zeros))
        fuzz_write(file, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
}

static inline void fuzz_write_file(const char *name, const char *from,
                                   size_t count)
{
    char path[FUZZ_PATH];
    FILE *file;

    fuzz_path_of(name, path);
    file = fopen(path, "wb");
    if (!file)
        abort();
    if (count && from[0] == '{' && strstr(name, ".safetensors") &&
        !strstr(name, ".json"))
        fuzz_write_model(file, from, count);
    else
        fuzz_write(file, from, count);
    if (fclose(file) != 0)
        abort();
}

/* Makes the folder what the input says, which a NUL ends: of the files that may
 * be in it, which are always the same. */
static inline void fuzz_fill(const char *const *names, const char *text,
                             size_t size)
{
    const char *end = text + size, *from = NULL, *next, *contents;
    const char *name = NULL;

    if (fuzz_folder[0] == '\0') {
        snprintf(fuzz_folder, sizeof(fuzz_folder), "%s/fuzz-XXXXXX",
                 fuzz_place());
        if (!mkdtemp(fuzz_folder))
            abort();
        fuzz_names = names;
        atexit(fuzz_remove_folder);
    }
    fuzz_empty();
    for (const char *at = text; at < end; at = next) {
        const char *begun = fuzz_named(at, end, &contents);

        next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        if (!begun)
            continue;
        if (name)
            fuzz_write_file(name, from, (size_t)(at - from));
        name = begun;
        from = contents;
    }
    if (name)
        fuzz_write_file(name, from, (size_t)(end - from));
}

#endif
