/* SPDX-License-Identifier: MIT */
/* Images through the model, under any number of ways to merge. */
#include "evaluate.h"

#include "clock.h"
#include "memory.h"
#include "message.h"
#include "progress.h"
#include "signals.h"

#include <stdlib.h>
#include <string.h>

/* The memory of one batch. */
typedef struct work {
    tomevit_image *images; /* [batch] */
    const folder_file **files; /* [batch] */
    float *logits;         /* [batch, classes] */
    float *valid;          /* [valid classes] of one image */
    top_class *top;        /* [runs, batch, topk] */
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
    w->files = memory_zero(e->batch, sizeof(*w->files));
    w->logits = memory_zero(e->batch * e->model->classes, sizeof(float));
    w->valid = memory_zero(e->classes->valid_count, sizeof(float));
    w->top = memory_zero(e->run_count * e->batch * e->topk,
                         sizeof(*w->top));
    w->seconds = memory_zero(e->run_count, sizeof(double));
    w->began = clock_seconds();
}

static void work_end(work *w)
{
    free(w->images);
    free(w->files);
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

/* The first classes of image i, of the valid ones if not all are. */
static void select_top(const evaluation *e, const work *w, size_t i,
                       top_class *top)
{
    const classes *c = e->classes;
    const float *logits = w->logits + i * e->model->classes;

    if (c->valid == NULL) {
        top_select(logits, e->model->classes, e->topk, top);
        return;
    }
    for (size_t k = 0; k < c->valid_count; k++)
        w->valid[k] = logits[c->valid[k]];
    top_select(w->valid, c->valid_count, e->topk, top);
    for (size_t k = 0; k < e->topk && top[k].index >= 0; k++)
        top[k].index = c->valid[top[k].index];
}

/* One batch under one run: classes and seconds into the work. */
static int run_batch(const evaluation *e, work *w, size_t run)
{
    tomevit_output out;
    double began = clock_seconds();

    memset(&out, 0, sizeof(out));
    out.logits = w->logits;
    int error = tomevit_forward(e->context, &e->runs[run].merging, w->count,
                                w->images, &out);
    w->seconds[run] = clock_seconds() - began;
    if (error != 0) {
        message_failed("the forward pass failed: %s", tomevit_strerror(error));
        return -1;
    }
    for (size_t i = 0; i < w->count; i++)
        select_top(e, w, i, top_of(e, w, run, i));
    return 0;
}

/* ---- the journal ----------------------------------------------------------------- */

/* The files up to `to` and what is known of them are a line. */
static int write_line(evaluation *e, work *w, size_t to, size_t images)
{
    journal_batch *line = &w->line;
    double now = clock_seconds();
    int result = 0;

    if (e->journal != NULL) {
        line->to = to;
        line->said = e->outcomes.items +
                     (e->outcomes.images - images) * e->run_count;
        line->seconds = w->seconds;
        line->wall = now - w->began;
        line->decode = e->loader->decode - w->decode;
        line->preprocess = e->loader->preprocess - w->preprocess;
        result = journal_add(e->journal, line);
    }
    w->began = now;
    w->decode = e->loader->decode;
    w->preprocess = e->loader->preprocess;
    line->said = NULL;          /* borrowed */
    line->seconds = NULL;
    journal_batch_free(line);
    w->refused_capacity = 0;
    line->from = to;
    return result;
}

/* A file that cannot be used: named, counted, and for the next line. */
static void refuse(evaluation *e, work *w, size_t file, const char *why)
{
    journal_batch *line = &w->line;

    e->refused++;
    message_refused("%s: %s", e->files->files[file].path, why);
    line->refused = memory_grow(line->refused, line->refused_count,
                                &w->refused_capacity,
                                sizeof(*line->refused));
    line->refused[line->refused_count].file = file;
    line->refused[line->refused_count++].why = memory_text(why);
}

/* What an earlier process has found. */
static void adopt(evaluation *e, const journal_batch *line)
{
    const outcome *said = line->said;
    size_t refused = 0;

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
            top_class top[OUTCOME_TOP];
            out[run] = *said++;
            outcome_top(&out[run], top);
            if (e->seen != NULL)
                e->seen(e->data, run, file, top);
        }
        e->correct += out[0].index[0] == file->label;
    }
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
    if (found == 0 && w->line.from > 0)
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

/* One batch under all runs, with the files up to `to`; not counted if a signal
 * keeps one from it. */
static int all_runs(evaluation *e, work *w, size_t to)
{
    /* Before the first batch, one that warms caches up: without it the first
     * of several runs would pay for all. */
    if (!w->warm && e->run_count > 1 && run_batch(e, w, 0) != 0)
        return -1;
    w->warm = 1;
    for (size_t run = 0; run < e->run_count; run++) {
        if (signals_stop())
            return 0;
        if (run_batch(e, w, run) != 0)
            return -1;
    }
    memcpy(outcomes_add_batch(&e->outcomes), w->seconds,
           e->run_count * sizeof(*w->seconds));
    for (size_t i = 0; i < w->count; i++)
        count_image(e, w, i);
    return write_line(e, w, to, w->count);
}

/* `before`: files that an earlier process has done. */
static void show(const evaluation *e, size_t before)
{
    int labelled = e->files->count > 0 && e->files->files[0].label >= 0;
    size_t images = e->outcomes.images;
    progress_show(images + e->refused - before, labelled && images > 0
                  ? 100.0 * (double)e->correct / (double)images : -1);
}

/* The files of one window: load, then batch after batch. */
static int window(evaluation *e, work *w, size_t before, size_t first,
                  size_t count)
{
    const folder_file *files = e->files->files + first;
    size_t left = e->files->count - first - count;

    loader_load(e->loader, files, count,
                left < e->loader->window ? left : e->loader->window);
    w->count = 0;
    for (size_t i = 0; i < count; i++) {
        const loader_item *item = &e->loader->items[i];
        if (item->loaded) {
            w->images[w->count].data = item->crop;
            w->images[w->count].format = TOMEVIT_RGB8_HWC;
            w->files[w->count++] = &files[i];
        } else if (item->why[0] != '\0') {
            refuse(e, w, first + i, item->why);
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
    size_t files = e->files->count, first = before;
    int result = 0;

    for (; first < files && result == 0 && !signals_stop();
         first += e->loader->window) {
        size_t count = files - first;
        result = window(e, w, before, first, count < e->loader->window
                        ? count : e->loader->window);
    }
    /* Files that were refused after the last batch. */
    if (result == 0 && w->line.from < files && !signals_stop())
        result = write_line(e, w, files, 0);
    return result;
}

int evaluate(evaluation *e)
{
    double began = clock_seconds();
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
    e->decode += e->loader->decode;
    e->preprocess += e->loader->preprocess;
    work_end(&w);
    return result;
}

void evaluate_free(evaluation *e)
{
    outcomes_free(&e->outcomes);
}
