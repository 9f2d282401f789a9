/* SPDX-License-Identifier: MIT */
/* What every subcommand begins with: the model, threads, ways to merge. */
#include "config.h"

#include "session.h"

#include "class_texts.h"

#include "../base/cpus.h"
#include "../base/memory.h"
#include "../base/memory_limit.h"
#include "../base/message.h"
#include "../base/ranks.h"
#include "../folders/valid_labels.h"

#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { GUESSES = 2048 };    /* bytes of a list of them */

static const char *own_name(const void *model, size_t index)
{
    return tomevit_class_name(model, index);
}

/* A name that is not known, and on lines of their own those that are. */
static void unknown_shape(const char *wanted)
{
    const char *name;

    message_usage("--arch: '%.40s' is not one of the shapes known here:",
                  wanted);
    for (size_t i = 0; (name = tomevit_arch_name(i)) != NULL; i++)
        fprintf(stderr, "  %s\n", name);
}

static void refuse_size(const tomevit_description *d, const size_t image[2])
{
    if (image[0] == image[1])
        message_usage("--image-size: expected a multiple of the patch side "
                      "%zu, found %zu", d->patch, image[0]);
    else if (d->block == TOMEVIT_BLOCK_VIT)
        message_usage("--image-size: expected multiples of the patch side "
                      "%zu, found %zu x %zu", d->patch, image[0], image[1]);
    else
        message_usage("--image-size: expected a square, which moving averages "
                      "over patches are for, found %zu x %zu", image[0],
                      image[1]);
}

/* A line for what a library call on the model has come to. */
static int model_result(const options *o, int error, const tomevit_message *why)
{
    if (error == 0)
        return 0;
    if (o->model) {
        message_failed("%s%s", why->text[0] ? why->text
                                            : tomevit_strerror(error),
                       memory_limited_by(error == TOMEVIT_ENOMEM));
    } else if (error == TOMEVIT_EINVAL) {
        tomevit_description d;

        if (tomevit_arch_description(o->arch, &d) != 0)
            unknown_shape(o->arch);
        else
            refuse_size(&d, o->image);
    } else {
        message_failed("%s: %s%s", o->arch, tomevit_strerror(error),
                       memory_limited_by(error == TOMEVIT_ENOMEM));
    }
    return -1;
}

tomevit_open_options session_open_options(const options *o)
{
    tomevit_open_options with;

    tomevit_open_options_init(&with);
    with.dtype = o->dtype;
    with.image_size = o->image[0];
    with.image_width = o->image[1];
    with.max_patches = o->max_patches;
    with.head = o->head;
    with.text_embeddings = o->text_embeddings;
    with.strict = o->strict_model;
    with.projection = o->embedding == OPTIONS_PROJECTED;
    return with;
}

/* The same with what the session has found by then. */
static tomevit_open_options open_options_of(const session *s)
{
    tomevit_open_options with = session_open_options(s->options);

    with.text_rows = s->text_rows;
    with.text_count = s->text_rows ? s->text_count : 0;
    with.text_width = s->text_rows ? s->text_width : 0;
    return with;
}

/* One after another what had to be guessed, with commas between. */
static void add_guess(void *data, const tomevit_fact *fact)
{
    char *text = data;
    size_t used = strlen(text);

    if (fact->guessed)
        snprintf(text + used, GUESSES - used, "%s%s %s",
                 used ? ", " : "", fact->what, fact->value);
}

/* The file is looked at once more, which can fail as it did not before. */
static int warn_of_guesses(const session *s, tomevit_message *why)
{
    tomevit_open_options with = open_options_of(s);
    char guesses[GUESSES] = "";
    int error = s->options->model
        ? tomevit_each_fact(s->options->model, &with, add_guess, guesses, why)
        : 0;

    if (error == 0 && guesses[0] != '\0')
        message_note("%s: nothing says, so these are guesses: %s",
                     s->options->model, guesses);
    return error;
}

static int open_model(session *s)
{
    const options *o = s->options;
    tomevit_message why = {""};
    tomevit_open_options with;
    int error;

    if (class_texts_open(s) != 0)
        return -1;
    with = open_options_of(s);
    error = o->model ? tomevit_open(o->model, &with, &s->model, &why)
                             : tomevit_random(o->arch, 1, &with, &s->model);
    if (error == 0) {
        s->description = tomevit_describe(s->model);
        error = warn_of_guesses(s, &why);
    }
    return model_result(o, error, &why);
}

/* A shape at another size shows in a model of it. */
static int describe_random(session *s, const tomevit_open_options *with)
{
    tomevit_model *model;
    int error = tomevit_random(s->options->arch, 1, with, &model);

    if (error)
        return error;
    s->described = *tomevit_describe(model);
    tomevit_close(model);
    return 0;
}

static int describe_model(session *s)
{
    const options *o = s->options;
    tomevit_message why = {""};
    tomevit_open_options with = session_open_options(o);
    int error = o->model
        ? tomevit_read_description(o->model, &with, &s->described, &why)
        : o->image[0] ? describe_random(s, &with)
                        : tomevit_arch_description(o->arch, &s->described);

    s->description = &s->described;
    return model_result(o, error, &why);
}

/* What is asked of classes, though the model has none; NULL: nothing. */
static const char *asked_of_classes(const options *o)
{
    const struct {
        const char *name;
        int given;
    } asked[] = {
        {"labels", o->labels != NULL}, {"class-map", o->class_map != NULL},
        {"real-labels", o->real_labels != NULL},
        {"valid-labels", o->valid_labels != NULL},
        {"per-class", o->per_class != NULL},
        {"confusion", o->confusion != NULL}, {"svg", o->svg != NULL},
        {"html", o->html != NULL}, {"max-drop", o->max_drop >= 0},
    };

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        if (asked[i].given)
            return asked[i].name;
    return NULL;
}

static int open_classes(session *s)
{
    const char *asked = asked_of_classes(s->options);
    char why[CLASSES_WHY];

    if (s->description->classes == 0 && s->options->classifies && asked) {
        message_failed("%s: the model has no head, it only gives features: "
                       "--%s is of classes", s->options->model, asked);
        return -1;
    }
    if (s->description->classes == 0 && s->options->classifies &&
        !(s->options->command & (OPTIONS_SWEEP | OPTIONS_TUNE))) {
        message_failed("%s: the model has no head, it only gives features: "
                       "add one with --head, --text-embeddings or --classes",
                       s->options->model);
        return -1;
    }
    s->classes.count =
        s->options->command & (OPTIONS_EMBED | OPTIONS_KNN)
            ? 0 : s->description->classes;
    s->classes.own_name = s->model ? own_name : NULL;
    s->classes.data = s->model;
    class_texts_name_classes(s);
    if (!s->options->valid_labels ||
        valid_labels_read(s->options->valid_labels, &s->classes, why) == 0)
        return 0;
    message_failed("%s", why);
    return -1;
}

static int resolve_runs(session *s)
{
    const merging_args *args = &s->options->merging;
    size_t count = merging_run_count(args);
    char why[ARGS_WHY];

    s->runs = memory_zero(count + 1, sizeof(*s->runs));
    for (size_t i = 0; i < count; i++)
        if (merging_resolve(args, s->description, i, &s->runs[s->run_count],
                            why) == 0) {
            s->run_count++;
        } else if (!args->any_method) { /* tune leaves out what does not fit */
            message_usage("%s", why);
            return -1;
        }
    return 0;
}

int session_threads(const options *o)
{
    int threads = cpus_available() / (int)ranks_beside();

    return o->threads ? (int)o->threads : threads > 1 ? threads : 1;
}

static int begin(session *s, const options *o, int (*get_model)(session *s))
{
    memset(s, 0, sizeof(*s));
    s->options = o;
    s->threads = session_threads(o);
    tomerge_set_cpu_mask(o->cpu_mask);
#ifdef _OPENMP
    omp_set_num_threads(s->threads); /* opening a model has no other number */
#endif
    if (get_model(s) != 0)
        return -1;
    preprocessing_resolve(&o->preprocessing, s->description, &s->pre,
                          s->pre_source);
    if (s->pre.max_patches && (o->preprocessing.has_crop_pct ||
                               o->preprocessing.has_crop_mode)) {
        message_usage("--crop-%s: nothing is cut from images that keep their "
                      "proportions (--max-patches, or as the model's file "
                      "says)", o->preprocessing.has_crop_pct ? "pct" : "mode");
        return -1;
    }
    if (!s->pre.max_patches && tomevit_resized_side(&s->pre) == 0) {
        message_failed("%s: its preprocessing cannot be used: size %zu, "
                       "crop-pct %g", o->model ? o->model : o->arch,
                       s->pre.size, s->pre.crop_pct);
        return -1;
    }
    if (open_classes(s) != 0 || resolve_runs(s) != 0 ||
        output_open(&s->json, o->json) != 0)
        return -1;
    return output_open(&s->csv, o->csv);
}

int session_open(session *s, const options *o)
{
    return begin(s, o, open_model);
}

int session_describe(session *s, const options *o)
{
    return begin(s, o, describe_model);
}

int session_need_reference(session *s)
{
    for (size_t i = 0; i < s->run_count; i++)
        if (merging_run_is_none(&s->runs[i], s->description)) {
            s->reference = i;
            return 0;
        }
    memmove(s->runs + 1, s->runs, s->run_count * sizeof(*s->runs));
    merging_resolve_none(&s->options->merging, s->description, &s->runs[0]);
    s->run_count++;
    s->reference = 0;
    return 1;
}

int session_context(session *s)
{
    if (s->context)
        return 0;
    int error = tomevit_context_create(s->model, s->options->batch,
                                       s->threads, &s->context);
    if (error == 0)
        error = tomevit_context_normalise(s->context, &s->pre);
    if (error == 0)
        return 0;
    message_failed("memory for batches of %zu on %d threads: %s%s",
                   s->options->batch, s->threads, tomevit_strerror(error),
                   memory_limited_by(error == TOMEVIT_ENOMEM));
    return -1;
}

void session_close(session *s)
{
    /* Still open are those of work that failed. */
    output_abandon(&s->json);
    output_abandon(&s->csv);
    for (size_t i = 0; i < s->run_count; i++)
        merging_run_free(&s->runs[i]);
    free(s->runs);
    json_decref(s->computed);
    valid_labels_free(&s->classes);
    tomevit_context_free(s->context);
    tomevit_close(s->model);
    class_texts_close(s);
    memset(s, 0, sizeof(*s));
}
