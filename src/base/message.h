/* SPDX-License-Identifier: MIT */
/* Lines for the user on stderr, and the exit status they lead to. */
#ifndef TOMERGE_MESSAGE_H
#define TOMERGE_MESSAGE_H

#if defined(__GNUC__)
#define MESSAGE_FORMAT __attribute__((format(printf, 1, 2)))
#else
#define MESSAGE_FORMAT
#endif

enum message_status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,      /* wrong usage */
    STATUS_REFUSED = 3     /* done, but some inputs were refused */
};

/* Each prints one line "tomerge: ..." and raises the status. */
void message_failed(const char *format, ...) MESSAGE_FORMAT;
void message_usage(const char *format, ...) MESSAGE_FORMAT;
void message_refused(const char *format, ...) MESSAGE_FORMAT;

/* For the user's information: no effect on the status, silent if quiet. */
void message_note(const char *format, ...) MESSAGE_FORMAT;
void message_quiet(int quiet);

/* For one of several processes that do the same work: notes and refused inputs
 * are another's to name, and leave the exit status as it is, where these are
 * not 0. */
void message_drop(int notes, int refusals);

/* Lines begin with `name` from here on; of those that come before
 * message_release the first is kept, for that to say it or not. */
void message_hold(const char *name);
void message_release(int say);

/* Called before every line, to clear a progress line away; NULL for none. */
void message_before(void (*clear)(void));

/* The gravest status so far: failed, then wrong usage, then refused. */
int message_status(void);

#endif
