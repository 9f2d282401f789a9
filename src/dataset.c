/* SPDX-License-Identifier: MIT */
/* The labelled images that eval and sweep run on. */
#include "dataset.h"

#include "message.h"

#include <string.h>

static void refuse(void *data, const char *line)
{
    ((dataset *)data)->unread++;
    message_refused("%s", line);
}

static void note_skipped(const dataset *d, const char *path)
{
    if (d->files.skipped > 0)
        message_note("%s: %zu file%s that %s no image left out", path,
                     d->files.skipped, d->files.skipped == 1 ? "" : "s",
                     d->files.skipped == 1 ? "is" : "are");
}

static int open_flat(dataset *d, const session *s, const pairs *map, char *why)
{
    const options *o = s->options;
    size_t left_out = 0;
    pairs labels;

    if (folder_walk_flat(o->operands[0], &d->files, refuse, d, why) != 0)
        return -1;
    note_skipped(d, o->operands[0]);
    if (pairs_read(o->labels, &labels, why) != 0)
        return -1;
    d->rule = "label file";
    int result = classes_label_files(&s->classes, &d->files, &labels, map,
                                     &left_out, why);
    if (result == 0 && left_out > 0)
        message_note("%s: %zu image%s of the folder %s not in it and left "
                     "out", o->labels, left_out, left_out == 1 ? "" : "s",
                     left_out == 1 ? "is" : "are");
    if (result == 0 && labels.count > d->files.count) {
        d->unread += labels.count - d->files.count;
        message_refused("%s: %zu of its %zu images are not in %s", o->labels,
                        labels.count - d->files.count, labels.count,
                        o->operands[0]);
    }
    pairs_free(&labels);
    return result;
}

static int open_classes(dataset *d, const session *s, const pairs *map,
                        char *why)
{
    const options *o = s->options;
    char reason[CLASSES_WHY];

    if (folder_walk_classes(o->operands[0], &d->files, refuse, d, why) != 0)
        return -1;
    note_skipped(d, o->operands[0]);
    if (classes_label_groups(&s->classes, &d->files, map, &d->rule,
                             reason) == 0)
        return 0;
    snprintf(why, FOLDER_WHY, "%.150s: %.350s", o->operands[0], reason);
    return -1;
}

int dataset_open(dataset *d, const session *s)
{
    const options *o = s->options;
    char why[FOLDER_WHY];
    pairs map;
    int result;

    memset(d, 0, sizeof(*d));
    memset(&map, 0, sizeof(map));
    if (o->class_map != NULL && pairs_read(o->class_map, &map, why) != 0) {
        message_failed("%s", why);
        return -1;
    }
    const pairs *given = o->class_map != NULL ? &map : NULL;
    result = o->labels != NULL ? open_flat(d, s, given, why)
                               : open_classes(d, s, given, why);
    pairs_free(&map);
    if (result == 0) {
        folder_limit(&d->files, o->limit);
        return 0;
    }
    message_failed("%s", why);
    folder_free(&d->files);
    return -1;
}

void dataset_close(dataset *d)
{
    folder_free(&d->files);
}

int dataset_evaluate(dataset *d, session *s, evaluation *e,
                     evaluate_seen *seen, void *data)
{
    const options *o = s->options;
    image_options decoding;
    loader load;

    memset(e, 0, sizeof(*e));
    if (session_context(s) != 0)
        return -1;
    image_options_init(&decoding);
    decoding.exif = o->exif;
    decoding.lenient = o->lenient;
    loader_begin(&load, &s->pre, &decoding, d->files.count, o->batch,
                 o->cache_mem, s->threads);
    e->model = s->description;
    e->context = s->context;
    e->files = &d->files;
    e->loader = &load;
    e->runs = s->runs;
    e->run_count = s->run_count;
    e->reference = s->reference;
    e->batch = o->batch;
    e->topk = o->topk > PREDICTIONS_TOP ? o->topk : PREDICTIONS_TOP;
    e->quiet = o->quiet;
    e->seen = seen;
    e->data = data;
    int result = evaluate(e);
    e->loader = NULL;
    loader_end(&load);
    return result;
}

void dataset_remark(const dataset *d, const evaluation *e)
{
    if (e->partial)
        message_refused("stopped: the result is partial, %zu of %zu images",
                        e->images, d->files.count);
    else if (e->images == 0)
        message_failed("none of the %zu images could be used",
                       d->files.count);
}

/* ---- reports ------------------------------------------------------------------ */

static json_t *share(size_t part, size_t whole)
{
    return whole == 0 ? json_null()
                      : json_real(100.0 * (double)part / (double)whole);
}

static json_t *rate(size_t images, double seconds)
{
    return images == 0 || seconds <= 0 ? json_null()
                                       : json_real((double)images / seconds);
}

static void set_times(const evaluation *e, size_t index, json_t *out)
{
    double forward = e->tallies[index].forward, wall = e->wall;

    /* What this run alone would have taken. */
    for (size_t i = 0; i < e->run_count; i++)
        wall -= i == index ? 0 : e->tallies[i].forward;
    json_object_set_new(out, "images_per_second", json_pack("{s:o,s:o}",
        "forward", rate(e->images, forward),
        "total", rate(e->images, wall)));
    json_object_set_new(out, "seconds", json_pack("{s:f,s:f,s:f,s:f}",
        "wall", wall, "decode", e->decode, "preprocess", e->preprocess,
        "forward", forward));
}

json_t *dataset_run_json(const dataset *d, const session *s,
                         const evaluation *e, size_t index)
{
    const evaluate_tally *t = &e->tallies[index], *base =
        &e->tallies[e->reference];
    json_t *out = json_object();

    json_object_set_new(out, "images", json_integer((json_int_t)e->images));
    json_object_set_new(out, "refused",
                        json_integer((json_int_t)(e->refused + d->unread)));
    json_object_set_new(out, "top1", share(t->correct1, e->images));
    json_object_set_new(out, "top5", share(t->correct5, e->images));
    if (e->run_count > 1) {
        json_object_set_new(out, "drop", e->images == 0 ? json_null()
            : json_real(100.0 * ((double)base->correct1 -
                                 (double)t->correct1) / (double)e->images));
        json_object_set_new(out, "agreement", share(t->agree, e->images));
        json_object_set_new(out, "speedup", t->forward <= 0 ? json_null()
            : json_real(base->forward / t->forward));
    }
    session_run_json(s, &s->runs[index], out);
    session_compute_json(s, out);
    set_times(e, index, out);
    json_object_set_new(out, "model", session_model_json(s));
    json_object_set_new(out, "preprocessing", session_preprocessing_json(s));
    json_object_set_new(out, "classes_by", json_string(d->rule));
    json_object_set_new(out, "partial", json_boolean(e->partial));
    return out;
}
