/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive of images: listed, and its first members read, or
 * refused in one line. Members read in order and from the beginning again are
 * the same. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/folders/shards.h"

#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 6 };

static void refuse(void *data, const char *line)
{
    (void)data;
    if (line[0] == '\0')
        abort();
}

/* The member's bytes as one number, 0 if it cannot be read. */
static size_t sum_of(const folder_file *file)
{
    char why[SOURCE_WHY] = "";
    size_t count = 0, sum = 1;
    uint8_t *bytes = source_read(file, (size_t)1 << 30, &count, why);

    if (!bytes && why[0] == '\0')
        abort();
    for (size_t i = 0; bytes && i < count; i++)
        sum = sum * 31 + bytes[i];
    free(bytes);
    return !bytes ? 0 : sum;
}

static void list(const char *path, int classes)
{
    char why[FOLDER_WHY] = "";
    size_t sums[MEMBERS], count;
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
        sums[i] = sum_of(&f.files[i]);
    for (size_t i = 0; i < count; i++)
        if (sum_of(&f.files[i]) != sums[i])
            abort();
    folder_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);

    list(path, 0);
    list(path, 1);
    return 0;
}
