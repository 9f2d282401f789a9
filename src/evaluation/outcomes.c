/* SPDX-License-Identifier: MIT */
/* What the model said about every image under every run, and the counts that
 * follow from it. */
#include "outcomes.h"

#include "../base/memory.h"
#include "../base/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void outcomes_begin(outcomes *o, size_t run_count, size_t depth, size_t width)
{
    memset(o, 0, sizeof(*o));
    o->run_count = run_count;
    o->depth = depth;
    o->width = width;
    o->ranks = 1;
    o->work = memory_zero(run_count, sizeof(*o->work));
    o->tokens = memory_zero(run_count * depth, sizeof(*o->tokens));
}

void outcomes_clear(outcomes *o, size_t from)
{
    for (size_t i = 0; i < o->refused_count; i++)
        free(o->refused[i].why);
    o->images = o->refused_count = o->batches = o->kept_count = 0;
    o->from = o->to = o->end = from;
    o->wall = o->decode = o->preprocess = 0;
    if (o->run_count > 0) {
        memset(o->work, 0, o->run_count * sizeof(*o->work));
        memset(o->tokens, 0, o->run_count * o->depth * sizeof(*o->tokens));
    }
}

void outcomes_free(outcomes *o)
{
    outcomes_clear(o, 0);
    free(o->file);
    free(o->items);
    free(o->refused);
    free(o->seconds);
    free(o->work);
    free(o->tokens);
    free(o->kept);
    memset(o, 0, sizeof(*o));
}

outcome *outcomes_add_image(outcomes *o, size_t file)
{
    o->file = memory_grow(o->file, o->images, &o->file_capacity,
                          sizeof(*o->file));
    o->items = memory_grow(o->items, o->images, &o->image_capacity,
                           o->run_count * sizeof(*o->items));
    o->file[o->images] = file;
    return o->items + o->run_count * o->images++;
}

double *outcomes_add_batch(outcomes *o)
{
    o->seconds = memory_grow(o->seconds, o->batches, &o->batch_capacity,
                             o->run_count * sizeof(*o->seconds));
    return o->seconds + o->run_count * o->batches++;
}

float *outcomes_keep(outcomes *o)
{
    size_t each = o->run_count * o->width;

    o->kept = memory_grow(o->kept, o->kept_count, &o->kept_capacity,
                          each * sizeof(*o->kept));
    return o->kept + each * o->kept_count++;
}

static void add_work(outcome_work *all, const outcome_work *next)
{
    int first = all->images == 0;

    if (next->images == 0)
        return;
    all->images += next->images;
    all->macs += next->macs;
    if (first || next->least < all->least)
        all->least = next->least;
    if (next->most > all->most)
        all->most = next->most;
    if (first || next->tokens_least < all->tokens_least)
        all->tokens_least = next->tokens_least;
    if (next->tokens_most > all->tokens_most)
        all->tokens_most = next->tokens_most;
}

void outcomes_add_work(outcomes *o, size_t run, size_t depth,
                       const size_t *rows, double macs)
{
    uint64_t whole = (uint64_t)macs;
    outcome_work one = {1, whole, whole, whole, rows[depth - 1],
                        rows[depth - 1]};

    add_work(&o->work[run], &one);
    for (size_t i = 0; i < depth; i++)
        o->tokens[run * o->depth + i] += rows[i];
}

void outcomes_refuse(outcomes *o, size_t file, const char *why)
{
    size_t place = o->refused_count;

    o->refused = memory_grow(o->refused, place, &o->refused_capacity,
                             sizeof(*o->refused));
    o->refused_count++;
    for (; place > 0 && o->refused[place - 1].file > file; place--)
        o->refused[place] = o->refused[place - 1];
    o->refused[place].file = file;
    o->refused[place].why = memory_text(why);
}

int outcomes_append(outcomes *o, const outcomes *next)
{
    size_t runs = o->run_count;

    if (next->from != o->to || next->run_count != runs ||
        next->depth != o->depth || next->width != o->width)
        return -1;
    for (size_t i = 0; i < next->images; i++)
        memcpy(outcomes_add_image(o, next->file[i]), next->items + i * runs,
               runs * sizeof(*next->items));
    for (size_t i = 0; i < next->refused_count; i++)
        outcomes_refuse(o, next->refused[i].file, next->refused[i].why);
    for (size_t i = 0; i < next->batches; i++)
        memcpy(outcomes_add_batch(o), next->seconds + i * runs,
               runs * sizeof(*next->seconds));
    for (size_t i = 0; i < next->kept_count; i++)
        memcpy(outcomes_keep(o), next->kept + i * runs * o->width,
               runs * o->width * sizeof(*o->kept));
    for (size_t i = 0; i < runs; i++)
        add_work(&o->work[i], &next->work[i]);
    for (size_t i = 0; i < runs * o->depth; i++)
        o->tokens[i] += next->tokens[i];
    o->to = next->to;
    o->end = next->end > o->end ? next->end : o->end;
    o->wall += next->wall;
    o->decode += next->decode;
    o->preprocess += next->preprocess;
    return 0;
}

int outcomes_are_partial(const outcomes *o)
{
    return o->to < o->end;
}

const outcome *outcomes_at(const outcomes *o, size_t image, size_t run)
{
    return o->items + o->run_count * image + run;
}

void outcome_set(outcome *o, const top_class *top)
{
    for (size_t k = 0; k < OUTCOME_TOP; k++) {
        o->index[k] = top[k].index;
        o->probability[k] = (float)top[k].probability;
    }
}

void outcome_top(const outcome *o, top_class top[OUTCOME_TOP])
{
    for (size_t k = 0; k < OUTCOME_TOP; k++) {
        top[k].index = o->index[k];
        top[k].probability = (double)o->probability[k];
    }
}

double outcome_score(const outcome *o, int32_t label)
{
    size_t place = 0;

    while (place + 1 < OUTCOME_TOP && o->index[place] != label &&
           o->index[place + 1] >= 0)
        place++;
    size_t rival = place > 0 || o->index[0] != label ? 0 : 1;
    double own = (double)o->probability[place];
    double other = o->index[rival] < 0 ? 0 : (double)o->probability[rival];
    double score = own / (own + other);
    return score >= 0 ? score : 0; /* neither NaN */
}

static double probability_of(const outcome *o, int32_t class)
{
    for (size_t k = 0; k < OUTCOME_TOP; k++)
        if (o->index[k] == class)
            return (double)o->probability[k];
    return 0;
}

double outcome_distance(const outcome *a, const outcome *b)
{
    double sum = 0;

    for (size_t k = 0; k < OUTCOME_TOP; k++) {
        int32_t class = a->index[k], other = b->index[k];
        if (class >= 0)
            sum += fabs((double)a->probability[k] - probability_of(b, class));
        /* Those of a have been compared already. */
        if (other >= 0 && probability_of(a, other) == 0)
            sum += (double)b->probability[k];
    }
    return sum >= 0 ? sum / 2 : 1; /* NaN is as far as can be */
}

static int is_correct(const outcome *o, int32_t label, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (label >= 0 && o->index[i] == label)
            return 1;
    return 0;
}

static void count_image(tally *t, calibration *c, const outcome *o,
                        const outcome *base, int32_t label)
{
    int correct = is_correct(o, label, 1), was = is_correct(base, label, 1);

    t->correct1 += (size_t)correct;
    t->correct5 += (size_t)is_correct(o, label, OUTCOME_TOP);
    t->agree += o->index[0] == base->index[0];
    t->gained += correct && !was;
    t->lost += was && !correct;
    calibration_add(c, (double)o->probability[0], correct);
}

tally outcomes_tally(const outcomes *o, const folder *files,
                     const real_labels *real, size_t run, size_t reference)
{
    calibration c;
    tally t;

    memset(&c, 0, sizeof(c));
    memset(&t, 0, sizeof(t));
    t.images = o->images;
    for (size_t i = 0; i < o->images; i++) {
        const outcome *one = outcomes_at(o, i, run);
        const folder_file *file = &files->files[o->file[i]];
        count_image(&t, &c, one, outcomes_at(o, i, reference), file->label);
        int found = real_labels_has(real, file->name, one->index[0]);
        t.real_images += found >= 0;
        t.real_correct += found > 0;
    }
    for (size_t i = 0; i < o->batches; i++)
        t.forward += o->seconds[o->run_count * i + run];
    t.calibration = calibration_error(&c);
    return t;
}

double outcomes_latency(const outcomes *o, size_t run, double percent)
{
    if (o->batches == 0)
        return (double)NAN;
    double *seconds = memory_zero(o->batches, sizeof(*seconds));
    for (size_t i = 0; i < o->batches; i++)
        seconds[i] = o->seconds[o->run_count * i + run];
    double result = statistics_percentile(seconds, o->batches, percent);
    free(seconds);
    return result;
}
