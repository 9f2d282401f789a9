/* SPDX-License-Identifier: MIT */
/* Images named by files, folders, archives and lists, of no class. */
#include "config.h"

#include "collect.h"

#include "listed.h"
#include "shards.h"
#include "walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void collect_path(const char *path, int alone, folder *out,
                         folder_refuse *refuse, void *data)
{
    char why[FOLDER_WHY];
    struct stat s;
    folder below;
    int archives = shards_are(path);

    if (!archives && stat(path, &s) != 0) {
        snprintf(why, sizeof(why), "%.400s: %s", path, strerror(errno));
        refuse(data, why);
    } else if (!archives && !S_ISDIR(s.st_mode)) {
        folder_add(out, path);
    } else if (walk_flat(path, &below, refuse, data, why) != 0) {
        refuse(data, why);
    } else if (alone) {
        *out = below;
    } else {
        folder_append(out, &below);
    }
}

void collect_images(const char *list, char **paths, size_t count, folder *out,
                    folder_refuse *refuse, void *data)
{
    char why[FOLDER_WHY];

    memset(out, 0, sizeof(*out));
    if (list && listed_read(list, 0, out, why) != 0)
        refuse(data, why);
    for (size_t i = 0; i < count; i++)
        collect_path(paths[i], count == 1 && !list, out, refuse, data);
}
