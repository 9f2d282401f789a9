/* SPDX-License-Identifier: MIT */
/* Images named by a list of paths. */
#include "config.h"

#include "listed.h"

#include "../base/memory.h"
#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name of the folder that a file is in, among the texts kept; NULL if the
 * path has none. `last` is the one before: most are of the same folder. */
static const char *folder_of(texts *kept, const char *path, const char *last)
{
    char *text = memory_text(path), *end = strrchr(text, '/'), *name = NULL;

    if (end) {
        while (end > text && end[-1] == '/')
            end--;
        *end = '\0';
        name = strrchr(text, '/');
        name = name ? name + 1 : text;
    }
    const char *out = NULL;
    if (name && *name != '\0')
        out = last && strcmp(last, name) == 0
            ? last : texts_keep(kept, name, strlen(name));
    free(text);
    return out;
}

static void group(folder *f)
{
    const char **names = memory_zero(f->count + 1, sizeof(*names));
    texts kept = {0};

    for (size_t i = 0; i < f->count; i++)
        names[i] = folder_of(&kept, f->files[i].path,
                             i > 0 ? names[i - 1] : NULL);
    folder_group(f, names);
    free(names);
    texts_free(&kept);
}

int listed_read(const char *path, int classes, folder *out, char *why)
{
    size_t count = 0;
    char **lines;

    memset(out, 0, sizeof(*out));
    lines = pairs_read_lines(strcmp(path, "-") == 0 ? "/dev/stdin" : path,
                             &count, why);
    if (!lines)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (lines[i][0] != '\0' && lines[i][0] != '#')
            folder_add(out, lines[i]);
    pairs_free_lines(lines);
    if (classes)
        group(out);
    if (out->count > 0)
        return 0;
    snprintf(why, FOLDER_WHY, "%.400s: %s", path, out->strays > 0
             ? "no path in it has a class folder (images without need "
               "--labels)" : "no image is named in it");
    folder_free(out);
    return -1;
}
