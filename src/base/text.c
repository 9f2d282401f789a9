/* SPDX-License-Identifier: MIT */
/* Text as people's editors write it. */
#include "memory.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "\xef\xbb\xbf";
enum { MARK_BYTES = sizeof(mark) - 1 };

char *text_begin(char *text)
{
    return strncmp(text, mark, MARK_BYTES) == 0 ? text + MARK_BYTES : text;
}

/* Of a file that nobody vouches for. */
enum { MOST_BYTES = 16 << 20, MOST_VALUES = 1 << 20, MOST_LEVELS = 16 };

/* All of the file, or as much as shows that it is too long; to be freed. */
static char *read_all(FILE *file, size_t *count)
{
    size_t capacity = 0, got = 1;
    char *text = NULL;

    *count = 0;
    while (got > 0 && *count <= MOST_BYTES) {
        if (*count == capacity)
            text = memory_grow(text, *count, &capacity, 1);
        got = fread(text + *count, 1, capacity - *count, file);
        *count += got;
    }
    return text;
}

/* Why parsing may take too much; NULL if it does not. */
static const char *too_much(const char *text, size_t count)
{
    size_t values = 0, level = 0, i = 0;
    int in_string = 0;

    if (count > MOST_BYTES)
        return "it is longer than 16 MiB";
    while (i < count && memchr(" \t\r\n", text[i], 4))
        i++;
    if (i == count || (text[i] != '[' && text[i] != '{'))
        return NULL;       /* the parser's first word is a refusal */
    for (; i < count; i++) {
        char c = text[i];

        if (c == '"')
            in_string = !in_string;
        else if (in_string && c == '\\')
            i++;
        if (in_string)
            continue;
        values += c == ',' || c == '[' || c == '{';
        level += c == '[' || c == '{';
        level -= level > 0 && (c == ']' || c == '}');
        if (values > MOST_VALUES)
            return "it has more than a million values";
        if (level > MOST_LEVELS)
            return "it nests deeper than 16 levels";
    }
    return NULL;
}

static json_t *refuse(const char *path, const char *why, json_error_t *error)
{
    memset(error, 0, sizeof(*error));
    error->line = -1;
    snprintf(error->text, sizeof(error->text), "%.80s: %.70s", path, why);
    return NULL;
}

json_t *text_load_json(const char *path, json_error_t *error)
{
    FILE *file = fopen(path, "rb");
    size_t count, before;
    json_t *root;

    if (!file)
        return refuse(path, strerror(errno), error);
    char *text = read_all(file, &count);
    const char *why = ferror(file) ? "cannot be read" : NULL;
    fclose(file);
    before = count >= MARK_BYTES && memcmp(text, mark, MARK_BYTES) == 0
                 ? MARK_BYTES : 0;
    if (!why)
        why = too_much(text + before, count - before);
    root = why ? refuse(path, why, error)
               : json_loadb(text + before, count - before, 0, error);
    free(text);
    return root;
}
