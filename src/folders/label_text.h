/* SPDX-License-Identifier: MIT */
/* What a file beside an image in an archive says that it shows. */
#ifndef TOMERGE_LABEL_TEXT_H
#define TOMERGE_LABEL_TEXT_H

#include <stddef.h>

enum { LABEL_WHY = 160 };

/* The class in a sample's JSON: a number or a name under one of the keys that
 * are usual, to be freed. NULL with `why` empty if it has none of them, else
 * with why what it says cannot be used. */
char *label_in_json(const char *text, size_t count, char why[LABEL_WHY]);

/* The first line of a text, which ends with 0 and is changed; NULL if that is
 * empty, with a line in `why`. */
char *label_in_text(char *text, char why[LABEL_WHY]);

#endif
