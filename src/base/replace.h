/* SPDX-License-Identifier: MIT */
/*
 * A file that is written beside its place and takes it when it is whole: until
 * then, and whenever the work fails, what was there before stays.
 */
#ifndef TOMERGE_REPLACE_H
#define TOMERGE_REPLACE_H

#include <stdio.h>

typedef struct replacement {
    FILE *file;            /* to write to; NULL: nothing is open */
    char *part;            /* its name beside the place, or NULL: it has none */
    char *target;          /* the place; NULL: it is written as it comes */
    int is_new;            /* nothing was there before */
} replacement;

/*
 * Opens for writing. Pipes, devices and standard output ("-") are written as
 * they come. Of a symbolic link the file it leads to is replaced. Where
 * nothing can be made beside a file, or nothing renamed to it, its new content
 * waits elsewhere and is copied into it in the end.
 *
 * 0, or -1 with errno: also if `path` is a folder, or a file that may not be
 * written.
 */
int replacement_open(replacement *r, const char *path);

/* Closes, and the file takes its place. 0, or -1 with errno, 0 if that is
 * unknown: then what was there before stays. */
int replacement_commit(replacement *r);

/* Closes, and nothing has happened to what was there before. What was written
 * to a pipe, a device or standard output is gone. */
void replacement_abandon(replacement *r);

/* `part` is such a file of someone else's, until it is forgotten; it has to
 * stay where it is in memory. */
void replacement_note(char *part);
void replacement_forget(char *part);

/* Removes what unfinished files lie beside their places: for a process that
 * ends. It may be called in a signal handler. */
void replacement_abandon_all(void);

#endif
