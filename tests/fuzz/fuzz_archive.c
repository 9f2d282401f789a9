/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive of images: listed, and its first members read, or
 * refused in one line. Members read in order and from the beginning again are
 * the same. */
#include "config.h"

#include "fuzz.h"
#include "../draws.h"
#include "fuzz_file.h"
#include "../../src/folders/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 6 };

static void refuse(void *data, const char *line)
{
    (void)data;
    if (line[0] == '\0')
        abort();
}

/* The member's bytes as one number, 0 if it cannot be read or is longer. */
static uint64_t sum_of(const folder_file *file, size_t most)
{
    char why[SOURCE_WHY] = "";
    uint64_t sum = hash_basis;
    size_t count = 0;
    uint8_t *bytes = source_read(file, most, &count, why);

    if (!bytes && why[0] == '\0')
        abort();
    for (size_t i = 0; bytes && i < count; i++)
        sum = hash_more(sum, bytes[i]);
    free(bytes);
    return !bytes ? 0 : sum;
}

static void list(const char *path, int classes)
{
    char why[FOLDER_WHY] = "";
    uint64_t sums[MEMBERS];
    size_t count;
    folder f;

    if (shards_list(path, classes, &f, refuse, NULL, why) != 0) {
        if (why[0] == '\0' || f.files)
            abort();
        return;
    }
    count = f.count < MEMBERS ? f.count : MEMBERS;
    for (size_t i = 0; i < f.count; i++)
        if (f.files[i].name[0] == '\0' ||
            (f.group_count > 0 && f.files[i].group >= f.group_count))
            abort();
    for (size_t i = 0; i < count; i++)
        sums[i] = sum_of(&f.files[i], (size_t)1 << 30);
    for (size_t i = 0; i < count; i++) {
        uint64_t cut = sum_of(&f.files[i], 8);
        if (cut && cut != sums[i])
            abort();
    }
    for (size_t i = 0; i < count; i++)
        if (sum_of(&f.files[i], (size_t)1 << 30) != sums[i])
            abort();
    folder_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    char range[80];

    shards_are(path);
    list(path, 0);
    list(path, 1);
    /* A range of one: the same file by another name. */
    size_t last = strlen(path) - 1;
    snprintf(range, sizeof(range), "%.*s{%c..%c}", (int)last, path, path[last],
             path[last]);
    list(range, 0);
    return 0;
}
