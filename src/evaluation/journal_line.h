/* SPDX-License-Identifier: MIT */
/* A line of a journal: the outcomes of a batch as JSON and back. */
#ifndef TOMERGE_JOURNAL_LINE_H
#define TOMERGE_JOURNAL_LINE_H

#include "journal.h"

json_t *journal_line_write(const outcomes *o);

/* 0, or -1 if it is not what may follow in this journal; then there is
 * nothing to free. */
int journal_line_read(const journal *j, const json_t *line, outcomes *o);

#endif
