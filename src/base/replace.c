/* SPDX-License-Identifier: MIT */
/* Files that are written beside their place and take it when they are whole. */
#include "config.h"

#include "replace.h"

#include "memory.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what is unfinished -------------------------------------------------- */

/* More than are ever open at a time; one that finds no place here is only not
 * removed by replacement_abandon_all. */
enum { MOST = 16 };
static char *volatile unfinished[MOST];

static void note_unfinished(char *was, char *is)
{
    for (size_t i = 0; i < MOST; i++)
        if (unfinished[i] == was) {
            unfinished[i] = is;
            return;
        }
}

void replacement_note(char *part)
{
    note_unfinished(NULL, part);
}

void replacement_forget(char *part)
{
    note_unfinished(part, NULL);
}

void replacement_abandon_all(void)
{
    for (size_t i = 0; i < MOST; i++) {
        const char *part = unfinished[i];
        unfinished[i] = NULL;
        if (part)
            unlink(part);
    }
}

/* ---- opening ------------------------------------------------------------- */

/* A pipe that nobody reads yet; a signal ends the waiting. */
static int open_pipe(const char *path)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    int fd;

    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 &&
           errno == ENXIO && !signals_stop())
        nanosleep(&pause, NULL);
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    else if (errno == ENXIO)
        errno = EINTR;
    return fd;
}

static int open_as_it_comes(replacement *r, const char *path, int is_pipe)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        r->file = stdout;
        return 0;
    }
    fd = is_pipe ? open_pipe(path)
                 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    r->file = fd < 0 ? NULL : fdopen(fd, "w");
    return !r->file ? -1 : 0;
}

/* Under a name that nothing has; `was` is the file that is there, or NULL. */
static int open_beside(replacement *r, const struct stat *was)
{
    size_t size = strlen(r->target) + 32;
    int fd;

    r->part = memory_zero(size, 1);
    snprintf(r->part, size, "%s.%ld.part", r->target, (long)getpid());
    note_unfinished(NULL, r->part);
    fd = open(r->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        int reason = errno;
        note_unfinished(r->part, NULL);
        free(r->part);
        r->part = NULL;
        errno = reason;
        return -1;
    }
    /* Owner and permissions stay, as far as this process may decide. */
    if (was && fchown(fd, was->st_uid, was->st_gid) == 0)
        fchmod(fd, was->st_mode & 07777);
    else if (was)
        fchmod(fd, was->st_mode & 0777);
    r->file = fdopen(fd, "w");
    return !r->file ? -1 : 0;
}

/* 1 if the name leads through the descriptors of this process or to a device,
 * whatever file is at the end of it. */
static int is_special(const char *path)
{
    return strcmp(path, "-") == 0 || strncmp(path, "/dev/", 5) == 0 ||
           strncmp(path, "/proc/", 6) == 0;
}

int replacement_open(replacement *r, const char *path)
{
    struct stat status, link;
    int there = stat(path, &status) == 0;

    memset(r, 0, sizeof(*r));
    if (there && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    /* A link that leads nowhere: its file is new, so nothing can be lost. */
    if (is_special(path) || (there && !S_ISREG(status.st_mode)) ||
        (!there && lstat(path, &link) == 0))
        return open_as_it_comes(r, path, there && S_ISFIFO(status.st_mode));
    if (there && access(path, W_OK) != 0)
        return -1;
    r->is_new = !there;
    r->target = there ? realpath(path, NULL) : memory_text(path);
    if (!r->target)
        return -1;
    if (open_beside(r, there ? &status : NULL) == 0)
        return 0;
    if (there && (errno == EACCES || errno == EROFS || errno == EPERM))
        r->file = tmpfile();
    if (r->file)
        return 0;
    int reason = errno;
    replacement_abandon(r);
    errno = reason;
    return -1;
}

/* ---- the end ------------------------------------------------------------- */

static int copy_into(FILE *from, const char *path)
{
    char block[4096];
    size_t got;
    FILE *to = fopen(path, "w");

    if (!to)
        return -1;
    while ((got = fread(block, 1, sizeof(block), from)) > 0)
        fwrite(block, 1, got, to);
    int failed = ferror(from) || ferror(to);
    return (fclose(to) != 0) | failed ? -1 : 0;
}

/* A file that something is mounted on, as containers do, cannot be renamed
 * to. */
static int copy_part(const replacement *r)
{
    FILE *from = fopen(r->part, "r");
    int result = !from ? -1 : copy_into(from, r->target);

    if (from)
        fclose(from);
    return result;
}

/* All that was written, with errno where it failed. A stream remembers that a
 * write has failed but not why, and where nothing is left to write the flush
 * has no reason either: another byte of what is lost anyway is refused for the
 * same one. */
static int flush_all(FILE *file)
{
    int failed_before = ferror(file);

    errno = 0;
    if (fflush(file) != 0)
        return -1;
    if (failed_before && fputc('\n', file) != EOF)
        fflush(file);
    return failed_before ? -1 : 0;
}

/* A name must not reach the disk before what it names: after a loss of power
 * the file would be there and empty. Not all that can be written has a disk. */
static int reach_disk(FILE *file)
{
    return fsync(fileno(file)) == 0 || errno == EINVAL || errno == ENOTSUP ||
           errno == EROFS ? 0 : -1;
}

static int take_place(replacement *r, int failed)
{
    if (!r->target || failed)
        return failed ? -1 : 0;
    if (rename(r->part, r->target) == 0) {
        note_unfinished(r->part, NULL);
        free(r->part);
        r->part = NULL;
        return 0;
    }
    return errno == EBUSY || errno == EXDEV ? copy_part(r) : -1;
}

/* Closes it, too; errno is of what failed first. */
static int close_whole(replacement *r)
{
    int failed = flush_all(r->file) != 0 ||
                 (r->target && reach_disk(r->file) != 0);
    int reason = errno;

    if (fclose(r->file) != 0 && !failed)
        failed = 1;
    else
        errno = reason;
    r->file = NULL;
    return failed ? -1 : 0;
}

int replacement_commit(replacement *r)
{
    FILE *file = r->file;
    int result;

    if (file == stdout) {
        result = flush_all(stdout);
        clearerr(stdout);
    } else if (r->target && !r->part) {
        result = flush_all(file);
        rewind(file);
        if (result == 0)
            result = copy_into(file, r->target);
    } else {
        result = take_place(r, close_whole(r) != 0);
    }
    int reason = errno;
    replacement_abandon(r);
    errno = reason;
    return result;
}

void replacement_abandon(replacement *r)
{
    if (r->file && r->file != stdout)
        fclose(r->file);
    if (r->part) {
        unlink(r->part);
        note_unfinished(r->part, NULL);
    }
    free(r->part);
    free(r->target);
    memset(r, 0, sizeof(*r));
}
