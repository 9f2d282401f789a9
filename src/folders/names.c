/* SPDX-License-Identifier: MIT */
/* The images of a folder and the names in a list, brought together. */
#include "names.h"

#include "../base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { WHOLE = -1, BASE = -2, MOST_FOLDERS = 4 };

/* How two names are compared: folders before them that are left out (WHOLE:
 * none, BASE: all), and whether endings are. */
typedef struct view {
    int of_list, of_file, ending;
} view;

typedef struct key {
    char *text;
    size_t index;
} key;

static const char *drop_folders(const char *name, int folders)
{
    const char *slash;

    while (strncmp(name, "./", 2) == 0 || name[0] == '/')
        name += name[0] == '/' ? 1 : 2;
    if (folders == BASE)
        return (slash = strrchr(name, '/')) != NULL ? slash + 1 : name;
    for (; folders > 0; folders--) {
        slash = strchr(name, '/');
        if (!slash)
            return "";
        name = slash + 1;
    }
    return name;
}

/* A copy as it is compared; "" is like nothing. */
static char *seen(const char *name, int folders, int ending)
{
    char *text = memory_text(name);

    for (char *p = text; *p != '\0'; p++)
        if (*p == '\\')
            *p = '/';
    char *part = memory_text(drop_folders(text, folders));
    if (ending)
        part[strlen(part) - strlen(folder_ending(part))] = '\0';
    free(text);
    return part;
}

static int compare(const void *a, const void *b)
{
    const key *x = a, *y = b;
    int order = strcmp(x->text, y->text);

    return order != 0 ? order : x->index < y->index ? -1 : 1;
}

/* How many files find a line under this view; 0 also where it would make one
 * of several. */
static size_t try(const pairs *list, const folder *f, const key *files, view v,
                  const pair **found)
{
    key *lines = memory_zero(list->count, sizeof(*lines));
    size_t matched = 0, i = 0, k = 0;
    int clash = 0;

    for (size_t n = 0; n < list->count; n++)
        lines[n] = (key){seen(list->items[n].key, v.of_list, v.ending), n};
    qsort(lines, list->count, sizeof(*lines), compare);
    memset(found, 0, f->count * sizeof(*found));
    while (i < list->count && k < f->count && !clash) {
        int order = strcmp(lines[i].text, files[k].text);
        const pair *line = &list->items[lines[i].index];

        if (order != 0 || lines[i].text[0] == '\0') {
            i += order <= 0;
            k += order > 0;
            continue;
        }
        found[files[k].index] = line;
        matched++;
        for (i++; i < list->count && strcmp(lines[i].text, files[k].text) == 0;
             i++)
            clash |= strcmp(list->items[lines[i].index].value,
                            line->value) != 0;
        k++;
        clash |= k < f->count && strcmp(files[k - 1].text, files[k].text) == 0;
    }
    for (size_t n = 0; n < list->count; n++)
        free(lines[n].text);
    free(lines);
    return clash ? 0 : matched;
}

static key *see_files(const folder *f, view v)
{
    key *files = memory_zero(f->count, sizeof(*files));

    for (size_t i = 0; i < f->count; i++)
        files[i] = (key){seen(f->files[i].name, v.of_file, v.ending), i};
    qsort(files, f->count, sizeof(*files), compare);
    return files;
}

const pair **names_match(const pairs *list, const folder *f)
{
    const pair **best = memory_zero(f->count, sizeof(*best));
    const pair **found = memory_zero(f->count, sizeof(*found));
    size_t most = 0, all = f->count < list->count ? f->count : list->count;

    for (int ending = 0; ending < 2; ending++)
        for (int n = 0; n <= MOST_FOLDERS + 1 && most < all; n++) {
            int folders = n == 0 ? WHOLE : n > MOST_FOLDERS ? BASE : n;
            view v = {folders, folders == BASE ? BASE : WHOLE, ending};
            key *files = see_files(f, v);
            size_t matched = try(list, f, files, v, found);

            for (size_t i = 0; i < f->count; i++)
                free(files[i].text);
            free(files);
            if (matched <= most)
                continue;
            most = matched;
            memcpy(best, found, f->count * sizeof(*best));
        }
    free(found);
    return best;
}
