/* SPDX-License-Identifier: MIT */
/* Archives as sources of images: tar, also compressed, and zip, read where
 * they lie. Nothing in them is written to disk or opened by its name there. */
#ifndef TOMERGE_ARCHIVE_H
#define TOMERGE_ARCHIVE_H

#include "source.h"

#include <stddef.h>
#include <stdint.h>

typedef struct archive_reader archive_reader;

/* One member as the archive tells of it; `name` is valid until the next. */
typedef struct archive_member {
    const char *name;
    size_t index;
    int regular;           /* 0: a folder, a link, a device */
    const char *same_as;   /* of another name for a member that came before (a
                            * hard link): that one's; else NULL */
} archive_member;

/* 1 if the file at `path` begins like an archive, whether or not this build
 * reads them. */
int archive_recognised(const char *path);

/* NULL with a line in why[SOURCE_WHY]: it cannot be opened, is no archive of
 * these kinds, or this build reads none. */
archive_reader *archive_open(const char *path, char *why);

/* 1 with the next member, 0 at the end, -1 with a line in why[SOURCE_WHY]. */
int archive_next(archive_reader *r, archive_member *out, char *why);

/* All bytes of the member that archive_next told of last, at most `most`; to
 * be freed. NULL with a line in why[SOURCE_WHY]. */
uint8_t *archive_read_member(archive_reader *r, size_t most, size_t *count,
                             char *why);
void archive_close(archive_reader *r);

/* A source of the members of an archive, for folder_file.member. */
source *archive_source(const char *path);

#endif
