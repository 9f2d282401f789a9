/* SPDX-License-Identifier: MIT */
/* A journal of what pictures are worth, to go on from. */
#ifndef TOMERGE_BYTE_JOURNAL_H
#define TOMERGE_BYTE_JOURNAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* Of one picture. */
typedef struct byte_worth {
    double bits;           /* of all its bytes; negative: refused */
    double png;            /* bits of its pixels as a PNG */
} byte_worth;

typedef struct byte_journal {
    FILE *file;            /* NULL: none is wanted */
    const char *path;
} byte_journal;

/* Opens `path` (NULL: nothing) and reads into worth[most] what it has of the
 * first *done pictures, whose settings must be these; a last line that is cut
 * is dropped. 0, or -1 after a message. */
int byte_journal_open(byte_journal *j, const char *path,
                      const json_t *settings, byte_worth *worth, size_t most,
                      size_t *done);
/* One more picture, and that all so far are on their way to the disk. 0, or -1
 * after a message. */
int byte_journal_add(byte_journal *j, byte_worth worth);
int byte_journal_flush(byte_journal *j);
int byte_journal_close(byte_journal *j);

#endif
