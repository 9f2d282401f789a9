/* SPDX-License-Identifier: MIT */
/* Images named by a list of paths. */
#ifndef TOMERGE_LISTED_H
#define TOMERGE_LISTED_H

#include "folder.h"

/* The files that the lines of a list name, in its order; "-" is standard input.
 * Empty lines and those that begin with # are left out. With `classes` the
 * folder that a file is in is its class. 0, or -1 with a line in
 * why[FOLDER_WHY] and nothing to free. */
int listed_read(const char *path, int classes, folder *out, char *why);

#endif
