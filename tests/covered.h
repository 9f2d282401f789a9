/* SPDX-License-Identifier: MIT */
/* Which functions a table of calls has tried, and whether a library's symbol
 * map names others. */
#ifndef TOMERGE_TESTS_COVERED_H
#define TOMERGE_TESTS_COVERED_H

#include <stddef.h>

/* `function` stays the caller's. */
void cover(const char *function);
int is_covered(const char *function);

/* Asserts of every name in $srcdir/MAP that begins with `prefix` that it is
 * covered or one of the `count` that cannot fail, not both; returns how many
 * names there are. */
size_t check_map(const char *map, const char *prefix,
                 const char *const *cannot_fail, size_t count);

#endif
