/* SPDX-License-Identifier: MIT */
/* A journal of what pictures are worth, to go on from or to join. */
#ifndef TOMERGE_BYTE_JOURNAL_H
#define TOMERGE_BYTE_JOURNAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* A picture is a row of numbers, the first of which is negative where it was
 * refused. */
typedef struct byte_journal {
    FILE *file;            /* NULL: none is wanted */
    const char *path;
    size_t width;          /* numbers of a picture */
} byte_journal;

/* Opens `path` (NULL: nothing) and reads into worth[most, width] what it has of
 * the first *done pictures, whose settings must be these; a last line that is
 * cut is dropped. `command` is kept for those who read it. 0, or -1 after a
 * message. */
int byte_journal_open(byte_journal *j, const char *path, json_t *settings,
                      json_t *command, size_t width, double *worth,
                      size_t most, size_t *done);
/* One more picture, and that all so far are on their way to the disk. 0, or -1
 * after a message. */
int byte_journal_add(byte_journal *j, const double *worth);
int byte_journal_flush(byte_journal *j);
int byte_journal_close(byte_journal *j);

/* Opens another's to be read, behind its first line: its settings, to be
 * released, or NULL after a message. */
json_t *byte_journal_begin(byte_journal *j, const char *path, size_t width);
/* Its pictures: at most `most` into worth[most, width], *done of which were
 * there; -1 after a message if there are more, or what is none. */
int byte_journal_read(byte_journal *j, double *worth, size_t most,
                      size_t *done);

#endif
