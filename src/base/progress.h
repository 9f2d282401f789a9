/* SPDX-License-Identifier: MIT */
/* One line on stderr that shows how far the work is, on terminals only. */
#ifndef TOMERGE_PROGRESS_H
#define TOMERGE_PROGRESS_H

#include <stddef.h>

/* Starts if stderr is a terminal and `quiet` is 0. */
void progress_start(size_t total, int quiet);

/* `done` of the total are through. `top1` is the running accuracy in
 * percent, negative if there is none. Draws at most ten times a second. */
void progress_show(size_t done, double top1);
void progress_end(void);

/* The line itself, at most 79 columns, into line[80]. */
void progress_line(size_t done, size_t total, double seconds, double top1,
                   char line[80]);

#endif
