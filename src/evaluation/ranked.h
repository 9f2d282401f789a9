/* SPDX-License-Identifier: MIT */
/* An evaluation of which this process is one of several ranks. */
#ifndef TOMERGE_RANKED_H
#define TOMERGE_RANKED_H

#include "dataset.h"
#include "dealing.h"

typedef struct ranked {
    dealing *dealt;
    char *path;            /* of this rank's journal */
    journal journal;
    int writes, works;     /* the journal is open; the dealing has begun */
} ranked;

/* All of these are called by all ranks together; each takes up what the one
 * before has come to, 0 or -1 after a message, and returns the same. */

/* That all ranks are about the same, and what their journals know. With
 * --resume FILE rank K writes FILE.K, and reads those that no rank of this run
 * writes. Sets what is for ranks in `r`. */
int ranked_begin(ranked *k, const dataset *d, const session *s, size_t count,
                 evaluate_request *r);

/* All are ready to work, or none goes on. */
int ranked_start(ranked *k, const evaluate_request *r, int result);

/* The work is done: rank 0 has all that was found, retold as `r` asks, and gets
 * 0; others get 1, with nothing more to do. A rank that has failed ends all. */
int ranked_end(ranked *k, const evaluate_request *r, outcomes *o, int result);

/* FILE.K, to be freed; NULL after a message that FILE is of one process, where
 * K is this rank. */
char *ranked_path(const char *file, size_t rank);

/* Calls call(data, K) for every FILE.K that there is, until one is not 0, which
 * is returned. */
int ranked_each(const char *file, int (*call)(void *data, size_t rank),
                void *data);

/* A journal of one rank is no journal of all images, which its settings then
 * say. */
void ranked_mark(json_t *settings);

/* Settings against those of rank 0: bits, files and options would differ. 0, or
 * -1 after a message. All ranks call this together. */
int ranked_compare(json_t *own);

/* Whether a journal with these settings is one of several that ranks kept. */
int ranked_is_of_rank(const json_t *settings);

/* That a process by itself would not begin anew, with FILE for its journal,
 * what ranks have begun: 0, or -1 after a message. */
int ranked_check_alone(const char *file);

#endif
