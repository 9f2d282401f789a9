/* SPDX-License-Identifier: MIT */
/* The files that options name: what is read must not be written over. */
#ifndef TOMERGE_OPTIONS_FILES_H
#define TOMERGE_OPTIONS_FILES_H

#include "options.h"

/* Notes what the outputs will replace, and that no two are one file and none is
 * a file that is read: a model with all that belongs to it, a list, a picture.
 * 0, or -1 with a line in why[ARGS_WHY]. */
int options_files_check(options *o, char *why);

/* The same of one more input, known later: an image of a folder. */
int options_files_input(const options *o, const char *path, char *why);

/* 1 if an output is standard output, which then holds nothing else. */
int options_use_stdout(const options *o);

#endif
