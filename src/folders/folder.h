/* SPDX-License-Identifier: MIT */
/* A list of images, in groups or flat, whatever they are read from. */
#ifndef TOMERGE_FOLDER_H
#define TOMERGE_FOLDER_H

#include "../base/texts.h"
#include "source.h"

#include <stddef.h>
#include <stdint.h>

enum { FOLDER_WHY = 512 };

typedef struct folder_file {
    source *source;        /* what it is read from */
    size_t member;         /* which of the source's */
    const char *path;      /* what messages and reports call it */
    const char *name;      /* relative to the folder walked: the path's end */
    const char *given;     /* its class as the source gives it, or NULL */
    size_t group;          /* index of its class folder; 0 if flat */
    int32_t label;         /* class index, -1 until it is known */
    int remarked;          /* 1 once it was told that it is damaged */
} folder_file;

/* What a list takes is its files and their names, in memory of its own: 56
 * bytes and a path for each. Files and groups are in the order of strcmp on
 * their names; the files of an archive in the archive's. */
typedef struct folder {
    folder_file *files;
    size_t count, capacity;
    texts names;           /* what the files are called */
    char **groups;         /* names of the class folders */
    size_t group_count, group_capacity;
    source **sources;      /* those to be closed */
    size_t source_count, source_capacity;
    size_t skipped;        /* files that are no images, by name and content */
    size_t strays;         /* images beside the class folders, in none */
} folder;

/* What cannot be had of a list, as one line, while it is made. */
typedef void folder_refuse(void *data, const char *line);

/* Appends a file of a group, by default called by its path. Texts are copied;
 * the name is the path's end. */
void folder_add_file(folder *f, const char *path, const char *name,
                     size_t group);
void folder_add(folder *f, const char *path);

/* The same of a member of a source that folder_own was given. */
void folder_add_member(folder *f, source *from, size_t member,
                       const char *path, const char *name);

/* A source that is closed with the list. */
void folder_own(folder *f, source *from);

/* Makes groups of a list that has none, by the name of each file's; files
 * without, NULL, are counted as strays and taken out. */
void folder_group(folder *f, const char **names);

/* Appends the files of a flat list, called by their paths, which is then
 * empty. */
void folder_append(folder *f, folder *flat);

/* The ending of an image's name, from its dot; "" if it has none. */
const char *folder_ending(const char *name);

/* Keeps `limit` files spread evenly over the list, if it has more. */
void folder_limit(folder *f, size_t limit);
void folder_free(folder *f);

#endif
