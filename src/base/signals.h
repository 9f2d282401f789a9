/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first ends the work after the batch under way, the second
 * ends the process. A closed pipe becomes a write error, not a death. */
#ifndef TOMERGE_SIGNALS_H
#define TOMERGE_SIGNALS_H

void signals_install(void);

/* 1 once SIGINT or SIGTERM has come. */
int signals_stop(void);

#endif
