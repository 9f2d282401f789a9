/* SPDX-License-Identifier: MIT */
/* Class folders of a list of files that was not walked. */
#include "config.h"

#include "folder.h"

#include "../base/memory.h"

#include <stdlib.h>
#include <string.h>

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names sorted, each once. */
static void add_groups(folder *f, const char **names)
{
    const char **all = memory_zero(f->count + 1, sizeof(*all));

    memcpy(all, names, f->count * sizeof(*all));
    qsort(all, f->count, sizeof(*all), compare_text);
    for (size_t i = 0; i < f->count; i++) {
        if (i > 0 && strcmp(all[i - 1], all[i]) == 0)
            continue;
        f->groups = memory_grow(f->groups, f->group_count, &f->group_capacity,
                                sizeof(*f->groups));
        f->groups[f->group_count++] = memory_text(all[i]);
    }
    free(all);
}

void folder_group(folder *f, const char **names)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->count; i++) {
        if (!names[i]) {
            f->strays++;
            continue;
        }
        names[kept] = names[i];
        f->files[kept++] = f->files[i];
    }
    f->count = kept;
    add_groups(f, names);
    for (size_t i = 0; i < kept; i++) {
        char **group = bsearch(&names[i], f->groups, f->group_count,
                               sizeof(*f->groups), compare_text);
        f->files[i].group = (size_t)(group - f->groups);
    }
}
