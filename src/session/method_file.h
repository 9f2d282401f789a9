/* SPDX-License-Identifier: MIT */
/* --method @FILE: a file that says how tokens merge. */
#ifndef TOMERGE_METHOD_FILE_H
#define TOMERGE_METHOD_FILE_H

#include "merging_args.h"

/* Reads what "@FILE" names. 0, or -1 with a line in why[256]. */
int method_file_read(const char *text, merging_method *method, char *why);

/* What args->file says in a model: sets run->merging, r and layers; nothing
 * goes unless it `merges`. 0, or -1 with a line in why[256]. */
int method_file_resolve(const merging_args *args,
                        const tomevit_description *model, int merges,
                        merging_run *run, char *why);

#endif
