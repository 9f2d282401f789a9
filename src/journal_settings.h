/* SPDX-License-Identifier: MIT */
/* What the numbers of a report depend on, for the first line of a journal. */
#ifndef TOMERGE_JOURNAL_SETTINGS_H
#define TOMERGE_JOURNAL_SETTINGS_H

#include "dataset.h"

/* An object of values by option, to be released; NULL after a message. */
json_t *journal_settings(const dataset *d, const session *s);

#endif
