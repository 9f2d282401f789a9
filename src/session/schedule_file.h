/* SPDX-License-Identifier: MIT */
/* Schedules in files, for --schedule @FILE: text, r of each layer with commas,
 * blanks or line ends between, and comments from # to the line's end. In the
 * same way --method-options @FILE has key=value. */
#ifndef TOMERGE_SCHEDULE_FILE_H
#define TOMERGE_SCHEDULE_FILE_H

#include <stddef.h>
#include <stdio.h>

enum { SCHEDULE_FILE_MOST = 1 << 16 }; /* bytes */

/* The file as a list with commas, to be freed; NULL with one line in
 * why[ARGS_WHY]. The numbers are not looked at. */
char *schedule_file_read(const char *path, char *why);

/* A line of comment; and with the text or the list. */
void schedule_file_comment(FILE *out, const char *comment);
void schedule_file_text(FILE *out, const char *comment, const char *text);
void schedule_file_write(FILE *out, const char *comment, const size_t *r,
                         size_t depth);

#endif
