/* SPDX-License-Identifier: MIT */
/* What a refusal looks like: the right code and exactly one clear line. */
#ifndef TOMERGE_TESTS_REFUSED_H
#define TOMERGE_TESTS_REFUSED_H

#include "tomevit.h"

/* Asserts that `code` is `expected` and that *why is one printable line that
 * starts with "path: " (any path if NULL) and contains every one of `words`,
 * which are separated by '|'. */
void refused(int code, int expected, const tomevit_message *why,
             const char *path, const char *words);

#endif
