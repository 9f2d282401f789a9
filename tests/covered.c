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

static void cover(const char *function)
{
    if (is_covered(function))
        return;
    cr_assert_lt(covered_count, sizeof(covered) / sizeof(*covered));
    covered[covered_count++] = function;
}

void expect_accepted(const char *function, int error)
{
    cr_expect_eq(error, 0, "%s: %d though all is well", function, error);
}

void expect_refused(const char *function, const char *spoil, int expected,
                    int error)
{
    cr_expect_eq(error, expected, "%s: %d, not %d, after %s", function, error,
                 expected, spoil);
    cover(function);
}

void expect_same(const char *function, const char *spoil, const void *now,
                 const void *before, size_t bytes)
{
    cr_expect(memcmp(now, before, bytes) == 0, "%s writes something after %s",
              function, spoil);
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
