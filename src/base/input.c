/* SPDX-License-Identifier: MIT */
/* Text files that the user names, pipes among them. */
#include "config.h"

#include "input.h"

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT = 100 };       /* milliseconds between looks for a signal */

/* Waits until there is something to read, or nobody writes any more. */
static int wait_for(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLIN};
    int ready = 0;

    while (ready == 0) {
        if (signals_stop()) {
            errno = EINTR;
            return -1;
        }
        ready = poll(&now, 1, WAIT);
        if (ready < 0 && errno == EINTR)
            ready = 0;
    }
    return ready < 0 ? -1 : 0;
}

static int copy_all(int fd, FILE *out)
{
    char block[4096];
    ssize_t got;

    do {
        if (wait_for(fd) != 0)
            return -1;
        got = read(fd, block, sizeof(block));
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (got > 0 && fwrite(block, 1, (size_t)got, out) != (size_t)got)
            return -1;
    } while (got != 0);
    return fflush(out);
}

/* What comes through a pipe or from a device, in a file without a name. */
static FILE *collect(int fd)
{
    FILE *file = tmpfile();

    if (file && copy_all(fd, file) != 0) {
        int error = errno;

        fclose(file);
        errno = error;
        return NULL;
    }
    if (file)
        rewind(file);
    return file;
}

FILE *input_open(const char *path)
{
    /* Without O_NONBLOCK a pipe that nobody writes to would hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    FILE *file;
    int error;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 &&
        (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        file = fdopen(fd, "r");
    else
        file = collect(fd);
    error = errno;
    if (!file || fileno(file) != fd)
        close(fd);
    errno = error;
    return file;
}
