/* SPDX-License-Identifier: MIT */
/* Embeddings, each of a class. */
#include "config.h"

#include "labelled.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../evaluation/dataset.h"
#include "../folders/pairs.h"
#include "../folders/walk.h"
#include "embedding.h"
#include "npy_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int labelled_needs_model(const char *path)
{
    return !npy_is(path);
}

/* ---- images -------------------------------------------------------------- */

typedef struct taker {
    labelled *l;
    embedding e;
} taker;

static int take(void *data, size_t i, const folder_file *file, char *why)
{
    taker *t = data;
    labelled *l = t->l;

    (void)file;
    if (embedding_take(&t->e, i, why) != 0)
        return 1;
    l->x = memory_grow(l->x, l->count, &l->capacity,
                       l->width * sizeof(*l->x));
    memcpy(l->x + l->count++ * l->width, t->e.value,
           l->width * sizeof(*l->x));
    return 0;
}

static void refuse(void *data, const char *line)
{
    ((labelled *)data)->refused++;
    message_refused("%s", line);
}

static void name_images(labelled *l, const dataset *d, const outcomes *o)
{
    l->name = memory_zero(o->images, sizeof(*l->name));
    l->class = memory_zero(o->images, sizeof(*l->class));
    for (size_t i = 0; i < o->images; i++) {
        const folder_file *file = &d->files.files[o->file[i]];
        l->name[i] = memory_text(file->name);
        l->class[i] = memory_text(file->given ? file->given
                                  : d->files.groups[file->group]);
    }
}

/* Those that have a class, if the source says of any. */
static int check_given(labelled *l, const char *path, const folder *files)
{
    size_t given = 0;

    for (size_t i = 0; i < files->count; i++)
        given += files->files[i].given != NULL;
    if (given == files->count || (given == 0 && files->group_count > 0))
        return 0;
    l->refused += files->count - given;
    message_failed("%s: %zu of %zu images have no label beside them", path,
                   files->count - given, files->count);
    return -1;
}

static int embed_images(labelled *l, session *s, dataset *d)
{
    evaluate_sink sink = {.take = take};
    outcomes o;
    taker t = {.l = l};
    int result = embedding_begin(&t.e, s);

    sink.out = t.e.out;
    sink.data = &t;
    d->sink = &sink;
    l->width = t.e.dim;
    memset(&o, 0, sizeof(o));
    if (result == 0)
        result = dataset_evaluate(d, s, 1, &o, NULL, NULL);
    d->sink = NULL;
    if (result == 0) {
        name_images(l, d, &o);
        l->refused += o.refused_count;
        dataset_remark(d, &o);
        result = outcomes_are_partial(&o) || o.images == 0 ? -1 : 0;
    }
    outcomes_free(&o);
    embedding_end(&t.e);
    return result;
}

static int open_images(labelled *l, const char *path, session *s)
{
    char why[FOLDER_WHY];
    dataset d;

    memset(&d, 0, sizeof(d));
    if (walk_classes(path, &d.files, refuse, l, why) != 0) {
        message_failed("%s", why);
        return -1;
    }
    folder_limit(&d.files, s->options->limit);
    int result = check_given(l, path, &d.files);
    if (result == 0)
        result = dataset_check_outputs(&d, s);
    if (result == 0)
        result = embed_images(l, s, &d);
    dataset_close(&d);
    return result;
}

/* ---- arrays -------------------------------------------------------------- */

static int wrong_count(const labelled *l, const char *path, size_t count)
{
    if (count == l->count)
        return 0;
    message_failed("%s: it is about %zu rows, but there are %zu", path, count,
                   l->count);
    return 1;
}

static char *text_of(int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return memory_text(text);
}

static int label_by_numbers(labelled *l, const char *path)
{
    char why[NPY_WHY];
    size_t count;
    int64_t *labels = npy_read_integers(path, &count, why);

    if (!labels)
        message_failed("%s: %s", path, why);
    if (!labels || wrong_count(l, path, count)) {
        free(labels);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        l->class[i] = text_of(labels[i]);
    free(labels);
    return 0;
}

/* Whole lines, or what is before the first slash of each. */
static int label_by_lines(labelled *l, const char *path, int folders)
{
    char why[PAIRS_WHY];
    size_t count;
    char **lines = pairs_read_lines(path, &count, why);
    int result = 0;

    if (!lines) {
        message_failed("%s%s", why, folders
                       ? ": the rows' classes come from the names there, or "
                         "from --train-labels and --test-labels" : "");
        return -1;
    }
    if (wrong_count(l, path, count))
        result = -1;
    for (size_t i = 0; i < count && result == 0; i++) {
        char *slash = folders ? strchr(lines[i], '/') : NULL;
        if (folders)
            l->name[i] = memory_text(lines[i]);
        if (folders && !slash) {
            message_failed("%s: line %zu: '%.80s' is in no folder that could "
                           "be its class: give labels", path, i + 1, lines[i]);
            result = -1;
        }
        if (slash)
            *slash = '\0';
        l->class[i] = memory_text(lines[i]);
    }
    pairs_free_lines(lines);
    return result;
}

static int label_beside(labelled *l, const char *path)
{
    size_t length = strlen(path);
    char *names = memory_zero(length + 5, 1);

    if (length > 4 && strcmp(path + length - 4, ".npy") == 0)
        length -= 4;
    snprintf(names, length + 5, "%.*s.txt", (int)length, path);
    int result = label_by_lines(l, names, 1);
    free(names);
    return result;
}

static int open_array(labelled *l, const char *path, const char *labels)
{
    char why[NPY_WHY];
    int result;

    l->x = npy_read_matrix(path, &l->count, &l->width, why);
    if (!l->x) {
        message_failed("%s: %s", path, why);
        return -1;
    }
    l->name = memory_zero(l->count, sizeof(*l->name));
    l->class = memory_zero(l->count, sizeof(*l->class));
    if (!labels)
        result = label_beside(l, path);
    else if (npy_is(labels))
        result = label_by_numbers(l, labels);
    else
        result = label_by_lines(l, labels, 0);
    for (size_t i = 0; i < l->count && result == 0; i++)
        if (!l->name[i])
            l->name[i] = text_of((int64_t)i);
    return result;
}

int labelled_open(labelled *l, const char *path, const char *labels,
                  session *s)
{
    memset(l, 0, sizeof(*l));
    if (!labelled_needs_model(path))
        return open_array(l, path, labels);
    if (!labels)
        return open_images(l, path, s);
    message_usage("%s: these are images, whose classes are their folders: "
                  "labels are for a .npy file", path);
    return -1;
}

void labelled_close(labelled *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->name)
            free(l->name[i]);
        if (l->class)
            free(l->class[i]);
    }
    free(l->name);
    free(l->class);
    free(l->x);
    memset(l, 0, sizeof(*l));
}
