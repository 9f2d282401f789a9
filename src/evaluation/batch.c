/* SPDX-License-Identifier: MIT */
/* One batch of images under all runs of all models. */
#include "batch.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../base/signals.h"
#include "divergence.h"
#include "drift.h"
#include "nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void batch_begin(batch *b, const evaluate_request *r)
{
    const classes *c = r->classes;

    memset(b, 0, sizeof(*b));
    b->request = r;
    outcomes_begin(&b->found, r->run_count, r->depth, r->width);
    b->places = memory_zero(r->batch, sizeof(*b->places));
    b->files = memory_zero(r->batch, sizeof(*b->files));
    b->images = memory_zero(r->batch, sizeof(*b->images));
    b->logits = memory_zero(r->batch * c->count, sizeof(*b->logits));
    b->valid = memory_zero(c->valid_count, sizeof(*b->valid));
    b->base = memory_zero(r->compares ? r->batch * c->count : 0,
                          sizeof(*b->base));
    b->divergences = memory_zero(r->compares ? r->run_count * r->batch : 0,
                                 sizeof(*b->divergences));
    b->top = memory_zero(r->run_count * r->batch * r->topk, sizeof(*b->top));
    b->seconds = memory_zero(r->run_count, sizeof(*b->seconds));
    b->rows = memory_zero(r->run_count * r->batch * r->depth,
                          sizeof(*b->rows));
    for (size_t k = 0; k < r->model_count; k++)
        if (drift_width(r->models[k].description) > b->width)
            b->width = drift_width(r->models[k].description);
    b->embeddings = memory_zero(
        r->compares ? r->run_count * r->batch * b->width : 0,
        sizeof(*b->embeddings));
    b->strange = memory_zero(r->batch, sizeof(*b->strange));
}

void batch_end(batch *b)
{
    outcomes_free(&b->found);
    free(b->places);
    free(b->files);
    free(b->images);
    free(b->logits);
    free(b->valid);
    free(b->base);
    free(b->divergences);
    free(b->top);
    free(b->seconds);
    free(b->rows);
    free(b->embeddings);
    free(b->strange);
}

void batch_add(batch *b, size_t file, size_t place)
{
    b->files[b->count] = file;
    b->places[b->count++] = place;
}

void batch_refuse(batch *b, size_t file, const char *why)
{
    message_refused("%s: %s", b->request->files->files[file].path, why);
    outcomes_refuse(&b->found, file, why);
}

/* ---- one run ------------------------------------------------------------- */

static top_class *top_of(const batch *b, size_t run, size_t i)
{
    return b->top + (run * b->request->batch + i) * b->request->topk;
}

/* The first classes of image i, of the valid ones if not all are. 0, or -1 if a
 * logit is not finite: then no class is an answer, whatever the others say. */
static int select_top(const batch *b, size_t i, top_class *top)
{
    const classes *c = b->request->classes;
    float *logits = b->logits + i * c->count;
    size_t topk = b->request->topk, count = c->count;

    for (size_t k = 0; k < c->count; k++)
        if (!isfinite(logits[k]))
            return -1;
    if (c->valid) {
        count = c->valid_count;
        for (size_t k = 0; k < count; k++)
            b->valid[k] = logits[c->valid[k]];
        memcpy(logits, b->valid, count * sizeof(*logits));
    }
    top_select(logits, count, topk, top);
    for (size_t k = 0; c->valid && k < topk && top[k].index >= 0; k++)
        top[k].index = c->valid[top[k].index];
    return 0;
}

/* How far the batch's answers are from the reference's, of which only the
 * logits that answers are made of are left: see select_top. */
static void compare(batch *b, size_t run, int is_reference)
{
    const classes *c = b->request->classes;
    size_t answers = c->valid ? c->valid_count : c->count;
    float *divergences = b->divergences + run * b->request->batch;

    if (is_reference)
        memcpy(b->base, b->logits, b->count * c->count * sizeof(*b->base));
    for (size_t i = 0; i < b->count; i++)
        divergences[i] = b->strange[i] || is_reference ? 0
            : (float)divergence_of(b->base + i * c->count,
                                   b->logits + i * c->count, answers);
}

/* Of the first image of the batch, [batch, depth of the run's model]. */
static size_t *rows_of(const batch *b, size_t run)
{
    return b->rows + run * b->request->batch * b->request->depth;
}

/* Of image i under a run. */
static float *embedding_of(const batch *b, size_t run, size_t i, size_t width)
{
    return b->embeddings + run * b->request->batch * b->width + i * width;
}

static int are_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* Run `index` of all: classes, seconds and the rows that left the layers. */
static int one_run(batch *b, const evaluate_model *m, const merging_run *run,
                   size_t index)
{
    const evaluate_sink *sink = b->request->sink;
    tomevit_output out = sink ? sink->out : (tomevit_output){0};
    size_t width = drift_width(m->description);

    out.logits = b->request->classes->count > 0 ? b->logits : NULL;
    out.layer_rows = rows_of(b, index);
    if (b->request->compares)
        drift_ask(m->description, embedding_of(b, index, 0, width), &out);
    double began = clock_seconds();
    int error = tomevit_forward(m->context, &run->merging, b->count,
                                b->images, &out);

    b->seconds[index] = clock_seconds() - began;
    if (error != 0) {
        message_failed("the forward pass failed: %s", tomevit_strerror(error));
        return -1;
    }
    for (size_t i = 0; i < b->count; i++)
        if (!b->strange[i] &&
            (select_top(b, i, top_of(b, index, i)) != 0 ||
             (b->request->compares &&
              !are_finite(embedding_of(b, index, i, width), width))))
            b->strange[i] = run;
    if (b->request->compares)
        compare(b, index, run == &m->runs[m->reference]);
    return 0;
}

/* All runs of a model, the first being run `first` of all. Before its first
 * batch comes one that warms caches up, if there are several runs: the first
 * would pay for all. The reference goes first: the others are compared with
 * it. */
static int one_model(batch *b, const evaluate_model *m, size_t first)
{
    for (size_t i = 0; i < b->count; i++) {
        const loader_item *item = &m->loader->items[b->places[i]];

        b->images[i].data = item->crop;
        b->images[i].format = TOMEVIT_RGB8_HWC;
        b->images[i].height = item->height;
        b->images[i].width = item->width;
    }
    if (!b->warm && b->request->run_count > 1 &&
        one_run(b, m, &m->runs[m->reference], first + m->reference) != 0)
        return -1;
    for (size_t i = 0; i < m->run_count; i++) {
        size_t run = i == 0 ? m->reference : i - (i <= m->reference);

        if (signals_stop())
            return 0;
        if (one_run(b, m, &m->runs[run], first + run) != 0)
            return -1;
    }
    return 1;
}

/* ---- what is found ------------------------------------------------------- */

/* The model as image i sees it, which may have fewer patches than others. */
static tomevit_description seen_by(const batch *b, const evaluate_model *m,
                                   size_t i)
{
    const loader_item *item = &m->loader->items[b->places[i]];
    tomevit_description d = *m->description;

    if (d.preprocessing.max_patches)
        d.tokens = d.prefix + item->height / d.patch * (item->width / d.patch);
    return d;
}

/* What image i cost in every run, from the rows that were there. */
static void add_work(batch *b, size_t i, outcome *said)
{
    const evaluate_request *r = b->request;
    size_t run = 0;

    for (size_t k = 0; k < r->model_count; k++) {
        tomevit_description d = seen_by(b, &r->models[k], i);
        for (size_t n = 0; n < r->models[k].run_count; n++, run++) {
            const size_t *rows = rows_of(b, run) + i * d.depth;
            outcomes_add_work(&b->found, run, d.depth, rows,
                              tomevit_macs_merged(
                                  &d, &r->models[k].runs[n].merging, rows));
            said[run].tokens = (uint32_t)rows[d.depth - 1];
        }
    }
}

/* How near image i is to what the references make of it; `said` is of all
 * runs. */
static void add_drift(batch *b, size_t i, outcome *said)
{
    const evaluate_request *r = b->request;
    int keeps = r->width > 0 && drift_keeps(b->files[i], r->files->count);
    float *kept = keeps ? outcomes_keep(&b->found) : NULL;
    size_t first = 0;

    for (size_t k = 0; k < r->model_count; k++) {
        const evaluate_model *m = &r->models[k];
        size_t width = drift_width(m->description);
        const float *base = embedding_of(b, first + m->reference, i, width);
        for (size_t run = first; run < first + m->run_count; run++) {
            const float *own = embedding_of(b, run, i, width);
            said[run].cosine = (float)nearest_cosine(own, base, width);
            if (!keeps)
                continue;
            memset(kept + run * r->width, 0, r->width * sizeof(*kept));
            memcpy(kept + run * r->width, own, width * sizeof(*kept));
        }
        first += m->run_count;
    }
}

static void accept(batch *b, size_t i)
{
    const evaluate_request *r = b->request;
    const folder_file *file = &r->files->files[b->files[i]];
    outcome *said = outcomes_add_image(&b->found, b->files[i]);

    memset(said, 0, r->run_count * sizeof(*said));
    add_work(b, i, said);
    if (r->compares)
        add_drift(b, i, said);
    for (size_t run = 0; run < r->run_count; run++) {
        outcome_set(&said[run], top_of(b, run, i));
        if (r->compares)
            said[run].divergence = b->divergences[run * r->batch + i];
        if (r->seen)
            r->seen(r->data, run, file, top_of(b, run, i));
    }
}

/* An image of which some run makes no number. */
static void refuse_strange(batch *b, size_t i)
{
    char why[128];

    if (b->request->run_count > 1)
        snprintf(why, sizeof(why), "the model's answer is not finite "
                 "(schedule %s)", b->strange[i]->label);
    else
        snprintf(why, sizeof(why), "the model's answer is not finite");
    batch_refuse(b, b->files[i], why);
}

/* What the sink makes of image i: 0 if all is well, 1 if it was refused, -1
 * after a message. */
static int take(batch *b, size_t i)
{
    const evaluate_request *r = b->request;
    char why[EVALUATE_WHY] = "";
    int result = !r->sink ? 0
        : r->sink->take(r->sink->data, i, &r->files->files[b->files[i]], why);

    if (result > 0)
        batch_refuse(b, b->files[i], why);
    return result;
}

int batch_run(batch *b)
{
    const evaluate_request *r = b->request;
    size_t first = 0;

    memset(b->strange, 0, b->count * sizeof(*b->strange));
    for (size_t k = 0; k < r->model_count; k++) {
        int result = one_model(b, &r->models[k], first);
        if (result <= 0)
            return result;
        first += r->models[k].run_count;
    }
    b->warm = 1;
    for (size_t i = 0; i < b->count; i++) {
        int taken = b->strange[i] ? 0 : take(b, i);
        if (taken < 0)
            return -1;
        if (b->strange[i])
            refuse_strange(b, i);
        else if (taken == 0)
            accept(b, i);
    }
    if (b->found.images > 0)
        memcpy(outcomes_add_batch(&b->found), b->seconds,
               r->run_count * sizeof(*b->seconds));
    b->count = 0;
    return 1;
}
