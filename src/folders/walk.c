/* SPDX-License-Identifier: MIT */
/* The images of a folder on disk, and of everything below it. */
#include "config.h"

#include "walk.h"

#include "../base/memory.h"
#include "../images/image.h"
#include "shards.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct place {
    dev_t device;
    ino_t inode;
} place;

typedef struct walk {
    folder *out;
    folder_refuse *refuse;
    void *data;
    place *above;          /* the folders being walked, for circles */
    size_t depth, capacity;
    char *first_empty;     /* class folder */
    size_t empty;
} walk;

/* ---- what is an image ---------------------------------------------------- */

/* Files named like an image are taken whatever they hold, so that a spoilt
 * one is refused by name rather than passed over. */
static int named_like_image(const char *name)
{
    return *folder_ending(name) != '\0';
}

static int begins_like_image(const char *path)
{
    uint8_t bytes[32];
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t count = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return image_recognised(bytes, count);
}

/* `s` is NULL where nothing can be known of the file but its name. */
static int is_image(const char *path, const char *name, const struct stat *s)
{
    return named_like_image(name) ||
           (s && S_ISREG(s->st_mode) && begins_like_image(path));
}

/* ---- names in a folder --------------------------------------------------- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder but hidden ones, sorted. NULL with errno set. */
static char **read_names(const char *path, size_t *count)
{
    char **names = memory_zero(1, sizeof(*names));
    size_t capacity = 1;
    struct dirent *entry;
    DIR *dir = opendir(path);

    *count = 0;
    if (!dir) {
        free(names);
        return NULL;
    }
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            names = memory_grow(names, *count, &capacity, sizeof(*names));
            names[(*count)++] = memory_text(entry->d_name);
        }
        errno = 0;
    }
    int error = errno;
    closedir(dir);
    if (error != 0) {
        for (size_t i = 0; i < *count; i++)
            free(names[i]);
        free(names);
        errno = error;
        return NULL;
    }
    qsort(names, *count, sizeof(*names), compare_text);
    return names;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static void refuse(walk *w, const char *path, const char *reason)
{
    char line[FOLDER_WHY];
    snprintf(line, sizeof(line), "%.400s: %.100s", path, reason);
    w->refuse(w->data, line);
}

/* ---- the walk ------------------------------------------------------------ */

/* Remembers a folder on the way down; 0 if it is above itself already. */
static int enter(walk *w, const struct stat *s)
{
    for (size_t i = 0; i < w->depth; i++)
        if (w->above[i].device == s->st_dev && w->above[i].inode == s->st_ino)
            return 0;
    w->above = memory_grow(w->above, w->depth, &w->capacity,
                           sizeof(*w->above));
    w->above[w->depth].device = s->st_dev;
    w->above[w->depth].inode = s->st_ino;
    w->depth++;
    return 1;
}

static void walk_folder(walk *w, const char *path, const char *name,
                        size_t group);

static void walk_entry(walk *w, const char *path, const char *name,
                       size_t group)
{
    struct stat s;
    int known = stat(path, &s) == 0, error = errno;

    if (known && S_ISDIR(s.st_mode)) {
        if (enter(w, &s)) {
            walk_folder(w, path, name, group);
            w->depth--;
        }
    } else if (is_image(path, name, known ? &s : NULL)) {
        folder_add_file(w->out, path, name, group);
    } else if (!known && error != ENOENT) {
        refuse(w, path, strerror(error));
    } else {
        w->out->skipped++;
    }
}

static void walk_folder(walk *w, const char *path, const char *name,
                        size_t group)
{
    size_t count;
    char **names = read_names(path, &count);

    if (!names) {
        refuse(w, path, strerror(errno));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char *below = memory_path(path, names[i]);
        char *relative = memory_path(name, names[i]);
        walk_entry(w, below, relative, group);
        free(below);
        free(relative);
    }
    free_names(names, count);
}

/* Starts a walk: checks that `path` is a folder. */
static int begin(walk *w, const char *path, folder *out, folder_refuse *say,
                 void *data, char *why)
{
    struct stat s;

    memset(out, 0, sizeof(*out));
    memset(w, 0, sizeof(*w));
    w->out = out;
    w->refuse = say;
    w->data = data;
    if (stat(path, &s) != 0) {
        snprintf(why, FOLDER_WHY, "%.400s: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(s.st_mode)) {
        snprintf(why, FOLDER_WHY, "%.400s: not a folder", path);
        return -1;
    }
    enter(w, &s);
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    const folder_file *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void sort_files(folder *f)
{
    if (f->count > 1)
        qsort(f->files, f->count, sizeof(*f->files), compare_files);
}

static void walk_class(walk *w, const char *path, const char *name)
{
    folder *f = w->out;
    struct stat s;

    int known = stat(path, &s) == 0;
    if (!known || !S_ISDIR(s.st_mode)) {
        if (is_image(path, name, known ? &s : NULL))
            f->strays++;
        else
            f->skipped++;
        return;
    }
    size_t before = f->count;
    int refused = 0;
    f->groups = memory_grow(f->groups, f->group_count, &f->group_capacity,
                            sizeof(*f->groups));
    f->groups[f->group_count++] = memory_text(name);
    if (enter(w, &s)) {
        DIR *dir = opendir(path);
        refused = !dir;
        if (dir)
            closedir(dir);
        walk_folder(w, path, name, f->group_count - 1);
        w->depth--;
    }
    if (f->count == before && !refused && w->empty++ == 0)
        w->first_empty = memory_text(path);
}

/* One line, however many there are. */
static void refuse_empty(walk *w)
{
    char reason[100];

    if (w->empty == 0)
        return;
    snprintf(reason, sizeof(reason), w->empty == 1
             ? "this class folder holds no image"
             : "this class folder and %zu others hold no image",
             w->empty - 1);
    refuse(w, w->first_empty, reason);
}

static void end(walk *w)
{
    free(w->above);
    free(w->first_empty);
}

int walk_classes(const char *path, folder *out, folder_refuse *say, void *data,
                 char *why)
{
    walk w;
    size_t count;

    if (shards_are(path))
        return shards_list(path, 1, out, say, data, why);
    if (begin(&w, path, out, say, data, why) != 0)
        return -1;
    char **names = read_names(path, &count);
    if (!names) {
        snprintf(why, FOLDER_WHY, "%.400s: %s", path, strerror(errno));
        end(&w);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        char *below = memory_path(path, names[i]);
        walk_class(&w, below, names[i]);
        free(below);
    }
    refuse_empty(&w);
    end(&w);
    if (out->count == 0 && count == 0)
        snprintf(why, FOLDER_WHY, "%.400s: the folder is empty", path);
    else if (out->count == 0 && out->group_count == 0)
        snprintf(why, FOLDER_WHY, "%.400s: no class folders in it (a flat "
                 "folder of images needs --labels)", path);
    else if (out->count == 0)
        snprintf(why, FOLDER_WHY, "%.400s: no images in its class folders",
                 path);
    free_names(names, count);
    if (out->count == 0) {
        folder_free(out);
        return -1;
    }
    sort_files(out);
    return 0;
}

int walk_flat(const char *path, folder *out, folder_refuse *say, void *data,
              char *why)
{
    walk w;

    if (shards_are(path))
        return shards_list(path, 0, out, say, data, why);
    if (begin(&w, path, out, say, data, why) != 0)
        return -1;
    DIR *dir = opendir(path);
    if (!dir) {
        snprintf(why, FOLDER_WHY, "%.400s: %s", path, strerror(errno));
        end(&w);
        return -1;
    }
    closedir(dir);
    walk_folder(&w, path, "", 0);
    end(&w);
    if (out->count == 0) {
        snprintf(why, FOLDER_WHY, "%.400s: no images in it", path);
        folder_free(out);
        return -1;
    }
    sort_files(out);
    return 0;
}
