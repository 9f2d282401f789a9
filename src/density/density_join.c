/* SPDX-License-Identifier: MIT */
/* What pictures are worth from the journals of their parts. */
#include "config.h"

#include "density.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../evaluation/join.h"
#include "../evaluation/journal.h"
#include "../evaluation/ranked.h"

#include <stdlib.h>
#include <string.h>

typedef struct part {
    range r;
    json_t *settings;
} part;

/* On any machines, but all by kernels that give the same bits. */
static int check_settings(const density *p, const part *a, json_t *first)
{
    static const char *const own[] = {"--part", NULL};
    static const char *const machine[] = {"--part", "--cpu", "arithmetic",
                                          NULL};

    return journal_compare("join", a->r.path, a->settings,
                           first ? first : p->settings, first ? own : machine);
}

static int read_part(density *p, part *a, json_t *first)
{
    byte_journal j;
    int result = -1;

    a->settings = byte_journal_begin(&j, a->r.path, p->width);
    if (a->settings && ranked_is_of_rank(a->settings))
        message_failed("%s: it is one rank's of mpirun: the command it was "
                       "begun by makes the report of all", a->r.path);
    else if (a->settings && check_settings(p, a, first) == 0 &&
        join_part_of(a->settings, p->files->count, &a->r) == 0)
        result = byte_journal_read(&j, p->worth + a->r.from * p->width,
                                   a->r.to - a->r.from, &a->r.done);
    if (j.file)
        fclose(j.file);
    return result;
}

int density_join(density *p, char **paths, size_t count)
{
    part *parts = memory_zero(count, sizeof(*parts));
    range *ranges = memory_zero(count, sizeof(*ranges));
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        parts[i].r.path = paths[i];
        result = read_part(p, &parts[i], i ? parts[0].settings : NULL);
        ranges[i] = parts[i].r;
    }
    if (result == 0) {
        p->computed = json_pack("{s:O}", "cpu", json_object_get(
            parts[0].settings, "--cpu"));
        result = ranges_check(ranges, count, p->files->count);
    }
    for (size_t i = 0; i < count; i++)
        json_decref(parts[i].settings);
    free(parts);
    free(ranges);
    p->done = result == 0 ? p->files->count : 0;
    return result;
}
