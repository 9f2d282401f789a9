/* SPDX-License-Identifier: MIT */
/* The images of archives, as a folder of them. */
#ifndef TOMERGE_SHARDS_H
#define TOMERGE_SHARDS_H

#include "folder.h"

/* 1 if `path` is one archive or, with braces, several. */
int shards_are(const char *path);

/* Lists the images of the archive at `path`, or of several, as in
 * "shard-{000..127}.tar", in their order. Folders that hold everything else are
 * left out of the names. With `classes` the first folder of a name is its
 * class, unless the archives give labels themselves: a file of the same stem
 * that ends in .cls or .json (WebDataset), whose text becomes file->given.
 *
 * What is damaged is a line through `refuse`, and what came before it counts.
 * 0, or -1 with a line in why[FOLDER_WHY] and nothing to free. */
int shards_list(const char *path, int classes, folder *out,
                folder_refuse *refuse, void *data, char *why);

#endif
