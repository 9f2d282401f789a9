/* SPDX-License-Identifier: MIT */
/*
 * One evaluation by several ranks (see ranks.h): rank 0 deals pieces of the
 * files to whoever asks, itself included, and gets what was found in them as
 * lines of a journal, which it puts in order.
 *
 * A rank asks for its next piece with what it found in the last one, so that a
 * slow one takes fewer; a thread of rank 0 answers.
 */
#ifndef TOMERGE_DEALING_H
#define TOMERGE_DEALING_H

#include "evaluate.h"
#include "pieces.h"

/* A line of a journal, as rank 0 has it. */
typedef struct dealing_line {
    size_t from, to;       /* files from .. to - 1 */
    size_t journal;        /* its number, which is that of a rank */
    size_t first;          /* images that the rank took before */
    int known;             /* before the start */
    char *json;
} dealing_line;

/* Of files from .. to - 1; every rank has one. Free with dealing_end. */
dealing *dealing_begin(size_t from, size_t to, size_t batch);
void dealing_end(dealing *d);

/* The next line of the journal of that number, before the start: images that
 * are known already. What is known twice counts once. */
void dealing_known(dealing *d, size_t number, const outcomes *o);

/* The same of what is no outcomes: a line of JSON, which is taken over. */
void dealing_known_line(dealing *d, size_t number, piece files, json_t *line);

/* How many images the journal of this rank's own number has; that one is known
 * before others. */
size_t dealing_own(const dealing *d);

/* All ranks have said what is known. All call this together; then rank 0 serves
 * once dealing_serve is called. 0, or -1 after a message. */
void dealing_gather(dealing *d);
int dealing_serve(dealing *d);

/* The next piece for this rank: 1, or 0 if there is none, or a signal has come
 * to any rank. */
int dealing_next(dealing *d, piece *out);

/* What was found of some files of the piece. */
void dealing_found(dealing *d, const outcomes *o);
void dealing_found_line(dealing *d, piece files, json_t *line);

/* Of rank 0: files that are through anywhere, those known among them; how many
 * of them were known. */
size_t dealing_done(dealing *d, size_t *known);

/* Of rank 0, after the last piece: all that was found, in the order of the
 * files, up to the first gap if a signal ended it. Wall time is that of the
 * whole: the longest of any journal before, and since dealing_begin. 0, or -1
 * after a message. */
int dealing_collect(dealing *d, const evaluate_request *r, outcomes *o);

/* The same line by line, of whatever they are about: take(data, line, its JSON)
 * is 0, or -1 after a message, which dealing_damaged gives. */
typedef int dealing_take(void *data, const dealing_line *l, json_t *object);
int dealing_each(dealing *d, dealing_take *take, void *data);
int dealing_damaged(const dealing_line *l);

#endif
