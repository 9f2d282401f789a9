/* SPDX-License-Identifier: MIT */
/* The outcomes of a folder from the journals of its parts. */
#ifndef TOMERGE_JOIN_H
#define TOMERGE_JOIN_H

#include "evaluate.h"
#include "../session/options.h"
#include "ranges.h"

#include <jansson.h>

/* The files from .. to - 1 of `count` that are a part: parts differ by one file
 * at most, and those of one N are all files. */
void join_part(size_t count, options_part part, size_t *from, size_t *to);

/* Which part of `count` files a journal's settings are about: `from` and `to`
 * of a range whose path is known. 0, or -1 after a message. */
int join_part_of(const json_t *settings, size_t count, range *r);

/* The command that a journal was begun by: an array of words, the subcommand
 * first, to be released. NULL after a message. */
json_t *join_command(const char *path);

/* What the journals found, in the order of the files, and retold as asked.
 * They are parts of one evaluation, which is that of `settings`, on any
 * machines: of these `settings` gets the CPU tier and number of threads. 0, or
 * -1 after a message that names the journals which leave a gap, overlap, are
 * not finished or were begun with other options. */
int join_outcomes(char **paths, size_t count, json_t *settings,
                  const evaluate_request *r, outcomes *o);

/* What settings say that was computed with, as reports have it. */
json_t *join_computed(const json_t *settings);

#endif
