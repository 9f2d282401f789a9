/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "covered.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *covered[100];
static size_t covered_count;

static int is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return 1;
    return 0;
}

int is_covered(const char *function)
{
    return is_among(function, covered, covered_count);
}

void cover(const char *function)
{
    if (is_covered(function))
        return;
    cr_assert_lt(covered_count, sizeof(covered) / sizeof(*covered));
    covered[covered_count++] = function;
}

size_t check_map(const char *map, const char *prefix,
                 const char *const *cannot_fail, size_t count)
{
    const char *srcdir = getenv("srcdir");
    char path[4096], line[200], name[100];
    size_t names = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", map);
    file = fopen(path, "r");
    cr_assert_not_null(file, "%s is missing", path);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, " %99[a-z0-9_];", name) != 1 ||
            strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        names++;
        cr_expect(is_covered(name) != is_among(name, cannot_fail, count),
                  "%s: %s has no refusals in this test, or needs none", map,
                  name);
    }
    fclose(file);
    return names;
}
