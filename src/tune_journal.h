/* SPDX-License-Identifier: MIT */
/* --resume of tune: a journal with a section for every evaluation. */
#ifndef TOMERGE_TUNE_JOURNAL_H
#define TOMERGE_TUNE_JOURNAL_H

#include "evaluation/dataset.h"

/* The journal of a search on `all` images. 0, or -1 after a message. */
int tune_journal_open(journal *j, const dataset *all, const session *s);

/* Before the session's runs are evaluated on `part`: 0, or -1 after a
 * message. */
int tune_journal_section(journal *j, const char *name, const dataset *part,
                         const session *s);

#endif
