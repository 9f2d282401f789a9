/* SPDX-License-Identifier: MIT */
/* A whole file's bytes, mapped for reading. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapping.h"

static int map_descriptor(vit_mapping *mapping, int fd,
                          const vit_report *report)
{
    struct stat status;
    void *map;

    if (fstat(fd, &status))
        return tomevit_fail(report, TOMEVIT_EIO, "%s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return tomevit_fail(report, TOMEVIT_EIO,
                            "expected a checkpoint file, found a directory");
    if (!S_ISREG(status.st_mode))
        return tomevit_fail(report, TOMEVIT_EIO,
                            "expected a regular file, found a device, pipe or "
                            "socket");
    if (status.st_size == 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "expected a checkpoint, found an empty file");
    if ((uintmax_t)status.st_size > SIZE_MAX)
        return tomevit_fail(report, TOMEVIT_EIO,
                            "too large for this machine's address space");
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return tomevit_fail(report, TOMEVIT_EIO, "cannot map the file: %s",
                            strerror(errno));
    mapping->map = map;
    mapping->file = fd;
    mapping->bytes = map;
    mapping->count = (size_t)status.st_size;
    return 0;
}

int tomevit_map(vit_mapping *mapping, const vit_report *report)
{
    int fd, code;

    memset(mapping, 0, sizeof(*mapping));
    /* Without O_NONBLOCK a named pipe would hold the caller up for ever. */
    fd = open(report->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return tomevit_fail(report, TOMEVIT_EIO, "cannot open: %s",
                            strerror(errno));
    code = map_descriptor(mapping, fd, report);
    if (code)
        close(fd);
    return code;
}

void tomevit_unmap(vit_mapping *mapping)
{
    if (mapping->map) {
        munmap(mapping->map, mapping->count);
        close(mapping->file);
    }
    memset(mapping, 0, sizeof(*mapping));
}

int tomevit_mapping_check(const vit_mapping *mapping, const vit_report *report)
{
    struct stat status;

    if (!mapping->map)
        return 0;
    if (fstat(mapping->file, &status))
        return tomevit_fail(report, TOMEVIT_EIO, "%s", strerror(errno));
    if ((uintmax_t)status.st_size >= mapping->count)
        return 0;
    return tomevit_fail(report, TOMEVIT_EIO, "the file became shorter while "
                        "it was read: expected %zu bytes, found %ju",
                        mapping->count, (uintmax_t)status.st_size);
}

void tomevit_mapping_read(const vit_mapping *mapping, size_t begin, size_t end)
{
#ifdef MADV_DONTNEED
    /* Pages that belong to these bytes alone; of a file mapped for reading
     * they can be had again. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (begin + page - 1) / page * page, last = end / page * page;

    if (mapping->map && first < last)
        madvise((char *)mapping->map + first, last - first, MADV_DONTNEED);
#else
    (void)mapping, (void)begin, (void)end;
#endif
}
