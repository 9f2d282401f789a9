/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first ends the work after the batch under way, the second
 * ends the process. A closed pipe becomes a write error, not a death; a mapped
 * file that becomes shorter while it is read (SIGBUS), a line and status 1. */
#ifndef TOMERGE_SIGNALS_H
#define TOMERGE_SIGNALS_H

/* `clean` is called before a second signal ends the process, in the handler;
 * NULL: nothing is. */
void signals_install(void (*clean)(void));

/* 1 once SIGINT, SIGTERM or SIGHUP has come. */
int signals_stop(void);

#endif
