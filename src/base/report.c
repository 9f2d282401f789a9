/* SPDX-License-Identifier: MIT */
/* Reports: JSON, CSV, tables and lists from one description. */
#include "report.h"

#include "memory.h"
#include "output.h"
#include "printable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 4096, WIDTH = 80 };

static const json_t *find(const json_t *row, const char *path)
{
    char key[64];

    while (row && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        row = json_object_get(row, key);
        path += length + (path[length] == '.');
    }
    return row;
}

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#endif
/* The formats are literals of the column tables: one conversion of a double. */
static size_t real_text(double value, const char *format, char *text,
                        size_t size)
{
    return (size_t)snprintf(text, size, format, value);
}
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

json_t *report_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static size_t value_text(const json_t *value, const char *format, char *text,
                         size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    switch (!value ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        return (size_t)snprintf(text, size, "%s", json_string_value(value));
    case JSON_INTEGER:
        return (size_t)snprintf(text, size, "%lld",
                                (long long)json_integer_value(value));
    case JSON_REAL:
        return real_text(json_real_value(value), format, text, size);
    case JSON_TRUE:
        return (size_t)snprintf(text, size, "yes");
    case JSON_FALSE:
        return (size_t)snprintf(text, size, "no");
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value) && used < size; i++) {
            if (i > 0 && used + 1 < size)
                text[used++] = ' ';
            used += value_text(json_array_get(value, i), format, text + used,
                               size - used);
        }
        return used;
    case JSON_OBJECT:
        used = value_text(json_object_get(value, "low"), format, text, size);
        if (used > 0 && used + 4 < size) {
            used += (size_t)snprintf(text + used, size - used, "%s",
                                     text[0] == '-' ? " to " : "-");
            used += value_text(json_object_get(value, "high"), format,
                               text + used, size - used);
        }
        return used;
    default:
        return 0;
    }
}

/* Means whose least and most are beside them in the row. */
static const struct {
    const char *path, *least, *most;
} ranges[] = {
    {"gmacs", "gmacs_least", "gmacs_most"},
    {"tokens_left", "tokens_least", "tokens_most"}
};

/* " (LEAST to MOST)" if the value at the path differs among what it is of. */
static void range_text(const json_t *row, const char *path, const char *format,
                       char *text, size_t size)
{
    char least[64], most[64];

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (strcmp(path, ranges[i].path) != 0)
            continue;
        value_text(find(row, ranges[i].least), format, least, sizeof(least));
        value_text(find(row, ranges[i].most), format, most, sizeof(most));
        if (strcmp(least, most) != 0)
            snprintf(text, size, " (%s to %s)", least, most);
    }
}

void report_text(const json_t *row, const char *path, const char *format,
                 char *text, size_t size)
{
    size_t used = value_text(find(row, path), format, text, size);

    if (used > 0 && used < size)
        range_text(row, path, format, text + used, size - used);
}

static const char *format_of(const report_column *column)
{
    return column->format ? column->format : "%.9g";
}

/* Columns that a terminal shows: bytes that continue a UTF-8 letter do not
 * count. */
static size_t columns_of(const char *text)
{
    size_t columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    return columns;
}

static void pad(FILE *out, size_t count)
{
    fprintf(out, "%*s", (int)count, "");
}

static void cell(FILE *out, const char *text, size_t width, int left, int last)
{
    size_t used = columns_of(text);
    size_t gap = width > used ? width - used : 0;

    if (!left)
        pad(out, gap);
    printable_put(text, out);
    if (left && !last)
        pad(out, gap);
    fputs(last ? "\n" : "  ", out);
}

/* What a cell of the table shows, and the columns it takes. */
static size_t cell_text(const report_column *column, const json_t *row,
                        char *text)
{
    report_text(row, column->path, format_of(column), text, TEXT_SIZE);
    return columns_of(text);
}

/* How wide each column is, 0 for those that are left out; the last one that is
 * not. */
static size_t measure(const report_column *columns, size_t count,
                      const json_t *rows, size_t *width, char *text)
{
    const json_t *row;
    size_t last = 0, i;

    for (size_t c = 0; c < count; c++) {
        if (!columns[c].heading)
            continue;
        json_array_foreach(rows, i, row) {
            size_t used = cell_text(&columns[c], row, text);
            width[c] = used > width[c] ? used : width[c];
        }
        size_t heading = columns_of(columns[c].heading);
        if (width[c] == 0)
            continue;
        last = c;
        width[c] = heading > width[c] ? heading : width[c];
    }
    return last;
}

/* The line before a group's first row, if `row` is that. */
static void group_line(FILE *out, const json_t *row, const json_t *before,
                       const char *group, char *text)
{
    char *other = memory_zero(TEXT_SIZE, 1);

    report_text(before, group, NULL, other, TEXT_SIZE);
    report_text(row, group, NULL, text, TEXT_SIZE);
    if (strcmp(text, other) != 0) {
        printable_put(text, out);
        fputc('\n', out);
    }
    free(other);
}

void report_table(FILE *out, const report_column *columns, size_t count,
                  const json_t *rows, const char *group)
{
    size_t *width = memory_zero(count, sizeof(*width));
    char *text = memory_zero(TEXT_SIZE, 1);
    size_t last = measure(columns, count, rows, width, text);
    const json_t *row = NULL;

    for (size_t line = 0; line <= json_array_size(rows); line++) {
        const json_t *before = row;
        row = line == 0 ? NULL : json_array_get(rows, line - 1);
        if (line > 0 && group)
            group_line(out, row, before, group, text);
        for (size_t c = 0; c < count; c++) {
            if (width[c] == 0)
                continue;
            if (line > 0)
                cell_text(&columns[c], row, text);
            cell(out, line == 0 ? columns[c].heading : text, width[c], c == 0,
                 c == last);
        }
    }
    free(width);
    free(text);
}

/* Text from column `left` on, with blanks turned into line ends where the line
 * would be too long. */
static void wrapped(FILE *out, char *text, size_t left)
{
    for (char *line = text, *blank; columns_of(line) > WIDTH - left;) {
        for (blank = line + WIDTH - left; blank > line && *blank != ' ';)
            blank--;
        if (blank == line)
            blank = strchr(line, ' ');
        if (!blank) {
            text = line;
            break;
        }
        *blank = '\0';
        printable_put(line, out);
        fprintf(out, "\n%*s", (int)left, "");
        text = line = blank + 1;
    }
    printable_put(text, out);
    fputc('\n', out);
}

void report_list(FILE *out, const report_column *columns, size_t count,
                 const json_t *row)
{
    size_t width = 0;
    char *text = memory_zero(TEXT_SIZE, 1);

    for (size_t c = 0; c < count; c++)
        if (columns[c].heading &&
            columns_of(columns[c].heading) > width)
            width = columns_of(columns[c].heading);
    for (size_t c = 0; c < count; c++) {
        if (!columns[c].heading)
            continue;
        report_text(row, columns[c].path, format_of(&columns[c]), text,
                    TEXT_SIZE);
        if (text[0] == '\0')
            continue;
        cell(out, columns[c].heading, width, 1, 0);
        wrapped(out, text, width + 2);
    }
    free(text);
}

void report_csv(FILE *out, const report_column *columns, size_t count,
                const json_t *rows)
{
    char *text = memory_zero(TEXT_SIZE, 1);

    for (size_t c = 0; c < count; c++)
        fprintf(out, "%s%s", c ? "," : "", columns[c].path);
    fputc('\n', out);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (size_t c = 0; c < count; c++) {
            value_text(find(json_array_get(rows, i), columns[c].path), "%.9g",
                       text, TEXT_SIZE);
            if (c > 0)
                fputc(',', out);
            output_csv_field(out, text);
        }
        fputc('\n', out);
    }
    free(text);
}

json_t *report_string(const char *text)
{
    json_t *string = json_string(text);

    if (!string) {
        char *copy = memory_text(text);
        for (char *c = copy; *c != '\0'; c++)
            *c = (unsigned char)*c < 0x80 ? *c : '?';
        string = json_string(copy);
        free(copy);
    }
    return string;
}

void report_json(FILE *out, const json_t *object)
{
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', out);
}

void report_json_line(FILE *out, const json_t *object)
{
    json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fputc('\n', out);
}
