/* SPDX-License-Identifier: MIT */
/* A list of images, in groups or flat, whatever they are read from. */
#include "config.h"

#include "folder.h"

#include "../base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *folder_ending(const char *name)
{
    static const char *const endings[] = {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp",
        ".tif", ".tiff", ".avif", ".heic", ".jp2", ".ppm"
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return dot;
    return name + strlen(name);
}

/* ---- files --------------------------------------------------------------- */

void folder_add_file(folder *f, const char *path, const char *name,
                     size_t group)
{
    size_t length = strlen(path), last = strlen(name);
    const char *kept = texts_keep(&f->names, path, length);

    f->files = memory_grow(f->files, f->count, &f->capacity,
                           sizeof(*f->files));
    f->files[f->count++] = (folder_file){
        .source = &source_files, .path = kept, .name = kept + length - last,
        .group = group, .label = -1
    };
}

void folder_add(folder *f, const char *path)
{
    folder_add_file(f, path, path, 0);
}

void folder_add_member(folder *f, source *from, size_t member,
                       const char *path, const char *name)
{
    folder_add_file(f, path, name, 0);
    f->files[f->count - 1].source = from;
    f->files[f->count - 1].member = member;
}

void folder_own(folder *f, source *from)
{
    f->sources = memory_grow(f->sources, f->source_count, &f->source_capacity,
                             sizeof(*f->sources));
    f->sources[f->source_count++] = from;
}

void folder_append(folder *f, folder *flat)
{
    for (size_t i = 0; i < flat->count; i++) {
        folder_file file = flat->files[i];
        file.name = file.path;
        f->files = memory_grow(f->files, f->count, &f->capacity,
                               sizeof(*f->files));
        f->files[f->count++] = file;
    }
    texts_take(&f->names, &flat->names);
    for (size_t i = 0; i < flat->source_count; i++)
        folder_own(f, flat->sources[i]);
    flat->source_count = 0;
    folder_free(flat);
}

void folder_limit(folder *f, size_t limit)
{
    if (limit == 0 || limit >= f->count)
        return;
    folder_file *kept = memory_zero(limit, sizeof(*kept));
    size_t next = 0;
    for (size_t i = 0; i < f->count; i++) {
        /* the file at floor(next * count / limit) is the next one kept */
        if (next < limit &&
            i == (size_t)((double)next * (double)f->count / (double)limit)) {
            kept[next++] = f->files[i];
        }
    }
    free(f->files);
    f->files = kept;
    f->count = f->capacity = next;
}

/* ---- groups -------------------------------------------------------------- */

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

void folder_free(folder *f)
{
    free(f->files);
    texts_free(&f->names);
    for (size_t i = 0; i < f->source_count; i++)
        f->sources[i]->kind->close(f->sources[i]);
    free(f->sources);
    for (size_t i = 0; i < f->group_count; i++)
        free(f->groups[i]);
    free(f->groups);
    memset(f, 0, sizeof(*f));
}
