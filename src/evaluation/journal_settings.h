/* SPDX-License-Identifier: MIT */
/* What the numbers of a report depend on, for the first line of a journal. */
#ifndef TOMERGE_JOURNAL_SETTINGS_H
#define TOMERGE_JOURNAL_SETTINGS_H

#include "dataset.h"

/* The command line, for the same line: an array of words, the subcommand first,
 * to be released. */
json_t *journal_command(const options *o);

/* An object of values by option, to be released; NULL after a message. What
 * differs in the second of `count` sessions is there as "OPTION of model 2". */
json_t *journal_settings(const dataset *d, const session *s, size_t count);

#endif
