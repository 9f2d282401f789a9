/* SPDX-License-Identifier: MIT */
/* What eval and sweep report of a run. */
#include "dataset.h"

#include "../base/statistics.h"
#include "divergence.h"
#include "drift.h"

static json_t *share(size_t part, size_t whole)
{
    return whole == 0 ? json_null()
                      : report_real(100.0 * (double)part / (double)whole);
}

/* Its 95 % interval, in percent. */
static json_t *share_interval(size_t part, size_t whole)
{
    if (whole == 0)
        return json_null();
    interval i = statistics_wilson(part, whole);
    return json_pack("{s:f,s:f}", "low", 100 * i.low, "high", 100 * i.high);
}

static json_t *rate(size_t images, double seconds)
{
    return images == 0 || seconds <= 0 ? json_null()
                                       : report_real((double)images / seconds);
}

static json_t *milliseconds(double seconds)
{
    return report_real(1000 * seconds);
}

static void set_count(json_t *out, const char *key, size_t value)
{
    json_object_set_new(out, key, json_integer((json_int_t)value));
}

tally dataset_tally(const dataset *d, const session *s, const outcomes *o,
                    size_t index)
{
    return outcomes_tally(o, &d->files, &d->real, s->first + index,
                          s->first + s->reference);
}

static void set_accuracy(const dataset *d, const tally *t, json_t *out)
{
    json_object_set_new(out, "top1", share(t->correct1, t->images));
    json_object_set_new(out, "top1_interval",
                        share_interval(t->correct1, t->images));
    json_object_set_new(out, "top5", share(t->correct5, t->images));
    json_object_set_new(out, "top5_interval",
                        share_interval(t->correct5, t->images));
    if (d->real.count > 0) {
        json_object_set_new(out, "real", share(t->real_correct,
                                               t->real_images));
        json_object_set_new(out, "real_interval",
                            share_interval(t->real_correct, t->real_images));
        set_count(out, "real_images", t->real_images);
    }
    json_object_set_new(out, "ece", t->images == 0 ? json_null()
                        : report_real(100 * t->calibration));
}

/* Against the run that merges nothing, image by image; `itself`: it is that
 * one. */
static void set_comparison(const tally *t, const tally *base, int itself,
                           int has_classes, json_t *out)
{
    interval i = statistics_paired(t->gained, t->lost, t->images);

    json_object_set_new(out, "speedup", t->forward <= 0 ? json_null()
                        : report_real(base->forward / t->forward));
    if (!has_classes)
        return;
    json_object_set_new(out, "drop", t->images == 0 ? json_null()
        : report_real(100.0 * ((double)base->correct1 - (double)t->correct1) /
                    (double)t->images));
    json_object_set_new(out, "drop_interval",
                        t->images == 0 || itself ? json_null()
        : json_pack("{s:f,s:f}", "low", 100 * i.low, "high", 100 * i.high));
    json_object_set_new(out, "agreement", share(t->agree, t->images));
    set_count(out, "gained", t->gained);
    set_count(out, "lost", t->lost);
    json_object_set_new(out, "mcnemar_p",
                        report_real(statistics_mcnemar(t->gained, t->lost)));
}

/* How far answers are from those of the run that merges nothing. */
static void set_divergence(const session *s, const outcomes *o, size_t index,
                           json_t *out)
{
    divergence d = divergence_over(o, s->first + index);

    json_object_set_new(out, "kl_mean", report_real(d.mean));
    json_object_set_new(out, "kl_median", report_real(d.median));
}

/* How far embeddings are from those of the run that merges nothing. */
static void set_drift(const session *s, const outcomes *o, size_t index,
                      json_t *out)
{
    drift d = drift_of(o, s->first + index, s->first + s->reference,
                       drift_width(s->description));

    json_object_set_new(out, "drift", json_pack("{s:o,s:o,s:o}",
        "cosine", report_real(d.mean), "cosine_p1", report_real(d.p1),
        "neighbours", report_real(100 * d.kept)));
    set_count(json_object_get(out, "drift"), "neighbours_images", d.images);
}

/* The mean of whole numbers: a whole number itself if it is one. */
static json_t *mean(uint64_t sum, size_t count)
{
    return sum % count == 0 ? json_integer((json_int_t)(sum / count))
                            : report_real((double)sum / (double)count);
}

/* What the images of the run left of their tokens and cost, in place of what
 * the schedule makes expect: methods may look at what is in an image. Without
 * an image that stays, as all there is. */
static void set_work(const session *s, const outcomes *o, size_t index,
                     json_t *out)
{
    const tomevit_description *d = s->description;
    const uint64_t *sums = o->tokens + (s->first + index) * o->depth;
    const outcome_work *w = &o->work[s->first + index];
    json_t *tokens = json_array();
    uint64_t all = (uint64_t)w->images * d->tokens * d->depth, left = 0;

    if (w->images == 0) {
        json_decref(tokens);
        return;
    }
    for (size_t i = 0; i < d->depth; i++) {
        json_array_append_new(tokens, mean(sums[i], w->images));
        left += sums[i];
    }
    if (!s->pre.max_patches) /* else images come with other numbers of them */
        json_object_set_new(out, "merge_ratio",
                            report_real((double)(all - left) / (double)all));
    json_object_set_new(out, "tokens", tokens);
    json_object_set_new(out, "tokens_left",
                        mean(sums[d->depth - 1], w->images));
    double gmacs = w->least == w->most ? (double)w->most
        : (double)w->macs / (double)w->images;
    json_object_set_new(out, "gmacs", report_real(gmacs * 1e-9));
    json_object_set_new(out, "gmacs_least",
                        report_real((double)w->least * 1e-9));
    json_object_set_new(out, "gmacs_most", report_real((double)w->most * 1e-9));
    set_count(out, "tokens_least", w->tokens_least);
    set_count(out, "tokens_most", w->tokens_most);
}

/* `index` is that among all runs. Ranks work side by side: what all of them
 * spend in forward passes takes that over their number. */
static void set_times(const outcomes *o, size_t index, const tally *t,
                      json_t *out)
{
    double wall = o->wall, ranks = (double)o->ranks;
    double forward = t->forward / ranks;

    /* What this run alone would have taken. */
    for (size_t i = 0; i < o->batches * o->run_count; i++)
        wall -= i % o->run_count == index ? 0 : o->seconds[i] / ranks;
    json_object_set_new(out, "images_per_second", json_pack("{s:o,s:o}",
        "forward", rate(t->images, forward),
        "total", rate(t->images, wall)));
    json_object_set_new(out, "seconds", json_pack("{s:o,s:o,s:o,s:o}",
        "wall", report_real(wall), "decode", report_real(o->decode),
        "preprocess", report_real(o->preprocess),
        "forward", report_real(forward)));
    json_object_set_new(out, "latency", json_pack("{s:o,s:o,s:o}",
        "p50", milliseconds(outcomes_latency(o, index, 50)),
        "p90", milliseconds(outcomes_latency(o, index, 90)),
        "p99", milliseconds(outcomes_latency(o, index, 99))));
}

json_t *dataset_run_json(const dataset *d, const session *s,
                         const outcomes *o, size_t index)
{
    tally t = dataset_tally(d, s, o, index);
    tally base = dataset_tally(d, s, o, s->reference);
    json_t *out = json_object();

    set_count(out, "images", t.images);
    set_count(out, "refused", o->refused_count + d->unread);
    if (s->classes.count > 0)
        set_accuracy(d, &t, out);
    if (s->run_count > 1)
        set_comparison(&t, &base, index == s->reference,
                       s->classes.count > 0, out);
    if (s->run_count > 1 && s->classes.count > 0)
        set_divergence(s, o, index, out);
    if (s->run_count > 1)
        set_drift(s, o, index, out);
    session_run_json(s, &s->runs[index], out);
    set_work(s, o, index, out);
    session_compute_json(s, out);
    set_times(o, s->first + index, &t, out);
    json_object_set_new(out, "model", session_model_json(s));
    json_object_set_new(out, "preprocessing", session_preprocessing_json(s));
    if (d->rule)
        json_object_set_new(out, "classes_by", json_string(d->rule));
    if (s->classes.valid)
        set_count(out, "valid_classes", s->classes.valid_count);
    if (o->ranks > 1)
        set_count(out, "ranks", o->ranks);
    json_object_set_new(out, "partial", json_boolean(outcomes_are_partial(o)));
    return out;
}
