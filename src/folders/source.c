/* SPDX-License-Identifier: MIT */
/* Sources, and the plainest of them: files as they lie. */
#include "config.h"

#include "source.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../images/image.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static uint8_t *read_file(source *s, const folder_file *file, size_t most,
                          size_t *count, char *why)
{
    (void)s;
    return image_load(file->path, most, count, why);
}

static void fetch_ahead(source *s, const folder_file *file)
{
#ifdef POSIX_FADV_WILLNEED
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor >= 0) {
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_WILLNEED);
        close(descriptor);
    }
#endif
    (void)s;
    (void)file;
}

static const source_kind files = {
    .read = read_file,
    .ahead = fetch_ahead,
};

source source_files = {&files, NULL};

uint8_t *source_read(const folder_file *file, size_t most, size_t *count,
                     char *why)
{
    errno = 0;
    uint8_t *bytes = file->source->kind->read(file->source, file, most, count,
                                              why);

    /* That says nothing of the image, which would be refused for good. */
    if (!bytes && errno == ENOMEM)
        memory_exhausted_by(file->path, why);
    if (!bytes && (errno == EMFILE || errno == ENFILE)) {
        message_failed("%s: %s", file->path, why);
        exit(STATUS_FAILED);
    }
    return bytes;
}

void source_ahead(const folder_file *file)
{
    if (file->source->kind->ahead)
        file->source->kind->ahead(file->source, file);
}

const char *source_path(const folder_file *file)
{
    return file->source->path ? file->source->path : file->path;
}
