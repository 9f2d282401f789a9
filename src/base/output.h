/* SPDX-License-Identifier: MIT */
/* Files that results are written to: nothing is lost unnoticed. */
#ifndef TOMERGE_OUTPUT_H
#define TOMERGE_OUTPUT_H

#include <stdio.h>

typedef struct output {
    FILE *file;            /* NULL: not wanted */
    const char *path;      /* "-" is standard output */
} output;

/* Opens `path`, or nothing for NULL. 0, or -1 after a message. */
int output_open(output *out, const char *path);

/* Flushes and closes. 0, or -1 after a message if anything written since
 * the opening did not arrive. */
int output_close(output *out);

/* 1 if `path` is standard output. */
int output_is_stdout(const char *path);

/* A CSV field: quoted if it holds a comma, quote or line end, or blanks at
 * its ends. */
void output_csv_field(FILE *file, const char *text);

#endif
