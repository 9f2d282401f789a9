/* SPDX-License-Identifier: MIT */
/*
 * --resume: a file that grows by a line for every finished batch, so that a
 * run that was ended in any way goes on where it was.
 *
 * The first line holds the settings that results depend on; the others are
 * JSON objects as well. A line counts once its newline is there: what follows
 * the last whole line was being written when the process ended and is cut off.
 *
 * A command that evaluates several times, each time what the results before
 * made it ask for, begins a section for every one with a line of its own. What
 * it asks for again is then found in the order in which it was asked for.
 */
#ifndef TOMERGE_JOURNAL_H
#define TOMERGE_JOURNAL_H

#include "outcomes.h"

#include <jansson.h>
#include <stdio.h>

/* What the first line says of the others: a number that grows when they change,
 * here or in another kind of journal that begins alike. */
enum { JOURNAL_FORMAT = 4 };

typedef struct journal {
    int descriptor;
    const char *path;      /* the caller's */
    FILE *reader;          /* until all lines are read */
    size_t line;           /* of the last one read */
    long long whole;       /* bytes of whole lines */
    double synced;         /* when the file was last brought to the disk */
    int failed;
    size_t classes;
    size_t sections;       /* begun so far; 0: the file is one evaluation */
    size_t depth;          /* layers of the deepest model */
    size_t width;          /* of embeddings that are kept, see outcomes */
    size_t all;            /* files of the folder, of which it may be a part */
    size_t files, run_count; /* of the evaluation at hand */
    int scattered;         /* lines are of files anywhere from `next` on */
    size_t next;           /* the first file that no line of it is about */
} journal;

/* Opens or makes the file; `settings` is an object of values by option;
 * of one that is an object itself only that it differs can be said. `command`
 * is an array of words and is kept for those who read the journal. 0, or -1
 * after a message: it cannot be had, is no journal, is in use by another
 * process, or was begun with other settings. */
int journal_open(journal *j, const char *path, json_t *settings,
                 json_t *command, size_t classes, size_t run_count,
                 size_t depth);

/* It is one evaluation, of files from .. to - 1 of `all`, with embeddings of
 * this width. */
void journal_of(journal *j, size_t from, size_t to, size_t all, size_t width);

/* The settings in the first line of a journal, and the command if it has one;
 * parts of the line. NULL after a message: it is no journal. */
json_t *journal_header(const char *path, json_t *line, json_t **command);

/* 0 if settings are the same; -1 after a message that names the first that is
 * not, but for those in except[], which ends with NULL. */
int journal_compare(const char *prefix, const char *path, json_t *then,
                    json_t *now, const char *const *except);

/* Begins an evaluation, named by an object of what it is asked: in the lines
 * found at opening if the one that comes is the same, or else after the whole
 * lines before it, with the rest kept in a file beside it. 0, or -1 after a
 * message. */
int journal_section(journal *j, json_t *asked, size_t files, size_t run_count);

/* The next line of those found at opening: 1 and what it has of the files that
 * follow, to be freed; 0 if there is none for this evaluation, and unless that
 * is complete the rest cut off; -1 after a message. */
int journal_next(journal *j, outcomes *o);

/* Appends a line: of a batch, or of none if all its files are refused; with
 * `sync` it is on the disk, and whatever it is about has to be before. 0, or -1
 * after a message: then the file ends with the last whole line again. */
int journal_add(journal *j, const outcomes *o, int sync);
/* 1 if that has not been for some seconds. */
int journal_is_due(const journal *j);

/* 0, or -1 after a message if not all is known to be on the disk. */
int journal_close(journal *j);

#endif
