/* SPDX-License-Identifier: MIT */
/* Files of text. */
#ifndef TOMEVIT_METHOD_TEXT_H
#define TOMEVIT_METHOD_TEXT_H

#include "tomevit.h"

/* All of a file of up to `most` bytes but a byte order mark, with a zero byte
 * behind it, to be freed. EIO; EFORMAT for a longer one; ENOMEM; with a line in
 * `why`. */
int tomevit_method_file(const char *path, size_t most, char **text,
                        size_t *length, tomevit_message *why);

#endif
