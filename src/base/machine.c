/* SPDX-License-Identifier: MIT */
/* What this machine is called. */
#include "config.h"

#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* "model name : Intel(R) ..." of /proc/cpuinfo; "" where there is none. */
static void processor(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char *line = NULL;
    size_t capacity = 0;

    out[0] = '\0';
    while (file && out[0] == '\0' &&
           getline(&line, &capacity, file) > 0) {
        const char *name = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && name)
            snprintf(out, size, "%.*s", (int)strcspn(name + 2, "\n"),
                     name + 2);
    }
    free(line);
    if (file)
        fclose(file);
}

void machine_name(char *out, size_t size)
{
    struct utsname system;
    char name[128];

    processor(name, sizeof(name));
    if (uname(&system) != 0)
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%s%s%s, %s %s", name, name[0] ? ", " : "",
                 system.machine, system.sysname, system.release);
}
