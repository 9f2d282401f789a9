/* SPDX-License-Identifier: MIT */
/* Numbers in text, and files of it. */
#ifndef TOMEVIT_METHOD_TEXT_H
#define TOMEVIT_METHOD_TEXT_H

#include "tomevit.h"

/* A number that makes up all of `text`, with a point in any locale: 0, or
 * EINVAL. */
int tomevit_method_real(const char *text, double *value);

/* All of a file of up to `most` bytes but a byte order mark, with a zero byte
 * behind it, to be freed. EIO; EFORMAT for a longer one; ENOMEM; with a line in
 * `why`. */
int tomevit_method_file(const char *path, size_t most, char **text,
                        size_t *length, tomevit_message *why);

#endif
