/* SPDX-License-Identifier: MIT */
/* Reports: built once as JSON, shown as JSON, CSV, a table or a list from
 * one description of their columns. */
#ifndef TOMERGE_REPORT_H
#define TOMERGE_REPORT_H

#include <jansson.h>
#include <stdio.h>

typedef struct report_column {
    const char *path;      /* in the object of a row, as in "seconds.wall" */
    const char *heading;   /* of the table; NULL: not in the table */
    const char *format;    /* of a real, for the table: "%.2f" */
} report_column;

/* Text from outside as a JSON string. It need not be UTF-8, which JSON is:
 * then all that is not ASCII becomes question marks. */
json_t *report_string(const char *text);

/* A number, null if it is not finite: JSON has no such numbers, and a reader of
 * the report nothing to do with one. */
json_t *report_real(double value);

/* What a column of a row holds as text: a real by `format`, an array's
 * elements with blanks between, an interval {low, high} with a dash, or "to" if
 * it begins below zero; "" if it is not there. GMACs and tokens left that are
 * not the same for all images come as "MEAN (LEAST to MOST)"; not so in CSV,
 * where a number is to be one. */
void report_text(const json_t *row, const char *path, const char *format,
                 char *text, size_t size);

/* Columns as wide as they need: the first to the left, others right. One that
 * no row has is left out. Rows with the same at the path `group` have that on a
 * line before the first of them; NULL: no such lines. */
void report_table(FILE *out, const report_column *columns, size_t count,
                  const json_t *rows, const char *group);

/* Heading and value of each column, over as many lines of 80 letters as the
 * value's words need. */
void report_list(FILE *out, const report_column *columns, size_t count,
                 const json_t *row);

/* A header of the paths, then a line a row; reals with 9 digits. */
void report_csv(FILE *out, const report_column *columns, size_t count,
                const json_t *rows);

/* One object, indented, and a newline; reals with 9 digits. */
void report_json(FILE *out, const json_t *object);

/* One object on one line. */
void report_json_line(FILE *out, const json_t *object);

#endif
