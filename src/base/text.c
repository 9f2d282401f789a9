/* SPDX-License-Identifier: MIT */
/* Text as people's editors write it. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "\xef\xbb\xbf";
enum { MARK_BYTES = sizeof(mark) - 1 };

char *text_begin(char *text)
{
    return strncmp(text, mark, MARK_BYTES) == 0 ? text + MARK_BYTES : text;
}

typedef struct source {
    FILE *file;
    int begun;
} source;

static size_t fill(void *buffer, size_t room, void *data)
{
    source *s = data;
    size_t count = fread(buffer, 1, room, s->file);

    if (!s->begun && count >= MARK_BYTES &&
        memcmp(buffer, mark, MARK_BYTES) == 0) {
        count -= MARK_BYTES;
        memmove(buffer, (char *)buffer + MARK_BYTES, count);
    }
    s->begun = 1;
    return ferror(s->file) ? (size_t)-1 : count;
}

json_t *text_load_json(const char *path, json_error_t *error)
{
    source s = {fopen(path, "rb"), 0};

    if (!s.file) {
        memset(error, 0, sizeof(*error));
        error->line = -1;
        snprintf(error->text, sizeof(error->text), "%.80s: %.70s", path,
                 strerror(errno));
        return NULL;
    }
    json_t *root = json_load_callback(fill, &s, 0, error);
    fclose(s.file);
    return root;
}
