/* SPDX-License-Identifier: MIT */
/* The outcomes of a folder from the journals of its parts. */
#include "config.h"

#include "join.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "journal_line.h"
#include "ranked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct part {
    range r;
    json_t *settings;
    outcomes found;
} part;

void join_part(size_t count, options_part p, size_t *from, size_t *to)
{
    uint64_t rest = p.n == 0 ? 0 : count % p.n; /* times k more than 32 bits */

    *from = p.n == 0 ? 0 : count / p.n * (p.k - 1) +
                           (size_t)(rest * (p.k - 1) / p.n);
    *to = p.n == 0 ? count : count / p.n * p.k +
                             (size_t)(rest * p.k / p.n);
}

/* ---- one journal --------------------------------------------------------- */

/* The object on the next line, NULL if there is none that is whole. */
static json_t *next_line(FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t length = getline(&text, &size, file);
    json_t *line = length > 0 && text[length - 1] == '\n'
        ? json_loadb(text, (size_t)length, 0, NULL) : NULL;

    free(text);
    return line;
}

/* Opened behind its first line; NULL after a message. */
static FILE *open_journal(const char *path, json_t **settings,
                          json_t **command)
{
    FILE *file = fopen(path, "r");

    if (!file) {
        message_failed("%s: %s", path, strerror(errno));
        return NULL;
    }
    json_t *line = next_line(file);
    *settings = json_incref(journal_header(path, line, command));
    *command = json_incref(*command);
    json_decref(line);
    if (*settings)
        return file;
    json_decref(*command);
    fclose(file);
    return NULL;
}

json_t *join_command(const char *path)
{
    json_t *settings, *command;
    FILE *file = open_journal(path, &settings, &command);
    int words;

    if (!file)
        return NULL;
    fclose(file);
    json_decref(settings);
    words = json_array_size(command) > 0;
    for (size_t i = 0; i < json_array_size(command); i++)
        words &= json_is_string(json_array_get(command, i));
    if (words)
        return command;
    message_failed("%s: it does not say what it was begun by", path);
    json_decref(command);
    return NULL;
}

int join_part_of(const json_t *settings, size_t count, range *r)
{
    const char *text = json_string_value(json_object_get(settings, "--part"));
    options_part share = {0, 0};

    if (text && options_read_part(text, &share) != 0) {
        message_failed("%s: '%.40s' is no part", r->path, text);
        return -1;
    }
    join_part(count, share, &r->from, &r->to);
    return 0;
}

/* All lines of one journal. */
static int read_part(part *p, const evaluate_request *r)
{
    json_t *command, *line;
    FILE *file = open_journal(p->r.path, &p->settings, &command);
    journal j = {.classes = r->classes->count, .run_count = r->run_count,
                 .depth = r->depth, .width = r->width,
                 .all = r->files->count};
    outcomes next;
    int result = 0;

    if (!file)
        return -1;
    json_decref(command);
    if (ranked_is_of_rank(p->settings)) {
        message_failed("%s: it is one rank's of mpirun: the command it was "
                       "begun by makes the report of all", p->r.path);
        fclose(file);
        return -1;
    }
    outcomes_begin(&p->found, r->run_count, r->depth, r->width);
    result = join_part_of(p->settings, r->files->count, &p->r);
    j.next = p->r.from;
    j.files = p->r.to;
    outcomes_clear(&p->found, j.next);
    p->found.end = p->r.to;
    while (result == 0 && (line = next_line(file)) != NULL) {
        result = journal_line_read(&j, line, &next);
        json_decref(line);
        if (result != 0) {
            message_failed("%s: what follows image %zu cannot follow",
                           p->r.path, p->found.to);
            break;
        }
        result = outcomes_append(&p->found, &next);
        j.next = p->found.to;
        outcomes_free(&next);
    }
    p->r.done = p->found.to - p->r.from;
    fclose(file);
    return result;
}

/* ---- all of them --------------------------------------------------------- */

static int check_ranges(const part *parts, size_t count, size_t files)
{
    range *ranges = memory_zero(count, sizeof(*ranges));
    int result;

    for (size_t i = 0; i < count; i++)
        ranges[i] = parts[i].r;
    result = ranges_check(ranges, count, files);
    free(ranges);
    return result;
}

/* That all are of one evaluation, and that one this. */
static int check_settings(const part *parts, size_t count, json_t *settings)
{
    static const char *const own[] = {"--part", NULL};
    static const char *const machine[] = {
        "--part", "--cpu", "--threads", NULL
    };

    if (journal_compare("join", parts[0].r.path, parts[0].settings, settings,
                        machine) != 0)
        return -1;
    for (size_t i = 1; i < count; i++)
        if (journal_compare("join", parts[i].r.path, parts[i].settings,
                            parts[0].settings, own) != 0)
            return -1;
    return 0;
}

static void set_machine(json_t *settings, const json_t *from)
{
    static const char *const keys[] = {"--cpu", "--threads"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        json_object_set(settings, keys[i], json_object_get(from, keys[i]));
}

int join_outcomes(char **paths, size_t count, json_t *settings,
                  const evaluate_request *r, outcomes *o)
{
    part *parts = memory_zero(count, sizeof(*parts));
    int result = 0;

    outcomes_begin(o, r->run_count, r->depth, r->width);
    for (size_t i = 0; i < count && result == 0; i++) {
        parts[i].r.path = paths[i];
        result = read_part(&parts[i], r);
    }
    if (result == 0)
        result = check_settings(parts, count, settings);
    if (result == 0) {
        set_machine(settings, parts[0].settings);
        qsort(parts, count, sizeof(*parts), range_order);
        result = check_ranges(parts, count, r->files->count);
    }
    for (size_t i = 0; i < count && result == 0; i++)
        if (parts[i].found.to > parts[i].found.from)
            result = outcomes_append(o, &parts[i].found);
    if (result == 0)
        evaluate_retell(r, o);
    for (size_t i = 0; i < count; i++) {
        json_decref(parts[i].settings);
        outcomes_free(&parts[i].found);
    }
    free(parts);
    return result;
}

json_t *join_computed(const json_t *settings)
{
    static const char *const keys[] = {"dtype", "cpu", "threads", "batch"};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char option[16];
        snprintf(option, sizeof(option), "--%s", keys[i]);
        json_object_set(out, keys[i], json_object_get(settings, option));
    }
    return out;
}
