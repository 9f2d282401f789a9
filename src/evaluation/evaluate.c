/* SPDX-License-Identifier: MIT */
/* Images through models, each under any number of ways to merge. */
#include "evaluate.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../base/progress.h"
#include "../base/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The memory of one batch. */
typedef struct work {
    tomevit_image *images; /* [batch]: of the model that is running */
    size_t *places;        /* [batch]: in the window */
    const folder_file **files; /* [batch] */
    float *logits;         /* [batch, classes] */
    float *valid;          /* [valid classes] of one image */
    top_class *top;        /* [runs, batch, topk] */
    const merging_run **strange; /* [batch]: the first run whose answer on the
                                  * image is not finite, or NULL */
    double *seconds;       /* [runs]: of this batch */
    size_t count;
    int warm;              /* caches are */
    /* What the next line of the journal is about. */
    journal_batch line;
    size_t refused_capacity;
    double began;          /* the clock at the line before */
    double decode, preprocess; /* the loader's, there */
} work;

static void work_begin(work *w, const evaluation *e)
{
    memset(w, 0, sizeof(*w));
    w->images = memory_zero(e->batch, sizeof(*w->images));
    w->places = memory_zero(e->batch, sizeof(*w->places));
    w->files = memory_zero(e->batch, sizeof(*w->files));
    w->strange = memory_zero(e->batch, sizeof(*w->strange));
    w->logits = memory_zero(e->batch * e->classes->count, sizeof(float));
    w->valid = memory_zero(e->classes->valid_count, sizeof(float));
    w->top = memory_zero(e->run_count * e->batch * e->topk,
                         sizeof(*w->top));
    w->seconds = memory_zero(e->run_count, sizeof(double));
    w->began = clock_seconds();
}

static void work_end(work *w)
{
    free(w->images);
    free(w->places);
    free(w->files);
    free(w->strange);
    free(w->logits);
    free(w->valid);
    free(w->top);
    free(w->seconds);
    journal_batch_free(&w->line);
}

static top_class *top_of(const evaluation *e, const work *w, size_t run,
                         size_t i)
{
    return w->top + (run * e->batch + i) * e->topk;
}

/* The first classes of image i, of the valid ones if not all are. 0, or -1 if a
 * logit is not finite: then no class is an answer, whatever the others say. */
static int select_top(const evaluation *e, const work *w, size_t i,
                      top_class *top)
{
    const classes *c = e->classes;
    const float *logits = w->logits + i * c->count;

    for (size_t k = 0; k < c->count; k++)
        if (!isfinite(logits[k]))
            return -1;
    if (c->valid == NULL) {
        top_select(logits, c->count, e->topk, top);
        return 0;
    }
    for (size_t k = 0; k < c->valid_count; k++)
        w->valid[k] = logits[c->valid[k]];
    top_select(w->valid, c->valid_count, e->topk, top);
    for (size_t k = 0; k < e->topk && top[k].index >= 0; k++)
        top[k].index = c->valid[top[k].index];
    return 0;
}

/* One batch under one run of a model, run `index` of all: classes and seconds
 * into the work. */
static int run_batch(const evaluation *e, work *w, const evaluate_model *m,
                     const merging_run *run, size_t index)
{
    tomevit_output out;
    double began = clock_seconds();

    memset(&out, 0, sizeof(out));
    out.logits = w->logits;
    int error = tomevit_forward(m->context, &run->merging, w->count,
                                w->images, &out);
    w->seconds[index] = clock_seconds() - began;
    if (error != 0) {
        message_failed("the forward pass failed: %s", tomevit_strerror(error));
        return -1;
    }
    for (size_t i = 0; i < w->count; i++)
        if (select_top(e, w, i, top_of(e, w, index, i)) != 0 &&
            w->strange[i] == NULL)
            w->strange[i] = run;
    return 0;
}

/* The loaders, each once: NULL after the last. */
static loader *loader_at(const evaluation *e, size_t index)
{
    for (size_t m = 0; m < e->model_count; m++) {
        loader *l = e->models[m].loader;
        int known = 0;
        for (size_t k = 0; k < m; k++)
            known |= e->models[k].loader == l;
        if (!known && index-- == 0)
            return l;
    }
    return NULL;
}

/* Core-seconds of all loaders so far. */
static void loader_times(const evaluation *e, double *decode,
                         double *preprocess)
{
    *decode = *preprocess = 0;
    for (size_t i = 0; loader_at(e, i) != NULL; i++) {
        *decode += loader_at(e, i)->decode;
        *preprocess += loader_at(e, i)->preprocess;
    }
}

/* ---- the journal ----------------------------------------------------------------- */

/* The files up to `to` and what is known of them are a line. */
static int write_line(evaluation *e, work *w, size_t to, size_t images)
{
    journal_batch *line = &w->line;
    double now = clock_seconds(), decode, preprocess;
    int result = 0;

    loader_times(e, &decode, &preprocess);
    if (e->journal != NULL) {
        line->to = to;
        line->said = e->outcomes.items +
                     (e->outcomes.images - images) * e->run_count;
        line->seconds = w->seconds;
        line->wall = now - w->began;
        line->decode = decode - w->decode;
        line->preprocess = preprocess - w->preprocess;
        result = journal_add(e->journal, line);
    }
    w->began = now;
    w->decode = decode;
    w->preprocess = preprocess;
    line->said = NULL;          /* borrowed */
    line->seconds = NULL;
    journal_batch_free(line);
    w->refused_capacity = 0;
    line->from = to;
    return result;
}

/* A file that cannot be used: named, counted, and for the next line, where they
 * are in the order of the files. */
static void refuse(evaluation *e, work *w, size_t file, const char *why)
{
    journal_batch *line = &w->line;
    size_t place = line->refused_count++;

    e->refused++;
    message_refused("%s: %s", e->files->files[file].path, why);
    line->refused = memory_grow(line->refused, place, &w->refused_capacity,
                                sizeof(*line->refused));
    for (; place > 0 && line->refused[place - 1].file > file; place--)
        line->refused[place] = line->refused[place - 1];
    line->refused[place].file = file;
    line->refused[place].why = memory_text(why);
}

/* An image of which some run makes no number. */
static void refuse_strange(evaluation *e, work *w, size_t i)
{
    const merging_run *run = w->strange[i];
    char why[128];

    if (e->run_count > 1)
        snprintf(why, sizeof(why), "the model's answer is not finite "
                 "(schedule %s)", run->label);
    else
        snprintf(why, sizeof(why), "the model's answer is not finite");
    refuse(e, w, (size_t)(w->files[i] - e->files->files), why);
}

/* A file that is used all the same; said once, however often it is loaded. */
static void remark(folder_file *file, const char *why)
{
    if (why[0] != '\0' && !file->remarked)
        message_note("%s: %s", file->path, why);
    file->remarked |= why[0] != '\0';
}

/* What an earlier process has found. */
static void adopt(evaluation *e, const journal_batch *line)
{
    const outcome *said = line->said;
    top_class *top = memory_zero(e->topk, sizeof(*top));
    size_t refused = 0;

    for (size_t k = 0; k < e->topk; k++)
        top[k].index = -1;
    for (size_t i = line->from; i < line->to; i++) {
        const folder_file *file = &e->files->files[i];
        if (refused < line->refused_count &&
            line->refused[refused].file == i) {
            e->refused++;
            message_refused("%s: %s", file->path, line->refused[refused++].why);
            continue;
        }
        outcome *out = outcomes_add_image(&e->outcomes, i);
        for (size_t run = 0; run < e->run_count; run++) {
            out[run] = *said++;
            outcome_top(&out[run], top);
            if (e->seen != NULL)
                e->seen(e->data, run, file, top);
        }
        e->correct += out[0].index[0] == file->label;
    }
    free(top);
    if (line->to - line->from > line->refused_count)
        memcpy(outcomes_add_batch(&e->outcomes), line->seconds,
               e->run_count * sizeof(*line->seconds));
    e->wall += line->wall;
    e->decode += line->decode;
    e->preprocess += line->preprocess;
}

/* All lines of the journal; w->line.from becomes the first file left. */
static int replay(evaluation *e, work *w)
{
    journal_batch line;
    int found = 0;

    while (e->journal != NULL && (found = journal_next(e->journal,
                                                       &line)) > 0) {
        adopt(e, &line);
        w->line.from = line.to;
        journal_batch_free(&line);
    }
    if (found == 0 && w->line.from > 0 && e->journal->sections == 0)
        message_note("%s: %zu of %zu images are done", e->journal->path,
                     w->line.from, e->files->count);
    return found;
}

/* ---- batches --------------------------------------------------------------------- */

static void count_image(evaluation *e, const work *w, size_t i)
{
    const folder_file *file = w->files[i];
    size_t place = (size_t)(file - e->files->files);
    outcome *said = outcomes_add_image(&e->outcomes, place);

    for (size_t run = 0; run < e->run_count; run++) {
        outcome_set(&said[run], top_of(e, w, run, i));
        if (e->seen != NULL)
            e->seen(e->data, run, file, top_of(e, w, run, i));
    }
    e->correct += file->label >= 0 && said[0].index[0] == file->label;
}

/* The batch as the model takes it. Before its first batch comes one that warms
 * caches up, if there are several runs: the first would pay for all. */
static int begin_model(const evaluation *e, work *w, const evaluate_model *m,
                       size_t first)
{
    for (size_t i = 0; i < w->count; i++) {
        w->images[i].data = m->loader->items[w->places[i]].crop;
        w->images[i].format = TOMEVIT_RGB8_HWC;
    }
    return w->warm || e->run_count == 1
        ? 0 : run_batch(e, w, m, &m->runs[0], first);
}

/* One batch under all runs, with the files up to `to`; not counted if a signal
 * keeps one from it. */
static int all_runs(evaluation *e, work *w, size_t to)
{
    size_t first = 0;

    memset(w->strange, 0, w->count * sizeof(*w->strange));
    for (size_t k = 0; k < e->model_count; k++) {
        const evaluate_model *m = &e->models[k];
        if (begin_model(e, w, m, first) != 0)
            return -1;
        for (size_t run = 0; run < m->run_count; run++) {
            if (signals_stop())
                return 0;
            if (run_batch(e, w, m, &m->runs[run], first + run) != 0)
                return -1;
        }
        first += m->run_count;
    }
    w->warm = 1;
    size_t before = e->outcomes.images;
    for (size_t i = 0; i < w->count; i++) {
        if (w->strange[i] == NULL)
            count_image(e, w, i);
        else
            refuse_strange(e, w, i);
    }
    if (e->outcomes.images > before)
        memcpy(outcomes_add_batch(&e->outcomes), w->seconds,
               e->run_count * sizeof(*w->seconds));
    return write_line(e, w, to, e->outcomes.images - before);
}

/* `before`: files that an earlier process has done. */
static void show(const evaluation *e, size_t before)
{
    int labelled = e->files->count > 0 && e->files->files[0].label >= 0;
    size_t images = e->outcomes.images;
    progress_show(images + e->refused - before, labelled && images > 0
                  ? 100.0 * (double)e->correct / (double)images : -1);
}

/* What all loaders made of a file of the window: 1 if every model has its crop,
 * with what is to be remarked about it or ""; 0 with the reason, "" if it was
 * not tried. */
static int is_loaded(const evaluation *e, size_t place, const char **why)
{
    for (size_t i = 0; loader_at(e, i) != NULL; i++) {
        const loader_item *item = &loader_at(e, i)->items[place];
        *why = item->why;
        if (!item->loaded)
            return 0;
    }
    return 1;
}

/* The most files that all loaders take. */
static size_t window_size(const evaluation *e)
{
    size_t least = e->models[0].loader->window;

    for (size_t i = 1; i < e->model_count; i++)
        if (e->models[i].loader->window < least)
            least = e->models[i].loader->window;
    return least;
}

/* The files of one window: load, then batch after batch. */
static int window(evaluation *e, work *w, size_t before, size_t first,
                  size_t count)
{
    const folder_file *files = e->files->files + first;
    size_t left = e->files->count - first - count, ahead = window_size(e);
    const char *why = "";

    for (size_t i = 0; loader_at(e, i) != NULL; i++)
        loader_load(loader_at(e, i), files, count,
                    i > 0 ? 0 : left < ahead ? left : ahead);
    w->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_loaded(e, i, &why)) {
            remark(&e->files->files[first + i], why);
            w->places[w->count] = i;
            w->files[w->count++] = &files[i];
        } else if (why[0] != '\0') {
            refuse(e, w, first + i, why);
        }
        if (w->count < e->batch && (i + 1 < count || w->count == 0))
            continue;
        if (all_runs(e, w, first + i + 1) != 0)
            return -1;
        w->count = 0;
        show(e, before);
    }
    return 0;
}

/* The files from `before` on. */
static int windows(evaluation *e, work *w, size_t before)
{
    size_t files = e->files->count, size = window_size(e);
    int result = 0;

    for (size_t first = before; first < files && result == 0 &&
         !signals_stop(); first += size)
        result = window(e, w, before, first,
                        files - first < size ? files - first : size);
    /* Files that were refused after the last batch. */
    if (result == 0 && w->line.from < files && !signals_stop())
        result = write_line(e, w, files, 0);
    return result;
}

int evaluate(evaluation *e)
{
    double began = clock_seconds(), decode, preprocess;
    work w;

    e->refused = e->correct = 0;
    e->wall = e->decode = e->preprocess = 0;
    outcomes_begin(&e->outcomes, e->run_count);
    work_begin(&w, e);
    int result = replay(e, &w);
    progress_start(e->files->count - w.line.from, e->quiet);
    if (result == 0)
        result = windows(e, &w, w.line.from);
    progress_end();
    /* Stopped just after the last batch is not partial. */
    e->partial = e->outcomes.images + e->refused < e->files->count;
    e->wall += clock_seconds() - began;
    loader_times(e, &decode, &preprocess);
    e->decode += decode;
    e->preprocess += preprocess;
    work_end(&w);
    return result;
}

void evaluate_free(evaluation *e)
{
    outcomes_free(&e->outcomes);
}
