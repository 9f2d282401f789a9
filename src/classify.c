/* SPDX-License-Identifier: MIT */
/* tomerge classify: what single images show. */
#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/printable.h"
#include "evaluation/dataset.h"
#include "folders/collect.h"

#include <stdlib.h>
#include <string.h>

typedef struct classify {
    session *s;
    char **names;          /* from --labels, or NULL */
    int people;            /* 1: lines for people on standard output */
} classify;

/* ---- names --------------------------------------------------------------- */

static int read_names(classify *c)
{
    const options *o = c->s->options;
    char why[PAIRS_WHY];
    size_t count;

    if (!o->labels)
        return 0;
    c->names = pairs_read_lines(o->labels, &count, why);
    if (!c->names) {
        message_failed("%s", why);
        return -1;
    }
    if (count == c->s->description->classes)
        return 0;
    message_failed("%s: %zu lines, but the model has %zu classes", o->labels,
                   count, c->s->description->classes);
    return -1;
}

static const char *name_of(const classify *c, int32_t index)
{
    return c->names ? c->names[index]
                            : classes_name(&c->s->classes, (size_t)index);
}

/* ---- one image ----------------------------------------------------------- */

static void json_line(const classify *c, const char *file,
                      const top_class *top)
{
    json_t *list = json_array();

    for (size_t k = 0; k < c->s->options->topk && top[k].index >= 0; k++) {
        const char *name = name_of(c, top[k].index);
        json_array_append_new(list, json_pack("{s:i,s:o,s:f}",
            "index", top[k].index,
            "name", name ? report_string(name) : json_null(),
            "probability", top[k].probability));
    }
    json_t *line = json_pack("{s:o,s:o}", "file", report_string(file), "top",
                             list);
    report_json_line(c->s->json.file, line);
    json_decref(line);
}

static void csv_header(FILE *out, size_t topk)
{
    fputs("file", out);
    for (size_t k = 1; k <= topk; k++)
        fprintf(out, ",class%zu,name%zu,prob%zu", k, k, k);
    fputc('\n', out);
}

static void csv_line(const classify *c, const char *file, const top_class *top)
{
    FILE *out = c->s->csv.file;

    output_csv_field(out, file);
    for (size_t k = 0; k < c->s->options->topk; k++) {
        if (top[k].index < 0) {
            fputs(",,,", out);
            continue;
        }
        const char *name = name_of(c, top[k].index);
        fprintf(out, ",%d,", top[k].index);
        output_csv_field(out, name ? name : "");
        fprintf(out, ",%.6g", top[k].probability);
    }
    fputc('\n', out);
}

static void people_line(const classify *c, const char *file,
                        const top_class *top)
{
    printable_put(file, stdout);
    putchar(':');
    for (size_t k = 0; k < c->s->options->topk && top[k].index >= 0; k++) {
        const char *name = name_of(c, top[k].index);
        fputs(k ? ", " : " ", stdout);
        if (name)
            printable_put(name, stdout);
        else
            printf("class %d", top[k].index);
        printf(" %.1f %%", 100 * top[k].probability);
    }
    putchar('\n');
}

static void seen(void *data, size_t run, const folder_file *file,
                 const top_class *top)
{
    const classify *c = data;

    (void)run;
    if (c->s->json.file)
        json_line(c, file->path, top);
    if (c->s->csv.file)
        csv_line(c, file->path, top);
    if (c->people)
        people_line(c, file->path, top);
}

/* ---- all images ---------------------------------------------------------- */

static void refuse(void *data, const char *line)
{
    (void)data;
    message_refused("%s", line);
}

static void classify_all(classify *c, dataset *d)
{
    session *s = c->s;
    outcomes o;

    if (s->csv.file)
        csv_header(s->csv.file, s->options->topk);
    int done = dataset_evaluate(d, s, 1, &o, seen, c) == 0;
    if (done)
        dataset_remark(d, &o);
    int worth = done ? dataset_worth(&o) : OUTPUT_FAILED;
    outcomes_free(&o);
    output_end(&s->json, worth);
    output_end(&s->csv, worth);
    if (c->people)
        output_flush_people();
}

void command_classify(const options *o)
{
    session s;
    dataset d;
    classify c = {&s, NULL, 0};

    memset(&d, 0, sizeof(d));
    c.people = !output_is_stdout(o->json) && !output_is_stdout(o->csv);
    if (session_open(&s, o) == 0 && read_names(&c) == 0) {
        collect_images(o->list, o->operands, o->operand_count, &d.files,
                       refuse, NULL);
        folder_limit(&d.files, o->limit);
        if (d.files.count == 0)
            message_failed("there is no image to classify");
        else if (dataset_check_outputs(&d, &s) == 0)
            classify_all(&c, &d);
        dataset_close(&d);
    }
    pairs_free_lines(c.names);
    session_close(&s);
}
