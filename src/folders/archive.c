/* SPDX-License-Identifier: MIT */
/* Archives, through libarchive. */
#include "config.h"

#include "archive.h"

#include "../base/memory.h"
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int archive_recognised(const char *path)
{
    static const struct {
        size_t at;
        const char *bytes;
    } marks[] = {
        {257, "ustar"}, {0, "PK\3\4"}, {0, "PK\5\6"}, {0, "\x1f\x8b"},
        {0, "BZh"}, {0, "\xfd" "7zXZ"}, {0, "\x28\xb5\x2f\xfd"},
        {0, "\x04\x22\x4d\x18"}
    };
    char head[264] = "";
    struct stat s;
    int found = 0;

    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        return 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t count = fread(head, 1, sizeof(head), file);
    fclose(file);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t length = strlen(marks[i].bytes);
        found |= count >= marks[i].at + length &&
                 memcmp(head + marks[i].at, marks[i].bytes, length) == 0;
    }
    return found;
}

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>

enum {
    BLOCK_BYTES = 1 << 18,
    SMALLEST_ROOM = 1 << 16
};

struct archive_reader {
    struct archive *archive;
    size_t next;           /* index of the member that comes next */
};

/* Formats and filters that are libraries' own: none that runs a program. */
static void allow(struct archive *a)
{
    archive_read_support_format_tar(a);
    archive_read_support_format_zip_seekable(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_lz4(a);
}

static void explain(struct archive *a, char *why)
{
    const char *text = archive_error_string(a);

    /* That says nothing of the archive, whose images would be missing. */
    if (archive_errno(a) == ENOMEM)
        memory_exhausted();
    snprintf(why, SOURCE_WHY, "%.180s", text ? text : "cannot be read");
}

archive_reader *archive_open(const char *path, char *why)
{
    struct archive *a = archive_read_new();

    if (!a)
        memory_exhausted();
    allow(a);
    if (archive_read_open_filename(a, path, BLOCK_BYTES) != ARCHIVE_OK) {
        explain(a, why);
        archive_read_free(a);
        return NULL;
    }
    archive_reader *r = memory_zero(1, sizeof(*r));
    r->archive = a;
    return r;
}

int archive_next(archive_reader *r, archive_member *out, char *why)
{
    struct archive_entry *entry;
    int result = archive_read_next_header(r->archive, &entry);

    if (result == ARCHIVE_EOF)
        return 0;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
        explain(r->archive, why);
        return -1;
    }
    out->name = archive_entry_pathname(entry);
    if (!out->name)
        out->name = "";
    out->index = r->next++;
    out->same_as = archive_entry_hardlink(entry);
    out->regular = archive_entry_filetype(entry) == AE_IFREG && !out->same_as;
    return 1;
}

/* Room for `size` more bytes; 0 if there is no memory for them. */
static int make_room(uint8_t **bytes, size_t *room, size_t needed)
{
    uint8_t *more;

    if (*bytes && needed <= *room)
        return 1;
    while (*room < needed)
        *room *= 2;
    more = realloc(*bytes, *room);
    if (!more)
        return 0;
    *bytes = more;
    return 1;
}

/* What is claimed of its size is not believed: memory grows with what comes.
 * Nor are the holes of a sparse file: no image is one, and a few bytes could
 * claim any number of zeros. */
uint8_t *archive_read_member(archive_reader *r, size_t most, size_t *count,
                             char *why)
{
    size_t room = SMALLEST_ROOM, size = 0;
    uint8_t *bytes = NULL;
    const void *block;

    *count = 0;
    why[0] = '\0';
    while (why[0] == '\0') {
        la_int64_t at = (la_int64_t)*count;
        int result = archive_read_data_block(r->archive, &block, &size, &at);
        int ended = result == ARCHIVE_EOF;

        size = ended ? 0 : size;
        if (!ended && result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            explain(r->archive, why);
        } else if (at > (la_int64_t)*count ||
                   (size > 0 && at != (la_int64_t)*count)) {
            snprintf(why, SOURCE_WHY, "a sparse file, of which not all bytes "
                     "are there");
        } else if (size > most - *count) {
            snprintf(why, SOURCE_WHY, "more than the limit of %zu bytes",
                     most);
        } else if (!make_room(&bytes, &room, *count + size)) {
            snprintf(why, SOURCE_WHY, "no memory for %zu bytes", room);
            errno = ENOMEM;
            break;
        } else if (ended) {
            return bytes;
        } else if (size > 0) {
            memcpy(bytes + *count, block, size);
            *count += size;
        }
    }
    free(bytes);
    return NULL;
}

void archive_close(archive_reader *r)
{
    if (r)
        archive_read_free(r->archive);
    free(r);
}

/* ---- as a source --------------------------------------------------------- */

typedef struct archive_members {
    source base;
    archive_reader *reader; /* NULL before the first member is asked for */
} archive_members;

/* Goes to the member; one that has passed is found from the beginning. */
static int seek(archive_members *s, size_t member, char *why)
{
    archive_member found;
    int result = 1;

    if (s->reader && s->reader->next > member) {
        archive_close(s->reader);
        s->reader = NULL;
    }
    if (!s->reader)
        s->reader = archive_open(s->base.path, why);
    if (!s->reader)
        return -1;
    while (s->reader->next <= member && result > 0)
        result = archive_next(s->reader, &found, why);
    if (result == 0)
        snprintf(why, SOURCE_WHY, "the archive ends before it");
    return result > 0 ? 0 : -1;
}

static uint8_t *read_member(source *base, const folder_file *file,
                            size_t most, size_t *count, char *why)
{
    archive_members *s = (archive_members *)base;

    if (seek(s, file->member, why) != 0)
        return NULL;
    return archive_read_member(s->reader, most, count, why);
}

static void close_members(source *base)
{
    archive_members *s = (archive_members *)base;

    archive_close(s->reader);
    free(s->base.path);
    free(s);
}

static const source_kind members = {
    .read = read_member,
    .close = close_members,
    .in_order = 1,
};

source *archive_source(const char *path)
{
    archive_members *s = memory_zero(1, sizeof(*s));

    s->base.kind = &members;
    s->base.path = memory_text(path);
    return &s->base;
}

#else

archive_reader *archive_open(const char *path, char *why)
{
    (void)path;
    snprintf(why, SOURCE_WHY, "not a folder, and this build reads no archives "
             "(libarchive was not there)");
    return NULL;
}

int archive_next(archive_reader *r, archive_member *out, char *why)
{
    (void)r;
    (void)out;
    (void)why;
    return 0;
}

uint8_t *archive_read_member(archive_reader *r, size_t most, size_t *count,
                             char *why)
{
    (void)r;
    (void)most;
    (void)count;
    (void)why;
    return NULL;
}

void archive_close(archive_reader *r)
{
    (void)r;
}

source *archive_source(const char *path)
{
    (void)path;
    return NULL;
}

#endif
