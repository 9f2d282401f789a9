/* SPDX-License-Identifier: MIT */
/*
 * The processes that a launcher (mpirun, srun) started as one run, called
 * ranks, and bytes from one to another. All of MPI that the project knows is in
 * ranks.c; a build without MPI, and a process that no launcher started, is a
 * rank 0 of one.
 *
 * Whoever waits sleeps between looks, so that ranks which share a CPU leave it
 * to those that compute.
 */
#ifndef TOMERGE_RANKS_H
#define TOMERGE_RANKS_H

#include <stddef.h>

/* As one of how many processes a launcher started this one, 1 if none did, and
 * which of them it is. Known without MPI, from the environment. */
int ranks_launched(void);
int ranks_launched_as(void);

/* Joins the run if a launcher started this process, before anything is said
 * (see message_hold). 0, or -1 after a message. */
int ranks_begin(void);

/* For work that several processes must not each do: 0, or -1 after a message
 * that a launcher started several, and they are not ranks of one run. `only` is
 * NULL, or the name of what has no ranks. */
int ranks_alone(const char *only);

/* 1 between a ranks_begin that joined a run and ranks_end: even if it is a run
 * of one rank. */
int ranks_on(void);
size_t ranks_rank(void);
size_t ranks_count(void);

/* Ranks on this machine that may run on the same CPUs as this one, which is one
 * of them. */
size_t ranks_beside(void);

/* Every rank calls this at the same steps of its work, with 1 if it is ready
 * for the next and 0 if it has failed and said why: then the lowest that has
 * says so for all. 1 if all are ready. After the `last` step messages are no
 * longer held. ranks_end stands for a step that is never come to. */
int ranks_agree(int ready, int last);

/* 1 if all ranks have the same text. All call this together. */
int ranks_same(const char *text);

/* Rank 0's text, to be freed; `text` is NULL elsewhere. All call this
 * together. */
char *ranks_share(const char *text);

/* Each goes on by itself, as if no launcher had started it. All call this
 * together. */
void ranks_part(void);

/* What a message is about: a number of the caller's. */
typedef struct ranks_message {
    size_t from;
    int tag;
    char *bytes;           /* to be freed; a zero follows */
    size_t count;
} ranks_message;

/* Less than 2 GiB to a rank, and the next message from any, which is waited
 * for. One thread of a process at a time. */
void ranks_send(size_t to, int tag, const char *bytes, size_t count);
void ranks_take(ranks_message *out);

/* Has a thread take all messages and call handle(data, message), which frees
 * nothing, until that returns 0. It holds the lock while it does, which whoever
 * else knows `data` takes; it has MPI to itself until ranks_served, which waits
 * for its end. 0, or -1 after a message. */
int ranks_serve(int (*handle)(void *data, const ranks_message *m), void *data);
void ranks_served(void);
void ranks_lock(void);
void ranks_unlock(void);

/* Ends all ranks at once: this one has failed, and said why. */
void ranks_abort(void);

/* Leaves the run, when all do. */
void ranks_end(void);

#endif
