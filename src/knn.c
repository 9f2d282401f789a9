/* SPDX-License-Identifier: MIT */
/*
 * tomerge knn: how well embeddings tell classes apart, without training
 * anything.
 *
 * The k rows of the training set that are nearest to a row, by the cosine, each
 * vote for their class with exp(cosine / temperature). [DINO, arXiv 2104.14294,
 * section 4.1; Wu et al., arXiv 1805.01978, section 3.4]
 */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/statistics.h"
#include "embeddings/labelled.h"
#include "evaluation/nearest.h"
#include "session/options_files.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BEST = 5 };

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"method", "merging", NULL},
    {"schedule", "  r", NULL},
    {"train.from", "train", NULL},
    {"train.rows", "  rows", NULL},
    {"train.classes", "  classes", NULL},
    {"test.from", "test", NULL},
    {"test.rows", "  rows", NULL},
    {"test.unknown", "  of no class there", NULL},
    {"refused", "refused", NULL},
    {"k", "k", NULL},
    {"temperature", "temperature", "%g"},
    {"top1", "top-1 %", "%.2f"},
    {"top1_interval", "  95 %", "%.2f"},
    {"top5", "top-5 %", "%.2f"},
    {"top5_interval", "  95 %", "%.2f"}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What was found of one row. */
typedef struct answer {
    int32_t class[BEST];   /* -1 past those that got a vote */
} answer;

typedef struct knn {
    const options *options;
    labelled train, test;  /* `test` is empty where each row of train is asked
                            * about all others */
    char **classes;        /* [class_count]: names, sorted; of train */
    size_t class_count;
    int32_t *train_class, *test_class; /* -1: none of train's */
    answer *answers;       /* [rows] */
} knn;

static int asks_others(const knn *n)
{
    return !n->options->test;
}

static const labelled *asked(const knn *n)
{
    return asks_others(n) ? &n->train : &n->test;
}

static const int32_t *wanted(const knn *n)
{
    return asks_others(n) ? n->train_class : n->test_class;
}

/* ---- classes ------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t class_of(const knn *n, char *name)
{
    char **found = bsearch(&name, n->classes, n->class_count,
                           sizeof(*n->classes), compare_names);

    return found ? (int32_t)(found - n->classes) : -1;
}

static int32_t *number_classes(const knn *n, const labelled *l)
{
    int32_t *numbers = memory_zero(l->count, sizeof(*numbers));

    for (size_t i = 0; i < l->count; i++)
        numbers[i] = class_of(n, l->class[i]);
    return numbers;
}

/* 0, or -1 after a message if no row could be right. */
static int find_classes(knn *n)
{
    const labelled *l = &n->train;
    size_t known = 0, count = 0;

    n->classes = memory_zero(l->count, sizeof(*n->classes));
    memcpy(n->classes, l->class, l->count * sizeof(*n->classes));
    qsort(n->classes, l->count, sizeof(*n->classes), compare_names);
    for (size_t i = 0; i < l->count; i++)
        if (i == 0 || strcmp(n->classes[i], n->classes[count - 1]) != 0)
            n->classes[count++] = n->classes[i];
    n->class_count = count;
    n->train_class = number_classes(n, &n->train);
    n->test_class = number_classes(n, &n->test);
    for (size_t i = 0; i < asked(n)->count; i++)
        known += wanted(n)[i] >= 0;
    if (known > 0)
        return 0;
    message_failed("no class of %s, such as '%.80s', is one of %s, such as "
                   "'%.80s'", n->options->test, n->test.class[0],
                   n->options->train, n->classes[0]);
    return -1;
}

/* ---- voting -------------------------------------------------------------- */

/* The classes with the most votes, the most first; of equals the one whose name
 * comes first. Votes are counted anew. */
static void elect(double *votes, size_t count, answer *said)
{
    for (size_t b = 0; b < BEST; b++) {
        size_t best = count;
        for (size_t c = 0; c < count; c++)
            if (votes[c] > 0 && (best == count || votes[c] > votes[best]))
                best = c;
        said->class[b] = best < count ? (int32_t)best : -1;
        if (best < count)
            votes[best] = 0;
    }
    memset(votes, 0, count * sizeof(*votes));
}

/* Votes are as shares of the nearest row's, which no temperature makes 0. */
static void ask(const knn *n, const nearest_rows *rows, size_t i, size_t *index,
                double *cosine, double *votes)
{
    const labelled *l = asked(n);
    size_t found = nearest_find(rows, l->x + i * l->width,
                                asks_others(n) ? i : SIZE_MAX, n->options->k,
                                index, cosine);

    for (size_t k = 0; k < found; k++)
        votes[n->train_class[index[k]]] +=
            exp((cosine[k] - cosine[0]) / n->options->temperature);
    elect(votes, n->class_count, &n->answers[i]);
}

static void ask_all(knn *n)
{
    nearest_rows rows;
    size_t k = n->options->k, count = asked(n)->count;

    n->answers = memory_zero(count, sizeof(*n->answers));
    nearest_begin(&rows, n->train.x, n->train.count, n->train.width,
                  n->train.width);
#pragma omp parallel
    {
        size_t *index = memory_zero(k, sizeof(*index));
        double *cosine = memory_zero(k, sizeof(*cosine));
        double *votes = memory_zero(n->class_count, sizeof(*votes));

#pragma omp for schedule(dynamic, 16)
        for (size_t i = 0; i < count; i++)
            ask(n, &rows, i, index, cosine, votes);
        free(index);
        free(cosine);
        free(votes);
    }
    nearest_end(&rows);
}

/* ---- reporting ----------------------------------------------------------- */

static void set_accuracy(json_t *out, const char *key, size_t part,
                         size_t whole)
{
    interval i = statistics_wilson(part, whole);
    char name[32];

    json_object_set_new(out, key, report_real(100.0 * (double)part /
                                              (double)whole));
    snprintf(name, sizeof(name), "%s_interval", key);
    json_object_set_new(out, name, json_pack("{s:f,s:f}", "low", 100 * i.low,
                                             "high", 100 * i.high));
}

static json_t *knn_json(const knn *n, const session *s)
{
    const options *o = n->options;
    size_t count = asked(n)->count, right[2] = {0, 0}, unknown = 0;
    json_t *out = json_object();

    for (size_t i = 0; i < count; i++) {
        int32_t class = wanted(n)[i];
        unknown += class < 0;
        for (size_t b = 0; b < BEST && class >= 0; b++) {
            right[0] += b == 0 && n->answers[i].class[b] == class;
            right[1] += n->answers[i].class[b] == class;
        }
    }
    if (s) {
        json_object_set_new(out, "model", session_model_json(s));
        json_object_set_new(out, "preprocessing",
                            session_preprocessing_json(s));
        session_run_json(s, &s->runs[0], out);
        session_compute_json(s, out);
    }
    json_object_set_new(out, "train", json_pack("{s:o,s:I,s:I}", "from",
        report_string(o->train), "rows", (json_int_t)n->train.count,
        "classes", (json_int_t)n->class_count));
    json_object_set_new(out, "test", json_pack("{s:o,s:I,s:I}", "from",
        o->test ? report_string(o->test) : json_string("each of these rows, "
        "by the others"), "rows", (json_int_t)count, "unknown",
        (json_int_t)unknown));
    json_object_set_new(out, "refused", json_integer(
        (json_int_t)(n->train.refused + n->test.refused)));
    json_object_set_new(out, "k", json_integer((json_int_t)o->k));
    json_object_set_new(out, "temperature", report_real(o->temperature));
    set_accuracy(out, "top1", right[0], count);
    set_accuracy(out, "top5", right[1], count);
    return out;
}

static int write_predictions(const knn *n)
{
    output out;

    if (output_open(&out, n->options->predictions) != 0)
        return -1;
    if (!out.file)
        return 0;
    fputs("file,label,class1,class2,class3,class4,class5\n", out.file);
    for (size_t i = 0; i < asked(n)->count; i++) {
        output_csv_field(out.file, asked(n)->name[i]);
        fputc(',', out.file);
        output_csv_field(out.file, asked(n)->class[i]);
        for (size_t b = 0; b < BEST; b++) {
            int32_t class = n->answers[i].class[b];
            fputc(',', out.file);
            if (class >= 0)
                output_csv_field(out.file, n->classes[class]);
        }
        fputc('\n', out.file);
    }
    return output_close(&out);
}

static void report(knn *n, session *s)
{
    json_t *object = knn_json(n, s->model ? s : NULL);
    json_t *rows = json_pack("[O]", object);
    session_report written = {object, rows, list, list, COUNT(list),
                              COUNT(list), 0, NULL, 0, NULL};

    if (write_predictions(n) == 0)
        session_write(s, &written);
    json_decref(rows);
    json_decref(object);
}

/* ---- the command --------------------------------------------------------- */

static int open_sets(knn *n, session *s)
{
    const options *o = n->options;

    if (labelled_open(&n->train, o->train, o->train_labels, s) != 0 ||
        (o->test &&
         labelled_open(&n->test, o->test, o->test_labels, s) != 0))
        return -1;
    if (asks_others(n) && n->train.count < 2) {
        message_failed("%s: one row has no others to be asked", o->train);
        return -1;
    }
    if (o->test && strcmp(o->test, o->train) == 0)
        message_note("%s: its rows find themselves; without --test each would "
                     "be asked about the others", o->test);
    if (asks_others(n) || n->test.width == n->train.width)
        return 0;
    message_failed("%s has %zu numbers a row, %s has %zu", o->test,
                   n->test.width, o->train, n->train.width);
    return -1;
}

/* Without images there is no model to be opened. */
static int open_session(session *s, const options *o)
{
    if (labelled_needs_model(o->train) ||
        (o->test && labelled_needs_model(o->test)))
        return session_open(s, o);
    memset(s, 0, sizeof(*s));
    s->options = o;
    if (output_open(&s->json, o->json) != 0)
        return -1;
    return output_open(&s->csv, o->csv);
}

void command_knn(const options *o)
{
    session s;
    knn n;

    memset(&n, 0, sizeof(n));
    n.options = o;
    if (open_session(&s, o) == 0 && open_sets(&n, &s) == 0 &&
        find_classes(&n) == 0) {
        ask_all(&n);
        report(&n, &s);
    }
    labelled_close(&n.train);
    labelled_close(&n.test);
    free(n.classes);
    free(n.train_class);
    free(n.test_class);
    free(n.answers);
    session_close(&s);
}
