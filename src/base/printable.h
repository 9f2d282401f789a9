/* SPDX-License-Identifier: MIT */
/* Text that may hold anything, for a terminal. */
#ifndef TOMERGE_PRINTABLE_H
#define TOMERGE_PRINTABLE_H

#include <stdio.h>

/* Writes `text` with every byte that steers a terminal, or is not UTF-8, as
 * \x1b or the like; letters of all scripts stay. */
void printable_put(const char *text, FILE *out);

#endif
