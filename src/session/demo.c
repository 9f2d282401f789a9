/* SPDX-License-Identifier: MIT */
/* Finding the demonstration's model. */
#include "config.h"

#include "demo.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "demo.safetensors"

static int readable(const char *path)
{
    return access(path, R_OK) == 0;
}

/* Cuts the last part off; returns 0 if there was none. */
static int to_parent(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash)
        return 0;
    *slash = '\0';
    return 1;
}

/* The folder of the running program, as far as the system tells. */
static int program_folder(char folder[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);

    if (length <= 0)
        return 0;
    folder[length] = '\0';
    return to_parent(folder);
}

/* BUILD/src/tomerge, or BUILD/src/.libs/tomerge: BUILD/data. */
static int in_build_tree(const char *program, char path[PATH_MAX])
{
    char folder[PATH_MAX];
    size_t length;

    snprintf(folder, sizeof(folder), "%s", program);
    length = strlen(folder);
    if (length > 6 && strcmp(folder + length - 6, "/.libs") == 0)
        to_parent(folder);
    length = strlen(folder);
    if (length < 4 || strcmp(folder + length - 4, "/src") != 0)
        return 0;
    to_parent(folder);
    return snprintf(path, PATH_MAX, "%s/data/" NAME, folder) < PATH_MAX &&
           readable(path);
}

const char *demo_model_path(void)
{
    static char path[PATH_MAX];
    char program[PATH_MAX];

    if (program_folder(program)) {
        if (in_build_tree(program, path))
            return path;
        /* An installation that was moved as a whole. */
        if (snprintf(path, sizeof(path), "%s/../share/tomerge/" NAME,
                     program) < PATH_MAX && readable(path))
            return path;
    }
    snprintf(path, sizeof(path), "%s/" NAME, PKGDATADIR);
    return readable(path) ? path : NULL;
}
