/* SPDX-License-Identifier: MIT */
/* The first line of a journal is what its numbers depend on, as of those of
 * evaluations; every other is a picture, in the order of the source. */
#include "config.h"

#include "byte_journal.h"

#include "../base/begun.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../evaluation/journal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int other(const byte_journal *j)
{
    message_failed("%s: it is about another model, other pictures or other "
                   "options, or no journal", j->path);
    return -1;
}

static int failed(const byte_journal *j)
{
    message_failed("%s: %s", j->path, strerror(errno));
    return -1;
}

/* ---- lines --------------------------------------------------------------- */

/* "[1.5,2,...]" */
static int parse(const char *line, size_t width, double *worth)
{
    char *end;

    for (size_t i = 0; i < width; i++, line = end) {
        if (*line != (i ? ',' : '['))
            return -1;
        worth[i] = strtod(line + 1, &end);
        if (end == line + 1 || !isfinite(worth[i]))
            return -1;
    }
    return strcmp(line, "]") == 0 ? 0 : -1;
}

/* The next line if it is whole, without its end; to be freed. */
static char *next_line(byte_journal *j)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getline(&line, &room, j->file);

    if (length > 0 && line[length - 1] == '\n') {
        line[length - 1] = '\0';
        return line;
    }
    free(line);
    return NULL;
}

int byte_journal_read(byte_journal *j, double *worth, size_t most,
                      size_t *done)
{
    double *unused = memory_zero(j->width, sizeof(*unused));
    int result = 0;
    char *line;

    *done = 0;
    while (result == 0 && (line = next_line(j)) != NULL) {
        double *at = *done < most ? worth + *done * j->width : unused;

        result = *done == most || parse(line, j->width, at) != 0 ? -1 : 0;
        if (result != 0)
            message_failed("%s: picture %zu is none of this run's", j->path,
                           *done + 1);
        else
            ++*done;
        free(line);
    }
    free(unused);
    return result;
}

/* ---- the first line ------------------------------------------------------ */

/* Up to where the command is; NULL without memory. */
static char *head_of(const json_t *settings)
{
    char *text = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
    size_t room = text ? strlen(text) + 64 : 0;
    char *out = text ? memory_zero(room, 1) : NULL;

    if (out)
        snprintf(out, room, "{\"tomerge_journal\":%d,\"settings\":%s",
                 JOURNAL_FORMAT, text);
    free(text);
    return out;
}

json_t *byte_journal_begin(byte_journal *j, const char *path, size_t width)
{
    json_t *settings, *command, *header;
    char *line;

    j->path = path;
    j->width = width;
    j->file = fopen(path, "r");
    if (!j->file) {
        failed(j);
        return NULL;
    }
    line = next_line(j);
    header = line ? json_loads(line, 0, NULL) : NULL;
    settings = json_incref(journal_header(path, header, &command));
    json_decref(header);
    free(line);
    return settings;
}

/* Another command may have the same settings, and goes on. */
static int read_header(byte_journal *j, const char *head, long *end)
{
    char *line = next_line(j);
    int result = 0;

    *end = 0;
    if (line && strncmp(line, head, strlen(head)) != 0)
        result = other(j);
    else if (line)
        *end = (long)strlen(line) + 1;
    free(line);
    return result;
}

static int write_header(byte_journal *j, const char *head, json_t *command)
{
    char *words = json_dumps(command, JSON_COMPACT);
    int result = !words || fprintf(j->file, "%s,\"command\":%s}\n", head,
                                   words) < 0 ? failed(j) : 0;

    free(words);
    return result;
}

/* ---- a journal of one's own ---------------------------------------------- */

static int open_own(byte_journal *j, struct stat *status)
{
    j->file = fopen(j->path, "a+");
    if (!j->file)
        return failed(j);
    if (flock(fileno(j->file), LOCK_EX | LOCK_NB) != 0) {
        message_failed("%s: another process keeps it", j->path);
        return -1;
    }
    if (fstat(fileno(j->file), status) != 0 || !S_ISREG(status->st_mode)) {
        message_failed("%s: a journal is a regular file", j->path);
        return -1;
    }
    rewind(j->file);
    return 0;
}

/* What it has, and where its last whole line ends. */
static int take_in(byte_journal *j, const char *head, double *worth,
                   size_t most, size_t *done, const struct stat *status,
                   long *end)
{
    if (read_header(j, head, end) != 0)
        return -1;
    /* What has no whole line is only ours to cut if we were writing it. */
    if (*end == 0)
        return status->st_size > 0 && begun_only(fileno(j->file), head) != 1
            ? other(j) : 0;
    if (byte_journal_read(j, worth, most, done) != 0)
        return -1;
    *end = 0;
    rewind(j->file);
    for (int c; (c = getc(j->file)) != EOF;)
        if (c == '\n')
            *end = ftell(j->file);
    return 0;
}

int byte_journal_open(byte_journal *j, const char *path, json_t *settings,
                      json_t *command, size_t width, double *worth,
                      size_t most, size_t *done)
{
    struct stat status;
    long end = 0;
    char *head;
    int result;

    *done = 0;
    j->path = path;
    j->width = width;
    j->file = NULL;
    if (!path)
        return 0;
    head = head_of(settings);
    result = !head || open_own(j, &status) != 0 ? -1
        : take_in(j, head, worth, most, done, &status, &end);
    /* What is written goes to the end, but reading must have ended. */
    if (result == 0 && (ftruncate(fileno(j->file), end) != 0 ||
                        fseek(j->file, 0, SEEK_END) != 0))
        result = failed(j);
    if (result == 0 && end == 0)
        result = write_header(j, head, command);
    free(head);
    return result;
}

int byte_journal_add(byte_journal *j, const double *worth)
{
    for (size_t i = 0; j->file && i < j->width; i++)
        if (fprintf(j->file, "%c%.17g", i ? ',' : '[', worth[i]) < 0)
            return failed(j);
    return j->file && fputs("]\n", j->file) < 0 ? failed(j) : 0;
}

int byte_journal_flush(byte_journal *j)
{
    return j->file && fflush(j->file) != 0 ? failed(j) : 0;
}

int byte_journal_close(byte_journal *j)
{
    int result = 0;

    if (j->file && (fflush(j->file) != 0 || fsync(fileno(j->file)) != 0))
        result = failed(j);
    if (j->file)
        fclose(j->file);
    j->file = NULL;
    return result;
}
