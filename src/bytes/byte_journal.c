/* SPDX-License-Identifier: MIT */
/* The first line of a journal is what its numbers depend on; every other is a
 * picture, in the order of the source. */
#include "config.h"

#include "byte_journal.h"

#include "../base/begun.h"
#include "../base/message.h"

#include <errno.h>
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

/* Where the last whole line ends, having read the lines so far. */
static int read_lines(byte_journal *j, const char *settings,
                      byte_worth *worth, size_t most, size_t *done, long *end)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int result = 0;

    while ((length = getline(&line, &room, j->file)) > 0 &&
           line[length - 1] == '\n' && result == 0) {
        double bits, png;

        line[length - 1] = '\0';
        if (*end == 0 && strcmp(line, settings) != 0) {
            result = other(j);
        } else if (*end > 0 &&
                   (*done == most || sscanf(line, "[%lf,%lf]", &bits,
                                            &png) != 2)) {
            message_failed("%s: picture %zu is none of this run's", j->path,
                           *done + 1);
            result = -1;
        } else if (*end > 0) {
            worth[(*done)++] = (byte_worth){bits, png};
        }
        *end += length;
    }
    free(line);
    return result;
}

int byte_journal_open(byte_journal *j, const char *path,
                      const json_t *settings, byte_worth *worth, size_t most,
                      size_t *done)
{
    char *text;
    struct stat status;
    long end = 0;
    int result = -1;

    *done = 0;
    j->path = path;
    j->file = NULL;
    if (!path)
        return 0;
    j->file = fopen(path, "a+");
    if (!j->file)
        return failed(j);
    if (flock(fileno(j->file), LOCK_EX | LOCK_NB) != 0) {
        message_failed("%s: another process keeps it", path);
        return -1;
    }
    if (fstat(fileno(j->file), &status) != 0 || !S_ISREG(status.st_mode)) {
        message_failed("%s: a journal is a regular file", path);
        return -1;
    }
    rewind(j->file);
    text = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
        result = read_lines(j, text, worth, most, done, &end);
    /* What has no whole line is only ours to cut if we were writing it. */
    if (result == 0 && end == 0 && status.st_size > 0 &&
            begun_only(fileno(j->file), text) != 1)
        result = other(j);
    /* What is written goes to the end, but reading must have ended. */
    if (result == 0 && (ftruncate(fileno(j->file), end) != 0 ||
                        fseek(j->file, 0, SEEK_END) != 0 ||
                        (end == 0 && fprintf(j->file, "%s\n", text) < 0)))
        result = failed(j);
    free(text);
    return result;
}

int byte_journal_add(byte_journal *j, byte_worth worth)
{
    if (j->file && fprintf(j->file, "[%.17g,%.17g]\n", worth.bits,
                           worth.png) < 0)
        return failed(j);
    return 0;
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
