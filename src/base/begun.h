/* SPDX-License-Identifier: MIT */
/* A journal that ended while its first line was being written. */
#ifndef TOMERGE_BEGUN_H
#define TOMERGE_BEGUN_H

/* 1 if all that the file has is a part of a line that begins with `start`, or a
 * part of `start`: nothing of anybody's is lost if it is begun anew. 0 if it is
 * empty, has a whole line or other text; -1 with errno. Where the descriptor
 * stands does not change. Of `start` the first 4096 bytes count. */
int begun_only(int descriptor, const char *start);

#endif
