/* SPDX-License-Identifier: MIT */
/* Which functions a table of calls has tried, and whether a library's symbol
 * map names others. */
#ifndef TOMERGE_TESTS_COVERED_H
#define TOMERGE_TESTS_COVERED_H

#include <stddef.h>

/* What a call returned and may have written: functions, as tables of calls use
 * them some hundred times and Criterion's macros would be expanded there.
 * `spoil` says what was wrong with the call. The second covers the function,
 * whose name stays the caller's. */
void expect_accepted(const char *function, int error);
void expect_refused(const char *function, const char *spoil, int expected,
                    int error);
void expect_same(const char *function, const char *spoil, const void *now,
                 const void *before, size_t bytes);
int is_covered(const char *function);

/* Asserts of every name in $srcdir/MAP that begins with `prefix` that it is
 * covered or one of the `count` that cannot fail, not both; returns how many
 * names there are. */
size_t check_map(const char *map, const char *prefix,
                 const char *const *cannot_fail, size_t count);

#endif
