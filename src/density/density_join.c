/* SPDX-License-Identifier: MIT */
/* What pictures are worth from the journals of their parts. */
#include "config.h"

#include "density.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../evaluation/join.h"
#include "../evaluation/journal.h"

#include <stdlib.h>
#include <string.h>

typedef struct part {
    const char *path;
    json_t *settings;
    size_t from, to, done;
} part;

/* Which part of `count` files the settings are about. */
static int range_of(part *a, size_t count)
{
    const char *text = json_string_value(json_object_get(a->settings,
                                                         "--part"));
    options_part range = {0, 0};
    char rest;

    if (text && (sscanf(text, "%zu/%zu%c", &range.k, &range.n, &rest) != 2 ||
                 range.k < 1 || range.k > range.n)) {
        message_failed("%s: '%.40s' is no part", a->path, text);
        return -1;
    }
    join_part(count, range, &a->from, &a->to);
    return 0;
}

/* On any machines, but all by kernels that give the same bits. */
static int check_settings(const density *p, const part *a, json_t *first)
{
    static const char *const own[] = {"--part", NULL};
    static const char *const machine[] = {"--part", "--cpu", "arithmetic",
                                          NULL};

    return journal_compare("join", a->path, a->settings,
                           first ? first : p->settings, first ? own : machine);
}

static int read_part(density *p, part *a, json_t *first)
{
    byte_journal j;
    int result = -1;

    a->settings = byte_journal_begin(&j, a->path, p->width);
    if (a->settings && check_settings(p, a, first) == 0 &&
        range_of(a, p->files->count) == 0)
        result = byte_journal_read(&j, p->worth + a->from * p->width,
                                   a->to - a->from, &a->done);
    if (j.file)
        fclose(j.file);
    return result;
}

static int by_range(const void *a, const void *b)
{
    const part *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* That the parts, in order, are all files, and finished. */
static int check_ranges(const part *parts, size_t count, size_t files)
{
    size_t at = 0;

    for (size_t i = 0; i <= count; i++) {
        size_t from = i < count ? parts[i].from : files;

        if (i < count && parts[i].to == from)
            continue;                   /* a part without an image */
        if (from > at)
            message_failed("join: images %zu to %zu of %zu are in no journal",
                           at + 1, from, files);
        else if (from < at)
            message_failed("join: %s and %s are both of image %zu",
                           parts[i - 1].path, parts[i].path, from + 1);
        else if (i < count && parts[i].done < parts[i].to - from)
            message_failed("%s: it is not finished, %zu of %zu images are "
                           "done: the command it was begun by goes on from "
                           "there", parts[i].path, parts[i].done,
                           parts[i].to - from);
        if (from != at || (i < count && parts[i].done < parts[i].to - from))
            return -1;
        at = i < count ? parts[i].to : at;
    }
    return 0;
}

int density_join(density *p, char **paths, size_t count)
{
    part *parts = memory_zero(count, sizeof(*parts));
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        parts[i].path = paths[i];
        result = read_part(p, &parts[i], i ? parts[0].settings : NULL);
    }
    if (result == 0) {
        p->computed = json_pack("{s:O}", "cpu", json_object_get(
            parts[0].settings, "--cpu"));
        qsort(parts, count, sizeof(*parts), by_range);
        result = check_ranges(parts, count, p->files->count);
    }
    for (size_t i = 0; i < count; i++)
        json_decref(parts[i].settings);
    free(parts);
    p->done = result == 0 ? p->files->count : 0;
    return result;
}
