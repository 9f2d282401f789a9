/* SPDX-License-Identifier: MIT */
/* What images are read from: files as they lie, or an archive. */
#ifndef TOMERGE_SOURCE_H
#define TOMERGE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

enum { SOURCE_WHY = 200 };

struct folder_file;
typedef struct source source;

/* What a kind of source does. */
typedef struct source_kind {
    /* All bytes of a member, to be freed, if they are at most `most`; NULL with
     * a line in why[SOURCE_WHY]. Of a source that is read in order, one at a
     * time. */
    uint8_t *(*read)(source *s, const struct folder_file *file, size_t most,
                     size_t *count, char *why);
    /* Tells the system that a member will be read soon; may be NULL. */
    void (*ahead)(source *s, const struct folder_file *file);
    void (*close)(source *s);
    int in_order;          /* 1: members that come before those that were read
                            * cost a new beginning */
} source_kind;

struct source {
    const source_kind *kind;
    char *path;            /* what is opened; NULL: the files themselves */
};

/* Files by their own paths: one for all, which is never closed. */
extern source source_files;

/* As the kind does. */
uint8_t *source_read(const struct folder_file *file, size_t most,
                     size_t *count, char *why);
void source_ahead(const struct folder_file *file);

/* The file on disk that a member is in. */
const char *source_path(const struct folder_file *file);

#endif
