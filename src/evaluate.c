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
}

static void work_end(work *w)
{
    free(w->images);
    free(w->files);
    free(w->logits);
    free(w->valid);
    free(w->top);
    free(w->seconds);
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

/* One batch under all runs; not counted if a signal keeps one from it. */
static int all_runs(evaluation *e, work *w)
{
    /* Before the first batch, one that warms caches up: without it the first
     * of several runs would pay for all. */
    if (e->outcomes.batches == 0 && e->run_count > 1 && run_batch(e, w, 0) != 0)
        return -1;
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
    return 0;
}

static void show(const evaluation *e)
{
    int labelled = e->files->count > 0 && e->files->files[0].label >= 0;
    size_t images = e->outcomes.images;
    progress_show(images + e->refused, labelled && images > 0
                  ? 100.0 * (double)e->correct / (double)images : -1);
}

/* The files of one window: load, then batch after batch. */
static int window(evaluation *e, work *w, size_t first, size_t count)
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
            e->refused++;
            message_refused("%s: %s", files[i].path, item->why);
        }
        if (w->count < e->batch && (i + 1 < count || w->count == 0))
            continue;
        if (all_runs(e, w) != 0)
            return -1;
        w->count = 0;
        show(e);
    }
    return 0;
}

int evaluate(evaluation *e)
{
    double began = clock_seconds();
    int result = 0;
    work w;

    e->refused = e->correct = 0;
    e->partial = 0;
    outcomes_begin(&e->outcomes, e->run_count);
    work_begin(&w, e);
    progress_start(e->files->count, e->quiet);
    for (size_t first = 0; first < e->files->count && result == 0 &&
         !signals_stop(); first += e->loader->window) {
        size_t count = e->files->count - first;
        result = window(e, &w, first, count < e->loader->window
                        ? count : e->loader->window);
    }
    progress_end();
    /* Stopped just after the last batch is not partial. */
    e->partial = e->outcomes.images + e->refused < e->files->count;
    e->wall = clock_seconds() - began;
    e->decode = e->loader->decode;
    e->preprocess = e->loader->preprocess;
    work_end(&w);
    return result;
}

void evaluate_free(evaluation *e)
{
    outcomes_free(&e->outcomes);
}
