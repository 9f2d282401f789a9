/* SPDX-License-Identifier: MIT */
/* Images through models, each under any number of ways to merge. */
#include "evaluate.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../base/progress.h"
#include "../base/signals.h"
#include "batch.h"
#include "dealing.h"

#include <assert.h>
#include <stdlib.h>

/* An evaluation under way. */
typedef struct work {
    const evaluate_request *request; /* of the piece, where files are dealt */
    outcomes *all;
    batch batch;
    size_t before;         /* files that an earlier process has done */
    size_t correct;        /* of the first run, for the progress line */
    double began;          /* the clock at the end of the batch before */
    double decode, preprocess; /* the loaders', there */
} work;

/* ---- loaders ------------------------------------------------------------- */

/* The loaders, each once: NULL after the last. */
static loader *loader_at(const evaluate_request *r, size_t index)
{
    for (size_t m = 0; m < r->model_count; m++) {
        loader *l = r->models[m].loader;
        int known = 0;
        for (size_t k = 0; k < m; k++)
            known |= r->models[k].loader == l;
        if (!known && index-- == 0)
            return l;
    }
    return NULL;
}

/* Core-seconds of all loaders so far. */
static void loader_times(const evaluate_request *r, double *decode,
                         double *preprocess)
{
    const loader *l;

    *decode = *preprocess = 0;
    for (size_t i = 0; (l = loader_at(r, i)); i++) {
        *decode += l->decode;
        *preprocess += l->preprocess;
    }
}

/* What all loaders made of a file of the window: 1 if every model has its crop,
 * with what is to be remarked about it or ""; 0 with the reason, "" if it was
 * not tried. */
static int is_loaded(const evaluate_request *r, size_t place, const char **why)
{
    for (size_t i = 0; loader_at(r, i); i++) {
        const loader_item *item = &loader_at(r, i)->items[place];
        *why = item->why;
        if (!item->loaded)
            return 0;
    }
    return 1;
}

/* The most files that all loaders take. */
static size_t window_size(const evaluate_request *r)
{
    size_t least = r->models[0].loader->window;

    for (size_t i = 1; i < r->model_count; i++)
        if (r->models[i].loader->window < least)
            least = r->models[i].loader->window;
    return least;
}

/* ---- what is found ------------------------------------------------------- */

static void begin(work *w, const evaluate_request *r, outcomes *o)
{
    w->request = r;
    w->all = o;
    w->correct = 0;
    outcomes_begin(o, r->run_count, r->depth, r->width);
    outcomes_clear(o, r->from);
    o->end = r->to;
    batch_begin(&w->batch, r);
    w->began = clock_seconds();
    loader_times(r, &w->decode, &w->preprocess);
}

/* Sets the times since this was last done. */
static void set_times(work *w, outcomes *o)
{
    double now = clock_seconds(), decode, preprocess;

    loader_times(w->request, &decode, &preprocess);
    o->wall = now - w->began;
    o->decode = decode - w->decode;
    o->preprocess = preprocess - w->preprocess;
    w->began = now;
    w->decode = decode;
    w->preprocess = preprocess;
}

static void append(work *w, const outcomes *next)
{
    const folder_file *files = w->request->files->files;

    for (size_t i = 0; i < next->images; i++)
        w->correct += files[next->file[i]].label >= 0 &&
            outcomes_at(next, i, 0)->index[0] == files[next->file[i]].label;
    int result = outcomes_append(w->all, next);
    assert(result == 0);
    (void)result;
}

static int settle(const evaluate_request *r)
{
    return r->sink && r->sink->settle ? r->sink->settle(r->sink->data) : 0;
}

/* The files up to `to` are done: a line of the journal, and known. */
static int finish_batch(work *w, size_t to)
{
    journal *j = w->request->journal;
    outcomes *found = &w->batch.found;
    const evaluate_sink *sink = w->request->sink;
    int result = 0;

    found->to = to;
    set_times(w, found);
    if (sink && sink->flush && sink->flush(sink->data) != 0)
        return -1;
    /* A loss of power must not leave a line about what is not there. */
    int sync = j && journal_is_due(j);
    if (sync && settle(w->request) != 0)
        return -1;
    result = j ? journal_add(j, found, sync) : 0;
    if (result == 0 && w->request->dealt) {
        dealing_found(w->request->dealt, found);
        w->all->to = to;
    } else if (result == 0) {
        append(w, found);
    }
    outcomes_clear(found, to);
    return result;
}

/* ---- the journal --------------------------------------------------------- */

void evaluate_retell(const evaluate_request *r, const outcomes *o)
{
    const folder_file *files = r->files->files;
    top_class *top = memory_zero(r->topk, sizeof(*top));

    for (size_t k = OUTCOME_TOP; k < r->topk; k++)
        top[k].index = -1;
    for (size_t i = 0; i < o->refused_count; i++)
        message_refused("%s: %s", files[o->refused[i].file].path,
                        o->refused[i].why);
    for (size_t i = 0; i < o->images && r->seen; i++)
        for (size_t run = 0; run < r->run_count; run++) {
            outcome_top(outcomes_at(o, i, run), top);
            r->seen(r->data, run, &files[o->file[i]], top);
        }
    free(top);
}

/* All lines of the journal. */
static int replay(work *w)
{
    const evaluate_request *r = w->request;
    outcomes line;
    int found = 0;

    while (r->journal &&
           (found = journal_next(r->journal, &line)) > 0) {
        evaluate_retell(r, &line);
        append(w, &line);
        outcomes_free(&line);
    }
    w->before = w->all->to;
    if (found == 0 && w->before > r->from && r->journal &&
        r->journal->sections == 0)
        message_note("%s: %zu of %zu images are done", r->journal->path,
                     w->before - r->from, r->to - r->from);
    outcomes_clear(&w->batch.found, w->before);
    if (found == 0 && r->sink && r->sink->begin)
        found = r->sink->begin(r->sink->data, w->all->images);
    return found;
}

/* ---- files --------------------------------------------------------------- */

static void show(const work *w)
{
    const evaluate_request *r = w->request;
    int labelled = r->to > r->from && r->files->files[r->from].label >= 0;
    size_t images = w->all->images, known;

    if (r->dealt) {
        size_t done = dealing_done(r->dealt, &known);
        progress_show(done - known, -1);
        return;
    }
    progress_show(w->all->to - w->before, labelled && images > 0
                  ? 100.0 * (double)w->correct / (double)images : -1);
}

/* A file that is used all the same; said once, however often it is loaded. */
static void remark(folder_file *file, const char *why)
{
    if (why[0] != '\0' && !file->remarked)
        message_note("%s: %s", file->path, why);
    file->remarked |= why[0] != '\0';
}

/* The files of one window: load, then batch after batch. */
static int window(work *w, size_t first, size_t count)
{
    const evaluate_request *r = w->request;
    size_t left = r->to - first - count, ahead = window_size(r);
    batch *b = &w->batch;
    const char *why = "";

    for (size_t i = 0; loader_at(r, i); i++)
        loader_load(loader_at(r, i), r->files->files, first, count,
                    i > 0 ? 0 : left < ahead ? left : ahead);
    b->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_loaded(r, i, &why)) {
            remark(&r->files->files[first + i], why);
            batch_add(b, first + i, i);
        } else if (why[0] != '\0') {
            batch_refuse(b, first + i, why);
        }
        if (b->count < r->batch && (i + 1 < count || b->count == 0))
            continue;
        int result = batch_run(b);
        if (result > 0)
            result = finish_batch(w, first + i + 1);
        else if (result == 0)           /* a signal: no more is found */
            return 0;
        if (result != 0)
            return -1;
        show(w);
    }
    return 0;
}

/* The files that no journal knows. */
static int windows(work *w)
{
    const evaluate_request *r = w->request;
    size_t size = window_size(r);
    int result = 0;

    for (size_t first = w->before; first < r->to && result == 0 &&
         !signals_stop(); first += size)
        result = window(w, first, r->to - first < size ? r->to - first : size);
    /* Files that were refused after the last batch. */
    if (result == 0 && w->all->to < r->to && !signals_stop())
        result = finish_batch(w, r->to);
    return result;
}

/* The files that come to this process, piece by piece. */
static int dealt_pieces(work *w, evaluate_request *r)
{
    piece next;
    int result = 0;

    while (result == 0 && dealing_next(r->dealt, &next)) {
        r->from = next.from;
        r->to = next.to;
        w->before = next.from;
        outcomes_clear(&w->batch.found, next.from);
        outcomes_clear(w->all, next.from);
        result = windows(w);
        if (result == 0)
            result = settle(r);
    }
    return result;
}

static int evaluate_dealt(const evaluate_request *r, outcomes *o)
{
    evaluate_request now = *r;
    size_t known;
    work w;

    now.seen = NULL;
    begin(&w, &now, o);
    dealing_done(r->dealt, &known);
    progress_start(r->to - r->from - known, r->quiet);
    int result = dealt_pieces(&w, &now);
    progress_end();
    batch_end(&w.batch);
    return result;
}

int evaluate(const evaluate_request *r, outcomes *o)
{
    outcomes rest;
    work w;

    if (r->dealt)
        return evaluate_dealt(r, o);

    begin(&w, r, o);
    int result = replay(&w);
    progress_start(r->to - w.before, r->quiet);
    if (result == 0)
        result = windows(&w);
    if (result == 0)
        result = settle(r);
    progress_end();
    /* After the last batch. */
    set_times(&w, &rest);
    o->wall += rest.wall;
    o->decode += rest.decode;
    o->preprocess += rest.preprocess;
    batch_end(&w.batch);
    return result;
}
