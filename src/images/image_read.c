/* SPDX-License-Identifier: MIT */
/* Image files: read, their types told apart, decoded. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_decoders.h"

int image_recognised(const uint8_t *bytes, size_t count)
{
    const image_format *format = image_format_of(bytes, count);

    return format && format->decode;
}

static int refuse_unknown(const image_format *format, const uint8_t *bytes,
                          size_t count, char why[IMAGE_WHY])
{
    char found[3 * 8 + 1] = "";

    if (format) {
        snprintf(why, IMAGE_WHY, "%s: PNG, JPEG and WebP are read",
                 format->name);
        return -1;
    }
    if (count == 0) {
        snprintf(why, IMAGE_WHY, "the file is empty");
        return -1;
    }
    for (size_t i = 0; i < 8 && i < count; i++)
        snprintf(found + 3 * i, sizeof(found) - 3 * i, " %02x", bytes[i]);
    snprintf(why, IMAGE_WHY,
             "neither PNG nor JPEG nor WebP: the file starts with%s", found);
    return -1;
}

int image_decode(const uint8_t *bytes, size_t count,
                 const image_options *options, image *out, char why[IMAGE_WHY])
{
    const image_format *format = image_format_of(bytes, count);
    int orientation = 1;
    int failed;

    memset(out, 0, sizeof(*out));
    why[0] = '\0';
    if (format && format->decode)
        failed = format->decode(bytes, count, options, out, &orientation, why);
    else
        failed = refuse_unknown(format, bytes, count, why);
    if (!failed && orientation != 1 && image_turn(out, orientation)) {
        snprintf(why, IMAGE_WHY, "no memory to turn %zu x %zu pixels",
                 out->width, out->height);
        failed = IMAGE_NO_MEMORY;
    }
    if (failed)
        image_free(out);
    return failed;
}

/* All of an open file; NULL with a line in `why`. */
static uint8_t *read_all(int fd, size_t most, size_t *count,
                         char why[IMAGE_WHY])
{
    struct stat status;
    uint8_t *bytes;
    size_t size, done = 0;

    if (fstat(fd, &status) != 0) {
        snprintf(why, IMAGE_WHY, "cannot be examined: %s", strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, IMAGE_WHY, "%s, not a file",
                 S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe");
        return NULL;
    }
    if ((uintmax_t)status.st_size > most) {
        snprintf(why, IMAGE_WHY, "%lld bytes long, more than the limit of %zu",
                 (long long)status.st_size, most);
        return NULL;
    }
    size = (size_t)status.st_size;
    bytes = malloc(size ? size : 1);
    if (!bytes) {
        snprintf(why, IMAGE_WHY, "no memory for a file of %zu bytes", size);
        errno = ENOMEM;
        return NULL;
    }
    while (done < size) {
        ssize_t got = read(fd, bytes + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            snprintf(why, IMAGE_WHY, "cannot be read past byte %zu of %zu: %s",
                     done, size, got < 0 ? strerror(errno) : "it was cut");
            free(bytes);
            return NULL;
        }
        done += (size_t)got;
    }
    *count = size;
    return bytes;
}

uint8_t *image_load(const char *path, size_t most, size_t *count,
                    char why[IMAGE_WHY])
{
    /* Without O_NONBLOCK, opening a pipe would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t *bytes;

    if (fd < 0) {
        snprintf(why, IMAGE_WHY, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    errno = 0;
    bytes = read_all(fd, most, count, why);
    int reason = errno;
    close(fd);
    errno = reason;
    return bytes;
}

int image_read(const char *path, const image_options *options, image *out,
               char why[IMAGE_WHY])
{
    size_t count = 0;
    uint8_t *bytes = image_load(path, options->max_bytes, &count, why);
    int failed;

    memset(out, 0, sizeof(*out));
    if (!bytes)
        return errno == ENOMEM ? IMAGE_NO_MEMORY : -1;
    failed = image_decode(bytes, count, options, out, why);
    free(bytes);
    return failed;
}
