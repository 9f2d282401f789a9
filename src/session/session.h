/* SPDX-License-Identifier: MIT */
/* What every subcommand begins with: the model, threads, preprocessing, the
 * ways to merge, and their description in reports. */
#ifndef TOMERGE_SESSION_H
#define TOMERGE_SESSION_H

#include "../base/output.h"
#include "../base/report.h"
#include "../folders/classes.h"
#include "options.h"

typedef struct session {
    const options *options;
    tomevit_model *model;      /* NULL after session_describe */
    tomevit_description described; /* then it is what description points to */
    const tomevit_description *description; /* the model's */
    tomevit_context *context;  /* NULL until session_context */
    int threads;
    tomevit_preprocessing pre;
    char pre_source[128];
    classes classes;
    char **text_names;         /* of --classes, or NULL */
    float *text_rows;          /* [text_count, text_width]: what they mean */
    size_t text_count, text_width;
    output json, csv;          /* open if wanted, until session_write */
    int worth;                 /* enum output_worth: of what is written */
    json_t *computed;          /* what was computed with elsewhere, or NULL */
    merging_run *runs;
    size_t run_count;
    size_t reference;          /* index of the run that merges nothing */
    size_t first;              /* of its runs among those of an evaluation */
} session;

/* Threads of this process: as the options say, or those of the CPUs, which
 * ranks on the same ones share. */
int session_threads(const options *o);

/* Opens the model and the outputs and resolves the runs. 0, or -1 after a
 * message; then session_close is still to be called. */
int session_open(session *s, const options *o);

/* The same for those who only say what a model is: without its weights. */
int session_describe(session *s, const options *o);

/* Sees to it that one run merges nothing and sets s->reference. 1 if none did:
 * then one is added in front. */
int session_need_reference(session *s);

/* Memory for the forward, with the preprocessing in force; nothing if it is
 * there. */
int session_context(session *s);
void session_close(session *s);

/* How the model is opened. */
tomevit_open_options session_open_options(const options *o);

/* ---- the parts that reports have in common ------------------------------- */

/* {file, family, parameters, dim, ...} */
json_t *session_model_json(const session *s);
/* {resize, interpolation, crop, mean, std, chain, source} */
json_t *session_preprocessing_json(const session *s);
/* Adds method, r, merge_ratio, tokens, gmacs, ... of one run. */
void session_run_json(const session *s, const merging_run *run, json_t *out);
/* Adds dtype, cpu, threads, batch. */
void session_compute_json(const session *s, json_t *out);

/* Writes the report where the options say. JSON is `object`, CSV is `rows`
 * (an array) by `columns`. For people: `object` as a list by `list`, if
 * there is one, then, if `table` is set, the rows as a table, in groups where
 * `group` is not NULL, and as another by `more`, if there is that; nothing
 * where standard output holds data. 0, or -1 after a message. */
typedef struct session_report {
    const json_t *object, *rows;
    const report_column *list, *columns;
    size_t list_count, column_count;
    int table;
    const report_column *more;
    size_t more_count;
    const char *group;
} session_report;
int session_write(session *s, const session_report *report);

#endif
