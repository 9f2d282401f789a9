/* SPDX-License-Identifier: MIT */
/* The labelled images that eval and sweep run on. */
#include "dataset.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../base/ranks.h"
#include "../folders/collect.h"
#include "../folders/listed.h"
#include "../folders/valid_labels.h"
#include "../folders/walk.h"
#include "../session/options_files.h"
#include "drift.h"
#include "join.h"
#include "journal_settings.h"
#include "ranked.h"

#include <stdlib.h>
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
    if (d->files.strays > 0)
        message_note("%s: %zu image%s beside the class folders left out, of "
                     "no class", path, d->files.strays,
                     d->files.strays == 1 ? "" : "s");
}

/* The images of a folder, of archives or of a list. */
static int list_images(dataset *d, const options *o, int grouped, char *why)
{
    if (o->list)
        return listed_read(o->list, grouped, &d->files, why);
    return grouped
        ? walk_classes(o->operands[0], &d->files, refuse, d, why)
        : walk_flat(o->operands[0], &d->files, refuse, d, why);
}

static int open_flat(dataset *d, const session *s, const pairs *map, char *why)
{
    const options *o = s->options;
    size_t left_out = 0;
    pairs labels;

    if (list_images(d, o, 0, why) != 0)
        return -1;
    note_skipped(d, options_source(o));
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
                        options_source(o));
    }
    pairs_free(&labels);
    return result;
}

/* By the labels beside the images, if any has one, or by class folders. */
static int label_classes(dataset *d, const session *s, const pairs *map,
                         char *why)
{
    const char *path = options_source(s->options);
    size_t given = 0, left_out = 0;

    for (size_t i = 0; i < d->files.count; i++)
        given += d->files.files[i].given != NULL;
    if (given == 0)
        return classes_label_groups(&s->classes, &d->files, map, &d->rule,
                                    why);
    d->rule = "labels in the archive";
    if (classes_label_given(&s->classes, &d->files, map, &left_out, why) != 0)
        return -1;
    d->unread += left_out;
    if (left_out > 0)
        message_refused("%s: %zu images have no label beside them", path,
                        left_out);
    return 0;
}

static int open_classes(dataset *d, const session *s, const pairs *map,
                        char *why)
{
    const options *o = s->options;
    char reason[CLASSES_WHY];

    if (list_images(d, o, 1, why) != 0)
        return -1;
    note_skipped(d, options_source(o));
    if (label_classes(d, s, map, reason) == 0)
        return 0;
    snprintf(why, FOLDER_WHY, "%.150s: %.350s", options_source(o), reason);
    return -1;
}

/* The ReaL labels, and that they are of these images. */
static int open_real(dataset *d, const session *s, char *why)
{
    const char *path = s->options->real_labels;
    size_t known = 0;

    if (!path)
        return 0;
    if (real_labels_read(path, s->classes.count, &d->real, why) != 0)
        return -1;
    for (size_t i = 0; i < d->files.count; i++)
        known += (size_t)real_labels_knows(&d->real, d->files.files[i].name);
    if (known == 0) {
        snprintf(why, FOLDER_WHY, "%.200s: no image is called "
                 "ILSVRC2012_val_ and a number from 00000001 to %08zu", path,
                 d->real.count);
        return -1;
    }
    if (known < d->files.count)
        message_note("%s: %zu of %zu images are not in it by their names",
                     path, d->files.count - known, d->files.count);
    return 0;
}

static int check_valid(const dataset *d, const session *s, char *why)
{
    const folder_file *file = valid_labels_stranger(&s->classes, &d->files);

    if (!file)
        return 0;
    snprintf(why, FOLDER_WHY, "%.200s: class %d, of which '%.200s' is, is not "
             "in it", s->options->valid_labels, file->label, file->name);
    return -1;
}

int dataset_check_outputs(const dataset *d, const session *s)
{
    char why[ARGS_WHY];

    for (size_t i = 0; i < d->files.count; i++)
        if (options_files_input(s->options, source_path(&d->files.files[i]),
                                why) != 0) {
            message_usage("%s", why);
            return -1;
        }
    return 0;
}

int dataset_open_images(dataset *d, const session *s)
{
    const options *o = s->options;

    memset(d, 0, sizeof(*d));
    collect_images(o->list, o->operands, o->operand_count, &d->files, refuse,
                   d);
    folder_limit(&d->files, o->limit);
    if (d->files.count > 0 && dataset_check_outputs(d, s) == 0)
        return 0;
    if (d->files.count == 0)
        message_failed("%s: there is no image", options_source(o));
    dataset_close(d);
    return -1;
}

int dataset_open(dataset *d, const session *s)
{
    const options *o = s->options;
    char why[FOLDER_WHY];
    pairs map;
    int result;

    if (s->classes.count == 0)
        return dataset_open_images(d, s);
    memset(d, 0, sizeof(*d));
    memset(&map, 0, sizeof(map));
    if (o->class_map && pairs_read(o->class_map, &map, why) != 0) {
        message_failed("%s", why);
        return -1;
    }
    const pairs *given = o->class_map ? &map : NULL;
    result = o->labels ? open_flat(d, s, given, why)
                               : open_classes(d, s, given, why);
    pairs_free(&map);
    if (result == 0)
        result = check_valid(d, s, why);
    if (result == 0) {
        folder_limit(&d->files, o->limit);
        result = open_real(d, s, why);
    }
    if (result != 0)
        message_failed("%s", why);
    else
        result = dataset_check_outputs(d, s);
    if (result != 0)
        dataset_close(d);
    return result;
}

void dataset_close(dataset *d)
{
    dataset_drop_crops(d);
    folder_free(&d->files);
    real_labels_free(&d->real);
}

/* 0 with nothing open if no journal is wanted. */
static int open_journal(const dataset *d, const session *s, size_t count,
                        evaluate_request *r, journal *j)
{
    r->journal = d->journal;
    if (d->journal || !s->options->resume)
        return 0;
    if (ranked_check_alone(s->options->resume) != 0)
        return -1;
    json_t *settings = journal_settings(d, s, count);
    if (!settings)
        return -1;
    json_t *command = journal_command(s->options);
    int result = journal_open(j, s->options->resume, settings, command,
                              s->classes.count, r->run_count, r->depth);
    json_decref(settings);
    json_decref(command);
    journal_of(j, r->from, r->to, r->files->count, r->width);
    r->journal = result == 0 ? j : NULL;
    return result;
}

/* The mean is a crop's where it is the colour of its border. */
static int same_crops(const tomevit_preprocessing *a,
                      const tomevit_preprocessing *b)
{
    if (a->crop_mode == TOMEVIT_BORDER &&
        memcmp(a->mean, b->mean, sizeof(a->mean)) != 0)
        return 0;
    return a->size == b->size && a->width == b->width &&
           a->max_patches == b->max_patches && a->patch == b->patch &&
           a->crop_pct == b->crop_pct &&
           a->crop_mode == b->crop_mode &&
           a->interpolation == b->interpolation && a->pixels == b->pixels;
}

static loader *loader_of(const dataset *d, const session *s)
{
    loader *l = d->loaders;

    while (l < d->loaders + d->loader_count && !same_crops(&l->pre, &s->pre))
        l++;
    return l;
}

/* Those that take the same crops share a loader. */
static void begin_loaders(dataset *d, const session *s, size_t count)
{
    const options *o = s->options;
    image_options decoding;

    if (d->loaders)
        return;
    image_options_init(&decoding);
    decoding.exif = o->exif;
    decoding.lenient = o->lenient;
    decoding.strict = o->strict;
    decoding.max_bytes = o->max_image;
    decoding.max_pixels = o->max_pixels;
    d->loaders = memory_zero(count, sizeof(*d->loaders));
    for (size_t i = 0; i < count; i++) {
        loader *l = loader_of(d, &s[i]);
        d->loader_count += l == d->loaders + d->loader_count;
        l->pre = s[i].pre;
    }
    for (size_t i = 0; i < d->loader_count; i++) {
        tomevit_preprocessing pre = d->loaders[i].pre;
        loader_begin(&d->loaders[i], &pre, &decoding, d->files.count, o->batch,
                     o->cache_mem / d->loader_count, s->threads, d->keeps);
    }
}

void dataset_drop_crops(dataset *d)
{
    for (size_t i = 0; i < d->loader_count; i++)
        loader_end(&d->loaders[i]);
    free(d->loaders);
    d->loaders = NULL;
    d->loader_count = 0;
}

/* The models as evaluate takes them, with the memory for their forward
 * passes. */
static int begin_models(dataset *d, session *s, size_t count,
                        evaluate_model *models)
{
    begin_loaders(d, s, count);
    for (size_t i = 0; i < count; i++) {
        if (session_context(&s[i]) != 0)
            return -1;
        models[i].loader = loader_of(d, &s[i]);
        models[i].runs = s[i].runs;
        models[i].run_count = s[i].run_count;
        models[i].reference = s[i].reference;
        models[i].context = s[i].context;
        models[i].description = s[i].description;
    }
    return 0;
}

/* All but the models and the journal. */
static evaluate_request request_of(dataset *d, session *s, size_t count)
{
    const options *o = s->options;
    evaluate_request r = {
        .model_count = count, .files = &d->files, .sink = d->sink,
        .batch = o->batch, .classes = &s->classes, .quiet = o->quiet,
        .topk = o->topk > OUTCOME_TOP ? o->topk : OUTCOME_TOP,
        .compares = (o->command & (OPTIONS_SWEEP | OPTIONS_TUNE)) != 0
    };

    join_part(d->files.count, o->part, &r.from, &r.to);
    for (size_t i = 0; i < count; i++) {
        s[i].first = r.run_count;
        r.run_count += s[i].run_count;
        if (s[i].description->depth > r.depth)
            r.depth = s[i].description->depth;
        size_t width = drift_width(s[i].description);
        if (o->command == OPTIONS_SWEEP && width > r.width)
            r.width = width;
    }
    return r;
}

/* The outcomes are there, in journals. */
static int join(const dataset *d, session *s, size_t count,
                const evaluate_request *r, outcomes *o)
{
    json_t *settings = journal_settings(d, s, count);
    int result = !settings ? -1
        : join_outcomes(s->options->joined, s->options->joined_count, settings,
                        r, o);

    for (size_t i = 0; i < count && result == 0; i++) {
        s[i].computed = join_computed(settings);
        result = session_context(&s[i]);        /* for pictures */
    }
    json_decref(settings);
    return result;
}

/* As one of several processes. */
static int evaluate_ranked(dataset *d, session *s, size_t count,
                           evaluate_model *models, evaluate_request *r,
                           outcomes *o)
{
    ranked k;
    int result = ranked_begin(&k, d, s, count, r);

    if (result == 0)
        result = begin_models(d, s, count, models);
    result = ranked_start(&k, r, result);
    if (result == 0)
        result = evaluate(r, o);
    if (ranks_rank() == 0 && result == 0)
        outcomes_free(o);
    return ranked_end(&k, r, o, result);
}

/* By itself. */
static int evaluate_alone(dataset *d, session *s, size_t count,
                          evaluate_model *models, evaluate_request *r,
                          outcomes *o)
{
    journal j;
    int result = open_journal(d, s, count, r, &j);

    if (result == 0)
        result = begin_models(d, s, count, models);
    if (result == 0)
        result = evaluate(r, o);
    if (r->journal == &j) {
        result |= journal_close(&j);
        r->journal = NULL;
    }
    return result;
}

int dataset_evaluate(dataset *d, session *s, size_t count, outcomes *o,
                     evaluate_seen *seen, void *data)
{
    evaluate_request r = request_of(d, s, count);
    evaluate_model *models = memory_zero(count, sizeof(*models));
    int result;

    memset(o, 0, sizeof(*o));
    r.models = models;
    r.seen = seen;
    r.data = data;
    if (s->options->joined_count > 0)
        result = join(d, s, count, &r, o);
    else if (ranks_on() && !d->alone)
        result = evaluate_ranked(d, s, count, models, &r, o);
    else
        result = evaluate_alone(d, s, count, models, &r, o);
    if (!d->keeps)
        dataset_drop_crops(d);
    free(models);
    return result;
}

int dataset_worth(const outcomes *o)
{
    return o->images > 0 || outcomes_are_partial(o) ? OUTPUT_WHOLE
                                                    : OUTPUT_EMPTY;
}

void dataset_remark(const dataset *d, const outcomes *o)
{
    if (outcomes_are_partial(o))
        message_refused("stopped: the result is partial, %zu of %zu images",
                        o->images, o->end - o->from);
    else if (o->images == 0 && d->files.count > 0 && o->end == o->from)
        message_note("there is no image in this part");
    else if (o->images == 0)
        message_failed("none of the %zu images could be used",
                       o->end - o->from);
}
