/* SPDX-License-Identifier: MIT */
/* --per-class and --confusion: how the classes fared, as CSV. */
#include "class_tables.h"

#include "../base/memory.h"
#include "../base/statistics.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(const session *s, size_t class)
{
    const char *name = classes_name(&s->classes, class);
    return name ? name : "";
}

/* model,schedule,class,name: what a row of either begins with, the model where
 * there are several. */
static void heading_begin(FILE *out, size_t count)
{
    fputs(count > 1 ? "model,schedule,class,name" : "schedule,class,name", out);
}

static void row_begin(FILE *out, const session *s, size_t count, size_t run,
                      size_t class)
{
    if (count > 1) {
        output_csv_field(out, s->options->model);
        fputc(',', out);
    }
    output_csv_field(out, s->runs[run].label);
    fprintf(out, ",%zu,", class);
    output_csv_field(out, name_of(s, class));
}

static int32_t label_of(const dataset *d, const outcomes *o, size_t i)
{
    return d->files.files[o->file[i]].label;
}

/* ---- one row a class ----------------------------------------------------- */

typedef struct class_count {
    size_t images, correct1, correct5, predicted;
} class_count;

static void count_classes(const dataset *d, const outcomes *o, size_t run,
                          class_count *counts)
{
    for (size_t i = 0; i < o->images; i++) {
        const outcome *said = outcomes_at(o, i, run);
        int32_t label = label_of(d, o, i);
        counts[said->index[0]].predicted++;
        counts[label].images++;
        counts[label].correct1 += said->index[0] == label;
        for (size_t k = 0; k < OUTCOME_TOP; k++)
            counts[label].correct5 += said->index[k] == label;
    }
}

static void share(FILE *out, size_t part, size_t whole)
{
    fputc(',', out);
    if (whole > 0)
        fprintf(out, "%.9g", 100.0 * (double)part / (double)whole);
}

static void class_row(FILE *out, const class_count *n)
{
    fprintf(out, ",%zu,%zu,%zu", n->images, n->predicted, n->correct1);
    share(out, n->correct1, n->images);
    if (n->images > 0) {
        interval i = statistics_wilson(n->correct1, n->images);
        fprintf(out, ",%.9g,%.9g", 100 * i.low, 100 * i.high);
    } else {
        fputs(",,", out);
    }
    share(out, n->correct5, n->images);
    share(out, n->correct1, n->predicted);
    fputc('\n', out);
}

static void write_per_class(FILE *out, const dataset *d, const session *all,
                            size_t sessions, const outcomes *o)
{
    size_t count = all->classes.count;
    class_count *counts = memory_zero(count, sizeof(*counts));

    heading_begin(out, sessions);
    fputs(",images,predicted,correct,top1,top1_interval.low,"
          "top1_interval.high,top5,precision\n", out);
    for (const session *s = all; s < all + sessions; s++)
        for (size_t run = 0; run < s->run_count; run++) {
            memset(counts, 0, count * sizeof(*counts));
            count_classes(d, o, s->first + run, counts);
            for (size_t c = 0; c < count; c++) {
                row_begin(out, s, sessions, run, c);
                class_row(out, &counts[c]);
            }
        }
    free(counts);
}

/* ---- who was taken for whom ---------------------------------------------- */

/* Images in the order of their labels: those of class c are at
 * order[start[c]] .. order[start[c + 1] - 1]. */
static void sort_images(const dataset *d, const outcomes *o, size_t count,
                        size_t *start, size_t *order)
{
    for (size_t i = 0; i < o->images; i++)
        start[label_of(d, o, i) + 1]++;
    for (size_t c = 0; c < count; c++)
        start[c + 1] += start[c];
    size_t *next = memory_zero(count, sizeof(*next));
    memcpy(next, start, count * sizeof(*next));
    for (size_t i = 0; i < o->images; i++)
        order[next[label_of(d, o, i)]++] = i;
    free(next);
}

/* Classes that are a label or were an answer, whatever the run. */
static void mark_seen(const dataset *d, const outcomes *o, char *seen)
{
    for (size_t i = 0; i < o->images; i++) {
        seen[label_of(d, o, i)] = 1;
        for (size_t run = 0; run < o->run_count; run++)
            seen[outcomes_at(o, i, run)->index[0]] = 1;
    }
}

/* The images by label, and the classes that have a row and a column. */
typedef struct confusion_table {
    size_t *start, *order; /* see sort_images */
    size_t *row;           /* [count]: answers to one label */
    char *seen;            /* [count] */
    size_t count;          /* of classes */
} confusion_table;

static void confusion_rows(FILE *out, confusion_table *t, const outcomes *o,
                           const session *s, size_t sessions, size_t run)
{
    for (size_t label = 0; label < t->count; label++) {
        if (!t->seen[label])
            continue;
        memset(t->row, 0, t->count * sizeof(*t->row));
        for (size_t i = t->start[label]; i < t->start[label + 1]; i++)
            t->row[outcomes_at(o, t->order[i], s->first + run)->index[0]]++;
        row_begin(out, s, sessions, run, label);
        for (size_t c = 0; c < t->count; c++)
            if (t->seen[c])
                fprintf(out, ",%zu", t->row[c]);
        fputc('\n', out);
    }
}

static void write_confusion(FILE *out, const dataset *d, const session *all,
                            size_t sessions, const outcomes *o)
{
    size_t count = all->classes.count;
    confusion_table t = {
        memory_zero(count + 1, sizeof(size_t)),
        memory_zero(o->images, sizeof(size_t)),
        memory_zero(count, sizeof(size_t)), memory_zero(count, 1), count
    };

    sort_images(d, o, count, t.start, t.order);
    mark_seen(d, o, t.seen);
    heading_begin(out, sessions);
    for (size_t c = 0; c < count; c++)
        if (t.seen[c])
            fprintf(out, ",%zu", c);
    fputc('\n', out);
    for (const session *s = all; s < all + sessions; s++)
        for (size_t run = 0; run < s->run_count; run++)
            confusion_rows(out, &t, o, s, sessions, run);
    free(t.start);
    free(t.order);
    free(t.row);
    free(t.seen);
}

/* ---- files --------------------------------------------------------------- */

int class_tables_open(class_tables *t, const options *o)
{
    if (output_open(&t->per_class, o->per_class) != 0)
        return -1;
    if (output_open(&t->confusion, o->confusion) == 0)
        return 0;
    output_abandon(&t->per_class);
    return -1;
}

void class_tables_close(class_tables *t, const dataset *d, const session *s,
                        size_t count, const outcomes *o)
{
    if (o && t->per_class.file)
        write_per_class(t->per_class.file, d, s, count, o);
    if (o && t->confusion.file)
        write_confusion(t->confusion.file, d, s, count, o);
    int worth = o ? dataset_worth(o) : OUTPUT_FAILED;
    output_end(&t->per_class, worth);
    output_end(&t->confusion, worth);
}
