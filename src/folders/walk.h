/* SPDX-License-Identifier: MIT */
/* The images of a folder: one folder a class, or flat. */
#ifndef TOMERGE_WALK_H
#define TOMERGE_WALK_H

#include "folder.h"

/* Class folders and everything below them, or all images below `path`, which
 * may be archives instead (see shards.h). A subfolder or file that cannot be
 * reached is a line through `refuse`, and the walk goes on; class folders
 * without an image are one line, with their number. Hidden files and folders
 * are left out; symbolic links are followed, but not in circles.
 * 0, or -1 with a line in why[FOLDER_WHY] and nothing to free: `path` cannot
 * be read, or holds no class folder or image. */
int walk_classes(const char *path, folder *out, folder_refuse *refuse,
                 void *data, char *why);
int walk_flat(const char *path, folder *out, folder_refuse *refuse,
              void *data, char *why);

#endif
