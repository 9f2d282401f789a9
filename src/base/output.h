/* SPDX-License-Identifier: MIT */
/* Files that results are written to: nothing is lost unnoticed. */
#ifndef TOMERGE_OUTPUT_H
#define TOMERGE_OUTPUT_H

#include "replace.h"

#include <stdio.h>

typedef struct output {
    FILE *file;            /* NULL: not wanted */
    const char *path;      /* "-" is standard output */
    replacement place;
} output;

/* Opens `path`, or nothing for NULL. What is there already stays as it is
 * until output_close. 0, or -1 after a message. */
int output_open(output *out, const char *path);

/* The results are whole, or as far as they go: they take their place. 0, or -1
 * after a message if anything written since the opening did not arrive. */
int output_close(output *out);

/* There are no results: what was there before stays. */
void output_abandon(output *out);

/* How a run ended, which decides between the two. */
enum output_worth {
    OUTPUT_WHOLE = 0,      /* with results: they take their place */
    OUTPUT_EMPTY = 1,      /* with none, which is worth saying where nothing is
                            * lost by it: the file is new, or a pipe */
    OUTPUT_FAILED = 2
};
int output_end(output *out, int worth);

/* Sees to it that what was printed for people has arrived. 0, or -1 after a
 * message. */
int output_flush_people(void);

/* 1 if `path` is standard output. */
int output_is_stdout(const char *path);

/* A CSV field: quoted if it holds a comma, quote or line end, or blanks at
 * its ends. */
void output_csv_field(FILE *file, const char *text);

#endif
