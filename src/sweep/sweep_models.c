/* SPDX-License-Identifier: MIT */
/* The models of a sweep. */
#include "sweep_models.h"

#include "../base/message.h"
#include "../plots/plot.h"

#include <stdio.h>
#include <string.h>

/* ---- names --------------------------------------------------------------- */

/* The last `parts` parts of a path. */
static const char *tail(const char *path, size_t parts)
{
    const char *at = path + strlen(path);

    while (at > path && parts > 0) {
        at--;
        parts -= at > path && at[-1] == '/';
    }
    return at;
}

/* As little of the path as is needed, without the ending of its file's name. */
static void set_label(char *label, size_t size, const char *path, size_t parts)
{
    static const char *const endings[] = {
        ".index.json", ".safetensors", ".pth", ".pt", ".bin", ".npz", ".gguf"
    };
    size_t length;

    snprintf(label, size, "%s", tail(path, parts));
    length = strlen(label);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending &&
            strcmp(label + length - ending, endings[i]) == 0)
            label[length -= ending] = '\0';
    }
}

static int has_twins(const sweep_models *m)
{
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = i + 1; k < m->count; k++)
            if (strcmp(m->label[i], m->label[k]) == 0)
                return 1;
    return 0;
}

static void set_labels(sweep_models *m)
{
    enum { MOST = 4 };
    size_t size = sizeof(m->label[0]);

    for (size_t parts = 1; parts <= MOST; parts++) {
        for (size_t i = 0; i < m->count; i++)
            set_label(m->label[i], size, m->each[i].model, parts);
        if (!has_twins(m))
            return;
    }
    for (size_t i = 0; i < m->count; i++)
        snprintf(m->label[i], size, "model %zu", i + 1);
}

/* ---- classes ------------------------------------------------------------- */

static const char *own_name(const classes *c, size_t index)
{
    return !c->own_name ? NULL : c->own_name(c->data, index);
}

/* A thousand classes are ImageNet's, however they are spelled. */
static int same_classes(const session *a, const session *b)
{
    const classes *x = &a->classes, *y = &b->classes;

    if (x->count != y->count) {
        message_failed("%s has %zu classes, %s has %zu: the models of one "
                       "sweep answer in the same classes", b->options->model,
                       y->count, a->options->model, x->count);
        return 0;
    }
    for (size_t i = 0; i < x->count && x->count != IMAGENET_CLASSES; i++) {
        const char *one = own_name(x, i), *other = own_name(y, i);
        if (!one || !other || strcmp(one, other) == 0)
            continue;
        message_failed("%s: class %zu is '%.60s', in %s it is '%.60s': the "
                       "models of one sweep answer in the same classes",
                       b->options->model, i, other, a->options->model, one);
        return 0;
    }
    return 1;
}

/* Each series has a sign of its own in the plots. */
static int check_series(const options *o)
{
    size_t methods = o->merging.method_count;
    size_t series = o->models.count * (methods > 1 ? methods + 1 : 1);

    if (series <= PLOT_SERIES)
        return 0;
    message_usage("%zu models with %zu methods each are more than the %d "
                  "series of a sweep", o->models.count, methods, PLOT_SERIES);
    return -1;
}

/* ---- opening ------------------------------------------------------------- */

int sweep_models_open(sweep_models *m, const options *o)
{
    int added = 0;

    memset(m, 0, sizeof(*m));
    if (check_series(o) != 0)
        return -1;
    for (size_t i = 0; i < o->models.count; i++) {
        options *each = &m->each[i];
        *each = *o;
        each->model = o->models.path[i];
        if (i > 0)
            each->json = each->csv = NULL;
        m->count++;
        if (session_open(&m->s[i], each) != 0)
            return -1;
        if (i > 0 && !same_classes(&m->s[0], &m->s[i]))
            return -1;
        added |= session_need_reference(&m->s[i]);
    }
    if (added)
        message_note("r=0 is added: drop, agreement and speed-up are against "
                     "it");
    set_labels(m);
    return 0;
}

void sweep_models_close(sweep_models *m)
{
    for (size_t i = 0; i < m->count; i++)
        session_close(&m->s[i]);
    m->count = 0;
}

size_t sweep_models_runs(const sweep_models *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->count; i++)
        count += m->s[i].run_count;
    return count;
}

size_t sweep_models_of(const sweep_models *m, size_t index)
{
    size_t model = 0;

    while (model + 1 < m->count && index >= m->s[model].run_count)
        index -= m->s[model++].run_count;
    return model;
}
