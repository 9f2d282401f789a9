/* SPDX-License-Identifier: MIT */
/* A .npy file that grows by rows. */
#include "config.h"

#include "npy_grow.h"

#include "../base/memory.h"
#include "../base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 128, PREFIX = 10 };

static int failed(const npy_grow *g)
{
    message_failed("%s: %s", g->part, strerror(errno));
    return -1;
}

static int write_at(const npy_grow *g, const void *bytes, size_t count,
                    off_t at)
{
    const char *from = bytes;

    while (count > 0) {
        ssize_t done = pwrite(g->descriptor, from, count, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return failed(g);
        from += done;
        at += done;
        count -= (size_t)done;
    }
    return 0;
}

static char byte_order(void)
{
    const uint16_t one = 1;
    unsigned char first;

    memcpy(&first, &one, 1);
    return first ? '<' : '>';
}

static int write_header(const npy_grow *g)
{
    char text[HEADER + 1], dims[64];
    int used;

    snprintf(dims, sizeof(dims), g->shape.dims > 1 ? "%zu, %zu" : "%zu",
             g->shape.dim[0], g->shape.dim[1]);
    memcpy(text, "\x93NUMPY\x01", 8);       /* and a zero */
    text[8] = HEADER - PREFIX;
    text[9] = 0;
    used = snprintf(text + PREFIX, sizeof(text) - PREFIX,
                    "{'descr': '%c%c%zu', 'fortran_order': False, "
                    "'shape': (%zu, %s), }", byte_order(), g->shape.kind,
                    g->shape.bytes, g->rows, dims);
    memset(text + PREFIX + used, ' ', (size_t)(HEADER - PREFIX - used));
    text[HEADER - 1] = '\n';
    return write_at(g, text, HEADER, 0);
}

int npy_grow_open(npy_grow *g, const char *path, const npy_shape *shape)
{
    struct stat status;
    size_t size = strlen(path) + 6;

    memset(g, 0, sizeof(*g));
    g->shape = *shape;
    g->row_bytes = shape->bytes * shape->dim[0] *
                   (shape->dims > 1 ? shape->dim[1] : 1);
    g->path = memory_text(path);
    g->part = memory_zero(size, 1);
    snprintf(g->part, size, "%s.part", path);
    g->descriptor = open(g->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY,
                         0666);
    if (g->descriptor < 0)
        return failed(g);
    if (fstat(g->descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return 0;
    message_failed("%s: it is not a regular file", g->part);
    return -1;
}

int npy_grow_from(npy_grow *g, size_t rows)
{
    struct stat status;
    off_t end = (off_t)(HEADER + rows * g->row_bytes);

    if (fstat(g->descriptor, &status) != 0)
        return failed(g);
    if (rows > 0 && status.st_size < end) {
        message_failed("%s: it has less than the %zu rows that are done: "
                       "remove %s.journal to begin anew", g->part, rows,
                       g->path);
        return -1;
    }
    g->rows = rows;
    if (write_header(g) != 0)
        return -1;
    return ftruncate(g->descriptor, end) == 0 ? 0 : failed(g);
}

int npy_grow_add(npy_grow *g, const void *row)
{
    off_t end = (off_t)(HEADER + g->rows * g->row_bytes);

    if (write_at(g, row, g->row_bytes, end) != 0)
        return -1;
    g->rows++;
    return 0;
}

int npy_grow_flush(npy_grow *g)
{
    return write_header(g);
}

int npy_grow_settle(npy_grow *g)
{
    return fsync(g->descriptor) == 0 ? 0 : failed(g);
}

/* `count` bytes at a time from an open file. */
static int copy_bytes(npy_grow *g, int from, const char *name, off_t at,
                      size_t count)
{
    static char block[1 << 16];
    off_t to = (off_t)(HEADER + g->rows * g->row_bytes);

    while (count > 0) {
        size_t most = count < sizeof(block) ? count : sizeof(block);
        ssize_t got = pread(from, block, most, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            message_failed("%s: %s", name, got < 0 ? strerror(errno)
                           : "it has less than the rows that are done");
            return -1;
        }
        if (write_at(g, block, (size_t)got, to) != 0)
            return -1;
        at += got;
        to += got;
        count -= (size_t)got;
    }
    return 0;
}

int npy_grow_copy(npy_grow *g, const char *path, size_t first, size_t count)
{
    size_t size = strlen(path) + 6;
    char *part = memory_zero(size, 1);

    snprintf(part, size, "%s.part", path);
    int from = open(part, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = from < 0 ? -1
        : copy_bytes(g, from, part, (off_t)(HEADER + first * g->row_bytes),
                     count * g->row_bytes);
    if (from < 0)
        message_failed("%s: %s", part, strerror(errno));
    else
        close(from);
    if (result == 0)
        g->rows += count;
    free(part);
    return result;
}

int npy_grow_finish(npy_grow *g)
{
    if (fsync(g->descriptor) != 0)
        return failed(g);
    if (rename(g->part, g->path) == 0)
        return 0;
    message_failed("%s: %s", g->path, strerror(errno));
    return -1;
}

void npy_grow_leave(npy_grow *g)
{
    if (g->part && g->descriptor >= 0)
        close(g->descriptor);
    free(g->path);
    free(g->part);
    memset(g, 0, sizeof(*g));
    g->descriptor = -1;
}

void npy_grow_remove(npy_grow *g)
{
    if (g->part)
        unlink(g->part);
    npy_grow_leave(g);
}
