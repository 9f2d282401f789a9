/* SPDX-License-Identifier: MIT */
/* What the numbers of a report depend on, for the first line of a journal. */
#ifndef TOMERGE_JOURNAL_SETTINGS_H
#define TOMERGE_JOURNAL_SETTINGS_H

#include "dataset.h"

/* An object of values by option, to be released; NULL after a message. What
 * differs in the second of `count` sessions is there as "OPTION of model 2". */
json_t *journal_settings(const dataset *d, const session *s, size_t count);

#endif
