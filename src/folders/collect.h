/* SPDX-License-Identifier: MIT */
/* Images named by files, folders, archives and lists, of no class. */
#ifndef TOMERGE_COLLECT_H
#define TOMERGE_COLLECT_H

#include "folder.h"

/* Files as they are named, folders and archives walked; of `list`, if it is not
 * NULL, those that it names. What comes from one folder or archive alone is
 * called by its name below that, everything else by its path. What cannot be
 * had is a line through `refuse`. */
void collect_images(const char *list, char **paths, size_t count, folder *out,
                    folder_refuse *refuse, void *data);

#endif
