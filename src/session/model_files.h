/* SPDX-License-Identifier: MIT */
/* Which files a model is read from. */
#ifndef TOMERGE_MODEL_FILES_H
#define TOMERGE_MODEL_FILES_H

/* Called with a path that is valid for the call. Returns 0, or what ends the
 * walk. */
typedef int model_file(void *data, const char *path);

/* The checkpoint itself and, if it is an index, the files that it names. Those
 * that cannot be read are left out: opening the model is where that is said.
 * Returns what `each` returned at last. */
int model_files_each(const char *path, model_file *each, void *data);

/* The configurations beside it, which say what the checkpoint does not. */
int model_files_beside(const char *path, model_file *each, void *data);

/* The one checkpoint in a folder, to be freed; NULL with a line in
 * why[ARGS_WHY] if there is none, or more than one, with errno where the folder
 * cannot be read, else 0. An index and the files it names are one. */
char *model_files_in_folder(const char *folder, char *why);

#endif
