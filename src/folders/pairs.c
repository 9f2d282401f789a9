/* SPDX-License-Identifier: MIT */
/* Text files of two columns: image and class, folder and class. */
#include "config.h"

#include "pairs.h"

#include "../base/input.h"
#include "../base/memory.h"
#include "../base/text.h"
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The byte order marks of UTF-16. */
static int is_wide(const char *text)
{
    return strncmp(text, "\xff\xfe", 2) == 0 ||
           strncmp(text, "\xfe\xff", 2) == 0;
}

char **pairs_read_lines(const char *path, size_t *count, char *why)
{
    FILE *file = input_open(path);
    if (!file) {
        snprintf(why, PAIRS_WHY, "%.400s: %s", path, strerror(errno));
        return NULL;
    }
    char **lines = NULL, *line = NULL;
    size_t capacity = 0, size = 0;
    ssize_t length;

    *count = 0;
    while ((length = getline(&line, &size, file)) >= 0) {
        while (length > 0 &&
               (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = '\0';
        lines = memory_grow(lines, *count, &capacity, sizeof(*lines));
        lines[*count] = memory_text(*count == 0 ? text_begin(line) : line);
        (*count)++;
    }
    int failed = ferror(file);
    free(line);
    fclose(file);
    lines = memory_grow(lines, *count, &capacity, sizeof(*lines));
    lines[*count] = NULL;
    int wide = *count > 0 && is_wide(lines[0]);
    if (!failed && !wide)
        return lines;
    snprintf(why, PAIRS_WHY, "%.400s: %s", path,
             wide ? "UTF-16, where UTF-8 is expected" : "cannot be read");
    pairs_free_lines(lines);
    return NULL;
}

void pairs_free_lines(char **lines)
{
    for (size_t i = 0; lines && lines[i]; i++)
        free(lines[i]);
    free(lines);
}

/* The end of quoted text, its quotes undone in place; NULL if it has none. */
static char *unquote(char *text)
{
    char *out = text;

    for (char *in = text + 1; *in != '\0'; in++) {
        if (*in == '"' && *++in != '"') {
            *out = '\0';
            return in;
        }
        *out++ = *in;
    }
    return NULL;
}

/* Where an unquoted key ends: at a tab; else at the blank behind the ending of
 * an image; else at the comma before a quote, or the last one, or semicolon;
 * else at the last blank. */
static char *find_end(char *line)
{
    char *tab = strchr(line, '\t'), *blank = strchr(line, ' ');
    char *comma = strstr(line, ",\"");
    int named = 0;

    if (tab)
        return tab;
    if (blank) {
        *blank = '\0';
        named = *folder_ending(line) != '\0' && !strchr(line, ',');
        *blank = ' ';
    }
    if (named)
        return blank;
    if (!comma)
        comma = strrchr(line, ',');
    if (!comma)
        comma = strrchr(line, ';');
    return comma ? comma : strrchr(line, ' ');
}

static void trim_end(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
}

/* Splits a line in place. 0, or -1 if it has no two columns. */
static int split(char *line, char **key, char **value)
{
    static const char between[] = " \t,;";
    char *end;

    line += strspn(line, " \t");
    trim_end(line);
    *key = line;
    end = line[0] == '"' ? unquote(line) : find_end(line);
    if (!end || *end == '\0' || !strchr(between, *end))
        return -1;
    char *rest = end + strspn(end, " \t");
    if (*rest == ',' || *rest == ';')
        rest++;
    rest += strspn(rest, " \t");
    if (*line != '"')
        *end = '\0';
    trim_end(*key);
    *value = rest;
    if (*rest == '"') {
        end = unquote(rest);
        if (!end || *end != '\0')
            return -1;
    }
    return **key != '\0' && **value != '\0' ? 0 : -1;
}

static int is_heading(const char *key, const char *value)
{
    static const char *const keys[] =
        {"file", "filename", "file_name", "name", "image", "image_id",
         "imageid", "image_name", "img", "id", "path", "filepath", "folder"};
    static const char *const values[] =
        {"class", "class_id", "classid", "category", "label", "labels",
         "label_id", "index", "target", "wnid", "synset", "breed",
         "predictionstring"};
    int found = 0;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        found |= strcasecmp(key, keys[i]) == 0;
    for (size_t i = 0; found && i < sizeof(values) / sizeof(values[0]); i++)
        if (strcasecmp(value, values[i]) == 0)
            return 1;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

static int check_twice(const pairs *p, char *why)
{
    for (size_t i = 1; i < p->count; i++) {
        const pair *a = &p->items[i - 1], *b = &p->items[i];
        if (strcmp(a->key, b->key) != 0)
            continue;
        snprintf(why, PAIRS_WHY, "%.200s: '%.200s' is on lines %zu and %zu",
                 p->path, a->key, a->line < b->line ? a->line : b->line,
                 a->line < b->line ? b->line : a->line);
        return -1;
    }
    return 0;
}

int pairs_read(const char *path, pairs *out, char *why)
{
    size_t count = 0;

    memset(out, 0, sizeof(*out));
    out->path = path;
    char **lines = pairs_read_lines(path, &count, why);
    if (!lines)
        return -1;
    for (size_t i = 0; i < count; i++) {
        char *key, *value;
        if (lines[i][0] == '\0' || lines[i][0] == '#')
            continue;
        if (split(lines[i], &key, &value) != 0) {
            snprintf(why, PAIRS_WHY, "%.400s: line %zu: expected a name, a "
                     "tab, comma or blank, and a class", path, i + 1);
            goto failed;
        }
        if (out->count == 0 && is_heading(key, value))
            continue;
        out->items = memory_grow(out->items, out->count, &out->capacity,
                                 sizeof(*out->items));
        out->items[out->count].key = memory_text(key);
        out->items[out->count].value = memory_text(value);
        out->items[out->count++].line = i + 1;
    }
    pairs_free_lines(lines);
    lines = NULL;
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), compare);
    if (out->count == 0) {
        snprintf(why, PAIRS_WHY, "%.400s: no line of a name and a class",
                 path);
        return -1;
    }
    if (check_twice(out, why) == 0)
        return 0;
failed:
    pairs_free_lines(lines);
    pairs_free(out);
    return -1;
}

const pair *pairs_find(const pairs *p, const char *key)
{
    pair wanted;

    memset(&wanted, 0, sizeof(wanted));
    wanted.key = memory_text(key);
    const pair *found = p->count == 0 ? NULL
        : bsearch(&wanted, p->items, p->count, sizeof(*p->items), compare);
    free(wanted.key);
    return found;
}

void pairs_free(pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].key);
        free(p->items[i].value);
    }
    free(p->items);
    p->items = NULL;
    p->count = p->capacity = 0;
}
