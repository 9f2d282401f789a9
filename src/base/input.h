/* SPDX-License-Identifier: MIT */
/* Text files that the user names: lists of labels, schedules. */
#ifndef TOMERGE_INPUT_H
#define TOMERGE_INPUT_H

#include <stdio.h>

/*
 * Opens a file for reading; NULL, and errno, if that fails. A pipe (as of a
 * shell's <(...)) is read to its end first, and as long as it has nothing to
 * give a signal ends the wait: errno is EINTR then.
 */
FILE *input_open(const char *path);

#endif
