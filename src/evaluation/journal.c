/* SPDX-License-Identifier: MIT */
/* --resume: a file that grows by a line for every finished batch. */
#include "config.h"

#include "journal.h"

#include "../base/begun.h"
#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../base/replace.h"
#include "journal_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "tomerge_journal"
enum { FORMAT = JOURNAL_FORMAT, SYNC_SECONDS = 5 };

/* ---- writing ------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, text, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        text += written;
        count -= (size_t)written;
    }
    return 0;
}

static int failed(journal *j, int reason)
{
    j->failed = 1;
    message_failed("%s: %s: it holds what was finished until then, and the "
                   "same command goes on from there", j->path,
                   strerror(reason));
    return -1;
}

/* One whole line, or nothing of it. */
static int append(journal *j, const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    size_t length;

    if (!text) {
        message_failed("out of memory");
        return -1;
    }
    length = strlen(text);
    text[length++] = '\n';      /* in the place of the final zero */
    int result = write_all(j->descriptor, text, length);
    free(text);
    if (result == 0) {
        j->whole += (long long)length;
        return 0;
    }
    int reason = errno;
    if (ftruncate(j->descriptor, (off_t)j->whole) != 0)
        message_note("%s: its last line is not whole", j->path);
    return failed(j, reason);
}

static int sync_now(journal *j)
{
    j->synced = clock_seconds();
    return fsync(j->descriptor) == 0 ? 0 : failed(j, errno);
}

int journal_is_due(const journal *j)
{
    return clock_seconds() - j->synced >= SYNC_SECONDS;
}

int journal_add(journal *j, const outcomes *o, int sync)
{
    json_t *line = journal_line_write(o);
    int result = append(j, line);

    json_decref(line);
    if (result == 0 && sync)
        result = sync_now(j);
    if (result == 0)
        j->next = o->to;
    return result;
}

/* ---- reading ------------------------------------------------------------- */

/* The object on the next line if it is whole, else NULL. */
static json_t *read_line(journal *j)
{
    char *line = NULL;
    size_t size = 0;
    json_t *object = NULL;
    ssize_t length = getline(&line, &size, j->reader);

    if (length > 0 && line[length - 1] == '\n')
        object = json_loadb(line, (size_t)length, 0, NULL);
    if (object) {
        j->line++;
        j->whole += length;
    }
    free(line);
    return object;
}

static void note_sections(const journal *j)
{
    if (j->next < j->files && j->sections > 0)
        message_note("%s: %zu evaluations are done, and %zu of %zu images of "
                     "one more", j->path, j->sections - 1, j->next, j->files);
    else if (j->sections > 0)
        message_note("%s: %zu evaluations are done", j->path, j->sections);
}

/* What follows the last line that counts, into a file beside the journal: it
 * may be hours of work, if not of what is asked for now. -1 with errno. */
static int keep_rest(const journal *j, const char *path)
{
    char block[4096];
    off_t at = (off_t)j->whole;
    replacement rest;
    ssize_t got;

    if (replacement_open(&rest, path) != 0)
        return -1;
    while ((got = pread(j->descriptor, block, sizeof(block), at)) > 0) {
        fwrite(block, 1, (size_t)got, rest.file);
        at += got;
    }
    if (got == 0)
        return replacement_commit(&rest);
    replacement_abandon(&rest);
    return -1;
}

/* Says why a line does not count, and what becomes of it and the rest. */
static int explain(const journal *j, const char *fault, int is_work)
{
    size_t size = strlen(j->path) + 8;
    char *path = memory_zero(size, 1);
    int result = 0;

    snprintf(path, size, "%s.rest", j->path);
    if (!is_work) {
        message_note("%s: line %zu %s: the images from there on are done again",
                     j->path, j->line + 1, fault);
    } else {
        result = keep_rest(j, path);
        if (result == 0)
            message_note("%s: line %zu %s: what follows is done again, and "
                         "kept in %s", j->path, j->line + 1, fault, path);
        else
            message_failed("%s: %s", path, strerror(errno));
    }
    free(path);
    return result;
}

/* Ends the reading: what follows the last line that counts goes. `fault` says
 * what the line after it is, if it is whole. */
static int cut(journal *j, const char *fault)
{
    struct stat status;
    int result = 0;

    fclose(j->reader);
    j->reader = NULL;
    note_sections(j);
    if (fstat(j->descriptor, &status) == 0 && status.st_size > j->whole)
        result = explain(j, fault ? fault : "is not whole",
                         fault != NULL);
    if (result != 0)
        return -1;
    if (ftruncate(j->descriptor, (off_t)j->whole) == 0 &&
        lseek(j->descriptor, 0, SEEK_END) >= 0)
        return 0;
    message_failed("%s: %s", j->path, strerror(errno));
    return -1;
}

/* Undoes the reading of a line, which is not to be where it is. */
static void unread(journal *j, json_t *line, long long before)
{
    if (line)
        j->line--;
    json_decref(line);
    j->whole = before;
}

int journal_next(journal *j, outcomes *o)
{
    long long before = j->whole;

    if (!j->reader || (j->next == j->files && !j->scattered))
        return 0;
    json_t *line = read_line(j);
    json_int_t from = json_integer_value(json_object_get(line, "from"));
    if (j->scattered && from >= 0)
        j->next = (size_t)from;
    if (line && journal_line_read(j, line, o) == 0) {
        json_decref(line);
        j->next = o->to;
        return 1;
    }
    const char *fault = !line ? NULL : "is not one that can follow";
    unread(j, line, before);
    return cut(j, fault);
}

int journal_section(journal *j, json_t *asked, size_t files, size_t run_count)
{
    long long before = j->whole;
    json_t *line = !j->reader ? NULL : read_line(j);
    int found = line != NULL && json_equal(line, asked), result = 0;

    if (found) {
        json_decref(line);
    } else {
        const char *fault = !line ? NULL : "is of another evaluation";
        unread(j, line, before);
        result = !j->reader ? 0 : cut(j, fault);
        if (result == 0)
            result = append(j, asked);
    }
    j->sections++;
    j->files = files;
    j->run_count = run_count;
    j->next = 0;
    return result;
}

/* ---- opening ------------------------------------------------------------- */

static char *dump(const json_t *value)
{
    char *text = json_is_null(value) ? NULL
        : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS |
                            JSON_REAL_PRECISION(9));
    return text ? text : memory_text("nothing");
}

/* Whether one setting is the same now, which it is to be. */
static int same_setting(const char *prefix, const char *path, const char *key,
                        const json_t *was, const json_t *is)
{
    char *then = dump(was), *now = dump(is);
    int same = strcmp(then, now) == 0;

    if (!same && json_is_object(was) && json_is_object(is))
        message_usage("%s: %s was begun with other %s", prefix, path, key);
    else if (!same && (json_is_object(was) || json_is_object(is)))
        message_usage("%s: %s was begun with%s %s", prefix, path,
                      json_is_object(was) ? "" : "out", key);
    else if (!same)
        message_usage("%s: %s was begun with %s %.60s, not %.60s", prefix,
                      path, key, then, now);
    free(then);
    free(now);
    return same;
}

static int is_among(const char *key, const char *const *names)
{
    while (*names && strcmp(*names, key) != 0)
        names++;
    return *names != NULL;
}

int journal_compare(const char *prefix, const char *path, json_t *then,
                    json_t *now, const char *const *except)
{
    const char *key;
    json_t *value;

    json_object_foreach(now, key, value)
        if (!is_among(key, except) &&
            !same_setting(prefix, path, key, json_object_get(then, key), value))
            return -1;
    json_object_foreach(then, key, value)
        if (!is_among(key, except) &&
            !same_setting(prefix, path, key, value, json_object_get(now, key)))
            return -1;
    return 0;
}

json_t *journal_header(const char *path, json_t *line, json_t **command)
{
    const json_t *format = json_object_get(line, MARK);

    *command = json_object_get(line, "command");
    if (json_integer_value(format) == FORMAT)
        return json_object_get(line, "settings");
    message_failed(!format ? "%s: it is not a journal of tomerge"
                   : "%s: it is a journal of another version of tomerge", path);
    return NULL;
}

static int read_header(journal *j, json_t *settings)
{
    static const char *const none[] = {NULL};
    json_t *line = read_line(j), *command;
    json_t *then = journal_header(j->path, line, &command);
    /* That of embed is named by no option. */
    const char *prefix = json_object_get(settings, "--store") ? "embed"
                                                              : "--resume";
    int result = !then ? -1 : journal_compare(prefix, j->path, then,
                                                     settings, none);

    json_decref(line);
    return result;
}

static int write_header(journal *j, json_t *settings, json_t *command)
{
    json_t *header = json_pack("{s:i,s:O,s:O}", MARK, FORMAT, "settings",
                               settings, "command", command);
    int result = append(j, header);

    json_decref(header);
    return result == 0 ? sync_now(j) : result;
}

/* A process that ended in its first line left nothing to go on from. 0, and
 * then the status of the file as it is now, or -1 with errno. */
static int begin_anew(const journal *j, struct stat *status)
{
    int only = begun_only(j->descriptor, "{\"" MARK "\":");

    if (only <= 0)
        return only;
    message_note("%s: its only line is not whole: it is begun anew", j->path);
    return ftruncate(j->descriptor, 0) != 0 ||
           fstat(j->descriptor, status) != 0 ? -1 : 0;
}

/* The file, for this process alone. */
static int open_file(journal *j, struct stat *status)
{
    const char *why = NULL;

    j->descriptor = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY,
                         0666);
    if (j->descriptor < 0 || fstat(j->descriptor, status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status->st_mode))
        why = "it is not a regular file";
    else if (flock(j->descriptor, LOCK_EX | LOCK_NB) != 0)
        why = errno == EWOULDBLOCK ? "another process is writing it"
                                   : strerror(errno);
    /* Another process may have written before it let go of the lock. */
    else if (fstat(j->descriptor, status) != 0 || begin_anew(j, status) != 0)
        why = strerror(errno);
    if (!why)
        return 0;
    message_failed("%s: %s", j->path, why);
    return -1;
}

void journal_of(journal *j, size_t from, size_t to, size_t all, size_t width)
{
    j->all = all;
    j->width = width;
    j->next = from;
    j->files = to;
}

int journal_open(journal *j, const char *path, json_t *settings,
                 json_t *command, size_t classes, size_t run_count,
                 size_t depth)
{
    struct stat status;

    memset(j, 0, sizeof(*j));
    j->path = path;
    j->classes = classes;
    j->depth = depth;
    j->run_count = run_count;
    j->synced = clock_seconds();
    int result = open_file(j, &status);
    if (result == 0 && status.st_size == 0) {
        result = write_header(j, settings, command);
    } else if (result == 0) {
        int copy = dup(j->descriptor);
        j->reader = copy < 0 ? NULL : fdopen(copy, "r");
        if (!j->reader)
            message_failed("%s: %s", path, strerror(errno));
        result = !j->reader ? -1 : read_header(j, settings);
    }
    if (result == 0)
        return 0;
    if (j->reader)
        fclose(j->reader);
    if (j->descriptor >= 0)
        close(j->descriptor);
    return -1;
}

int journal_close(journal *j)
{
    int result = j->failed ? -1 : sync_now(j);

    if (j->reader)
        fclose(j->reader);
    close(j->descriptor);
    return result;
}
