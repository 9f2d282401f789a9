/* SPDX-License-Identifier: MIT */
/*
 * Every argument of every function of tomevit.h that can be wrong: the call
 * gives the error the header names, and touches no output. Which functions
 * there are is read from the symbol map.
 */
#include "config.h"

#include "covered.h"
#include "tomevit_bytes.h"
#include "tomevit_methods.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 224, MANY = 4, IMAGE = SIDE * SIDE * 3 };

typedef struct outputs {
    tomevit_model *model;
    tomevit_context *context;
    tomevit_description description;
    size_t first, count, rows[MANY], r[64];
    float logits[MANY * 1000];
    uint8_t crop[IMAGE];
    int value;
    tomevit_bytes *of_bytes;
    tomevit_bytes_context *bytes_context;
    float bits[72], probabilities[256];
    uint8_t picture[72];
    tomevit_text *of_text;
    int32_t ids[24];
    float embeddings[12];
    tomevit_layer_merging layers[64];
} outputs;

typedef struct arguments {
    const char *name, *path, *to, *dtype;
    void (*each)(void *data, const char *name);
    void (*each_fact)(void *data, const tomevit_fact *fact);
    tomevit_open_options options_are, *options;
    tomevit_description *description, shape_is;
    const tomevit_description *shape;
    tomevit_model **model_to;
    const tomevit_model *model;
    tomevit_context **context_to, *context;
    size_t max_batch, batch, width, height, stride, *first, *count;
    int threads, *value;
    double *number;
    tomevit_preprocessing pre_is, *pre;
    tomevit_merging merging_is, *merging;
    tomevit_image images_are[MANY], *images;
    tomevit_output output_is, *output;
    const uint8_t *rgb;
    uint8_t *crop;
    size_t r[64], *r_to;
    int method;
    const char *method_options, *text_of;
    tomevit_layer_merging *layers_to;
    tomevit_bytes_options bytes_options_are, *bytes_options;
    tomevit_bytes **of_bytes_to;
    const tomevit_bytes *of_bytes;
    tomevit_bytes_context **bytes_context_to, *bytes_context;
    tomevit_bytes_output bytes_output_is, *bytes_output;
    tomevit_text_options text_options_are, *text_options;
    tomevit_text **of_text_to;
    const tomevit_text *of_text;
    const char *utf8, *const *texts;
    int32_t *ids;
    float *embeddings;
    const uint8_t *some_bytes;
    uint8_t *other_bytes;
    float *probabilities;
    outputs out;
} arguments;

static tomevit_model *model;
static tomevit_context *context;
static tomevit_bytes *of_bytes;
static tomevit_text *of_text;
static tomevit_bytes_context *bytes_context;
static uint8_t pixels[IMAGE];
static arguments args, before;
static char some_model[4096], no_model[4096], no_container[4096];
static char some_bytes[4096], some_text[4096];
static const char converted[] = "test_refusals_vit.safetensors";
static size_t called;
static const float one = 1;
static double some_number;

static void count_calls(void *data, const char *name)
{
    (void)data;
    (void)name;
    called++;
}

static void count_facts(void *data, const tomevit_fact *fact)
{
    (void)data;
    (void)fact;
    called++;
}

static arguments *fresh(void)
{
    arguments *a = &args;

    memset(a, 0, sizeof(*a));
    memset(&a->out, 0x5a, sizeof(a->out));
    a->out.model = NULL;
    a->out.context = NULL;
    a->path = some_model;
    a->to = converted;
    a->dtype = "bf16";
    a->each = count_calls;
    a->each_fact = count_facts;
    a->name = "deit_tiny_patch16_224";
    tomevit_open_options_init(&a->options_are);
    a->options = &a->options_are;
    a->r_to = a->out.r;
    a->layers_to = a->out.layers;
    a->description = &a->out.description;
    a->model_to = &a->out.model;
    a->context_to = &a->out.context;
    a->model = model;
    a->context = context;
    a->max_batch = a->batch = 1;
    a->threads = 1;
    a->width = a->height = SIDE;
    a->stride = 3 * SIDE;
    a->first = &a->out.first;
    a->count = &a->out.count;
    a->value = &a->out.value;
    if (model) {
        a->pre_is = tomevit_describe(model)->preprocessing;
        a->shape_is = *tomevit_describe(model);
    }
    a->shape = &a->shape_is;
    a->pre = &a->pre_is;
    tomevit_merging_init(&a->merging_is);
    a->merging_is.r = a->r;
    a->merging = &a->merging_is;
    for (int i = 0; i < MANY; i++)
        a->images_are[i] = (tomevit_image){
            .data = pixels,
            .format = TOMEVIT_RGB8_HWC};
    a->images = a->images_are;
    a->output_is.logits = a->out.logits;
    a->output_is.rows = a->out.rows;
    a->output = &a->output_is;
    a->rgb = pixels;
    a->crop = a->out.crop;
    tomevit_bytes_options_init(&a->bytes_options_are);
    a->bytes_options = &a->bytes_options_are;
    a->out.of_bytes = NULL;
    a->out.bytes_context = NULL;
    a->of_bytes_to = &a->out.of_bytes;
    a->of_bytes = of_bytes;
    a->bytes_context_to = &a->out.bytes_context;
    a->bytes_context = bytes_context;
    a->bytes_output_is.bits = a->out.bits;
    a->bytes_output = &a->bytes_output_is;
    a->some_bytes = pixels;
    a->other_bytes = a->out.picture;
    a->probabilities = a->out.probabilities;
    tomevit_text_options_init(&a->text_options_are);
    a->text_options = &a->text_options_are;
    a->out.of_text = NULL;
    a->of_text_to = &a->out.of_text;
    a->of_text = of_text;
    a->utf8 = "a dog";
    a->texts = &a->utf8;
    a->ids = a->out.ids;
    a->embeddings = a->out.embeddings;
    return a;
}

static void in_sources(char *path, size_t room, const char *name)
{
    const char *srcdir = getenv("srcdir");

    snprintf(path, room, "%s/tests/%s", srcdir ? srcdir : ".", name);
}

static void open_model(void)
{
    in_sources(some_model, sizeof(some_model),
               "fixtures/layouts/timm_gap.safetensors");
    in_sources(no_model, sizeof(no_model), "golden/merge_000.safetensors");
    in_sources(no_container, sizeof(no_container), "test_refusals_vit.c");
    in_sources(some_bytes, sizeof(some_bytes),
               "fixtures/bytes/relu.safetensors");
    cr_assert_eq(tomevit_bytes_open(some_bytes, NULL, &of_bytes, NULL), 0);
    cr_assert_eq(tomevit_bytes_context_create(of_bytes, 1, 1, &bytes_context),
                 0);
    in_sources(some_text, sizeof(some_text),
               "fixtures/texts/hf_clip/model.safetensors");
#ifdef HAVE_UTF8PROC
    cr_assert_eq(tomevit_text_open(some_text, NULL, &of_text, NULL), 0);
#endif
    cr_assert_eq(tomevit_random("deit_tiny_patch16_224", 1, NULL, &model), 0);
    cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
}

static void close_model(void)
{
    tomevit_bytes_context_free(bytes_context);
    tomevit_bytes_close(of_bytes);
    tomevit_text_close(of_text);
    tomevit_context_free(context);
    tomevit_close(model);
}

/* ---- calls --------------------------------------------------------------- */

/* What a valid call opens is closed again. */
static int call_tomevit_open(arguments *a)
{
    int error = tomevit_open(a->path, a->options, a->model_to, NULL);

    if (!error)
        tomevit_close(*a->model_to);
    return error;
}

static int call_tomevit_random(arguments *a)
{
    int error = tomevit_random(a->name, 1, a->options, a->model_to);

    if (!error)
        tomevit_close(*a->model_to);
    return error;
}

static int call_tomevit_convert(arguments *a)
{
    int error = tomevit_convert(a->path, a->options, a->to, a->dtype, NULL);

    if (!error)
        unlink(a->to);
    return error;
}

/* The names of what is not used come before any that a failure would. */
static int call_tomevit_each_unused(arguments *a)
{
    int error = tomevit_each_unused(a->path, a->options, a->each, NULL, NULL);

    if (!error)
        called = 0;
    return error;
}

static int call_tomevit_each_fact(arguments *a)
{
    int error = tomevit_each_fact(a->path, a->options, a->each_fact, NULL,
                                  NULL);

    if (!error)
        called = 0;
    return error;
}

static int call_tomevit_context_create(arguments *a)
{
    int error = tomevit_context_create(a->model, a->max_batch, a->threads,
                                       a->context_to);

    if (!error)
        tomevit_context_free(*a->context_to);
    return error;
}

static int call_tomevit_bytes_open(arguments *a)
{
    int error = tomevit_bytes_open(a->path, a->bytes_options, a->of_bytes_to,
                                   NULL);

    if (!error)
        tomevit_bytes_close(*a->of_bytes_to);
    return error;
}

#ifdef HAVE_UTF8PROC
static int call_tomevit_text_open(arguments *a)
{
    int error = tomevit_text_open(a->path, a->text_options, a->of_text_to,
                                  NULL);

    if (!error)
        tomevit_text_close(*a->of_text_to);
    return error;
}
#endif

static int call_tomevit_bytes_context_create(arguments *a)
{
    int error = tomevit_bytes_context_create(a->of_bytes, a->max_batch,
                                             a->threads, a->bytes_context_to);

    if (!error)
        tomevit_bytes_context_free(*a->bytes_context_to);
    return error;
}

#define CALL(function, ...)                                                  \
    static int call_##function(arguments *a)                                 \
    {                                                                        \
        return function(__VA_ARGS__);                                        \
    }
CALL(tomevit_resize_crop, a->pre, a->rgb, a->width, a->height, a->stride,
     a->crop)
CALL(tomevit_crop_rows, a->pre, a->width, a->height, a->first, a->count)
CALL(tomevit_crop_sides, a->pre, a->width, a->height, a->first, a->count)
CALL(tomevit_metric_from_name, a->name, a->value)
CALL(tomevit_rope_merge_from_name, a->name, a->value)
CALL(tomevit_ema_merge_from_name, a->name, a->value)
CALL(tomevit_method_from_name, a->name, a->value)
CALL(tomevit_method_decides, a->method, a->method_options, NULL)
CALL(tomevit_method_merging, a->shape, a->method, a->method_options, a->r,
     a->merging, a->r_to, a->layers_to, NULL)
CALL(tomevit_merging_parse, a->text_of, a->shape, a->merging, a->r_to,
     a->layers_to, NULL)
CALL(tomevit_merging_read, a->path, a->shape, a->merging, a->r_to,
     a->layers_to, NULL)
CALL(tomevit_dtype_from_name, a->name, a->value)
CALL(tomevit_context_normalise, a->context, a->pre)
CALL(tomevit_read_description, a->path, a->options, a->description, NULL)
CALL(tomevit_arch_description, a->name, a->description)
CALL(tomevit_description_number, a->shape, a->name, a->number)
CALL(tomevit_schedule_tokens, a->shape, a->merging, a->out.r)
CALL(tomevit_bytes_order, a->of_bytes, a->some_bytes, a->other_bytes)
CALL(tomevit_bytes_pixels, a->of_bytes, a->some_bytes, a->other_bytes)
CALL(tomevit_bytes_forward, a->bytes_context, a->batch, a->some_bytes,
     a->bytes_output)
CALL(tomevit_bytes_start, a->bytes_context, a->batch)
#ifdef HAVE_UTF8PROC
CALL(tomevit_text_tokens, a->of_text, a->utf8, a->ids, a->count, NULL)
CALL(tomevit_text_embed, a->of_text, a->texts, a->batch, a->threads,
     a->embeddings, NULL, NULL)
#endif
CALL(tomevit_bytes_next, a->bytes_context, a->some_bytes, a->probabilities)
CALL(tomevit_forward, a->context, a->merging, a->batch, a->images, a->output)

/* ---- refusals ------------------------------------------------------------ */

/* `set` makes a call of the function valid, `spoil` wrong again. */
#define REFUSES_AFTER(set, function, expected, spoil)                        \
    do {                                                                     \
        arguments *a = fresh();                                              \
                                                                             \
        set;                                                                 \
        if (!is_covered(#function))                                          \
            expect_accepted(#function, call_##function(a));                  \
        a = fresh();                                                         \
        set;                                                                 \
        spoil;                                                               \
        memcpy(&before, a, sizeof(before));                                  \
        expect_refused(#function, #spoil, expected, call_##function(a));     \
        expect_same(#function, #spoil, a, &before, sizeof(before));          \
    } while (0)
#define REFUSES_WITH(function, expected, spoil)                              \
    REFUSES_AFTER((void)0, function, expected, spoil)
#define REFUSES(function, spoil)                                             \
    REFUSES_WITH(function, TOMEVIT_EINVAL, spoil)

/* Of a function from names to values. */
#define REFUSES_NAMES(function, good, bad)                                   \
    do {                                                                     \
        REFUSES_AFTER(a->name = good, function, TOMEVIT_EINVAL,              \
                      a->name = bad);                                        \
        REFUSES_AFTER(a->name = good, function, TOMEVIT_EINVAL,              \
                      a->name = NULL);                                       \
        REFUSES_AFTER(a->name = good, function, TOMEVIT_EINVAL,              \
                      a->value = NULL);                                      \
    } while (0)

/* How a model is opened, whichever function opens it. */
#define REFUSES_OPTIONS(function)                                            \
    do {                                                                     \
        REFUSES(function, a->options->struct_size--);                        \
        REFUSES(function, a->options->struct_size += 8);                     \
        REFUSES(function, a->options->dtype = -1);                           \
        REFUSES(function, a->options->dtype = 3);                            \
        REFUSES(function, a->options->strict = 2);                           \
        REFUSES(function, a->options->projection = 2);                       \
        REFUSES(function, a->options->reserved[0] = 1);                      \
        REFUSES(function, a->options->reserved[1] = 1);                      \
        REFUSES(function, (a->options->image_size = 224,                     \
                           a->options->max_patches = 256));                  \
        REFUSES(function, a->options->text_count = 1);                       \
        REFUSES(function, a->options->text_rows = &one);                     \
        REFUSES(function, (a->options->text_rows = &one,                     \
                           a->options->text_count = 1,                       \
                           a->options->text_width = SIZE_MAX));              \
    } while (0)

/* Files that are missing, that are none, and that hold no model. */
#define REFUSES_FILES(function)                                              \
    do {                                                                     \
        REFUSES(function, a->path = NULL);                                   \
        REFUSES_WITH(function, TOMEVIT_EIO, a->path = "no-such-file");       \
        REFUSES_WITH(function, TOMEVIT_EFORMAT, a->path = no_container);     \
        REFUSES_WITH(function, TOMEVIT_EMODEL, a->path = no_model);          \
    } while (0)

static void refuse_files(void)
{
    REFUSES_FILES(tomevit_open);
    REFUSES_OPTIONS(tomevit_open);
    REFUSES(tomevit_open, a->model_to = NULL);
    REFUSES_WITH(tomevit_open, TOMEVIT_EMODEL, a->options->image_size = 9);
    REFUSES_WITH(tomevit_open, TOMEVIT_EIO, a->options->head = "no-such-file");
    REFUSES_WITH(tomevit_open, TOMEVIT_EIO,
                 a->options->text_embeddings = "no-such-file");

    REFUSES_FILES(tomevit_read_description);
    REFUSES_OPTIONS(tomevit_read_description);
    REFUSES(tomevit_read_description, a->description = NULL);

    REFUSES_FILES(tomevit_each_unused);
    REFUSES_OPTIONS(tomevit_each_unused);
    REFUSES(tomevit_each_unused, a->each = NULL);
    REFUSES_FILES(tomevit_each_fact);
    REFUSES_OPTIONS(tomevit_each_fact);
    REFUSES(tomevit_each_fact, a->each_fact = NULL);
    cr_expect_eq(called, 0, "a call that fails names something");

    REFUSES_FILES(tomevit_convert);
    REFUSES_OPTIONS(tomevit_convert);
    REFUSES(tomevit_convert, a->to = NULL);
    REFUSES(tomevit_convert, a->to = "");
    REFUSES(tomevit_convert, a->dtype = "f64");
    REFUSES(tomevit_convert, a->dtype = "");
    REFUSES_WITH(tomevit_convert, TOMEVIT_EIO, a->to = "no-such-folder/x");
    cr_expect(access(converted, F_OK) != 0, "a call that fails leaves a file");
}

static void refuse_shapes(void)
{
    REFUSES(tomevit_arch_description, a->name = NULL);
    REFUSES(tomevit_arch_description, a->description = NULL);
    REFUSES(tomevit_arch_description, a->name = "vit_unheard_of");

    REFUSES_OPTIONS(tomevit_random);
    REFUSES(tomevit_random, a->name = NULL);
    REFUSES(tomevit_random, a->name = "vit_unheard_of");
    REFUSES(tomevit_random, a->model_to = NULL);
    REFUSES(tomevit_random, a->options->image_size = 223);
    REFUSES(tomevit_random, a->options->image_width = 224);
    REFUSES(tomevit_random, (a->options->image_size = 224,
                             a->options->image_width = 225));
    REFUSES(tomevit_random, a->options->head = a->path);
    REFUSES(tomevit_random, a->options->text_embeddings = a->path);
}

/* What was to be a new object is NULL, whatever it was before. */
static void leave_nothing_new(void)
{
    tomevit_model *opened = model, *made = model;
    tomevit_context *created = context;

    cr_expect_eq(tomevit_open(no_model, NULL, &opened, NULL), TOMEVIT_EMODEL);
    cr_expect_null(opened);
    cr_expect_eq(tomevit_random("vit_unheard_of", 1, NULL, &made),
                 TOMEVIT_EINVAL);
    cr_expect_null(made);
    cr_expect_eq(tomevit_context_create(model, 0, 1, &created),
                 TOMEVIT_EINVAL);
    cr_expect_null(created);
}

static void refuse_pixels(void)
{
    const double outside[] = {0, -1, 1.01, (double)NAN};

    for (int i = 0; i < 4; i++) {
        REFUSES(tomevit_resize_crop, a->pre->crop_pct = outside[i]);
        REFUSES(tomevit_crop_rows, a->pre->crop_pct = outside[i]);
    }
    REFUSES(tomevit_resize_crop, a->pre = NULL);
    REFUSES(tomevit_resize_crop, a->pre->size = 0);
    REFUSES(tomevit_resize_crop, a->pre->interpolation = 2);
    REFUSES(tomevit_resize_crop, a->pre->crop_mode = 3);
    REFUSES(tomevit_resize_crop, a->pre->pixels = 3);
    REFUSES(tomevit_crop_rows, a->pre->pixels = -1);
    REFUSES(tomevit_resize_crop, a->pre->reserved[1] = 1);
    REFUSES(tomevit_resize_crop, a->rgb = NULL);
    REFUSES(tomevit_resize_crop, a->crop = NULL);
    REFUSES(tomevit_resize_crop, a->width = 0);
    REFUSES(tomevit_resize_crop, a->height = 0);
    REFUSES(tomevit_resize_crop, a->width = (1 << 24) + 1);
    REFUSES(tomevit_resize_crop, a->height = (1 << 24) + 1);
    REFUSES(tomevit_resize_crop, a->stride--);

    REFUSES(tomevit_crop_rows, a->pre = NULL);
    REFUSES(tomevit_crop_rows, a->pre->size = 0);
    REFUSES(tomevit_crop_rows, a->pre->interpolation = -1);
    REFUSES(tomevit_crop_rows, a->pre->crop_mode = -1);
    REFUSES(tomevit_crop_rows, a->pre->reserved[0] = 1);
    REFUSES(tomevit_crop_rows, a->width = 0);
    REFUSES(tomevit_crop_rows, a->height = (1 << 24) + 1);
    REFUSES(tomevit_crop_rows, a->first = NULL);
    REFUSES(tomevit_crop_rows, a->count = NULL);

    REFUSES(tomevit_crop_sides, a->pre = NULL);
    REFUSES(tomevit_crop_sides, a->pre->size = 0);
    REFUSES(tomevit_crop_sides, a->pre->max_patches = 1);
    REFUSES(tomevit_crop_sides, a->pre->pixels = 3);
    REFUSES(tomevit_crop_sides, a->pre->reserved[1] = 1);
    REFUSES(tomevit_crop_sides, a->width = 0);
    REFUSES(tomevit_crop_sides, a->height = (1 << 24) + 1);
    REFUSES(tomevit_crop_sides, a->first = NULL);
    REFUSES(tomevit_crop_sides, a->count = NULL);
}

static void refuse_contexts(void)
{
    const float no_mean[] = {NAN, INFINITY, -INFINITY};
    const float no_std[] = {0, -1, NAN, INFINITY};

    REFUSES(tomevit_context_create, a->context_to = NULL);
    REFUSES(tomevit_context_create, a->model = NULL);
    REFUSES(tomevit_context_create, a->max_batch = 0);
    REFUSES(tomevit_context_create, a->threads = 0);
    REFUSES(tomevit_context_create, a->threads = -1);
    REFUSES(tomevit_context_create, a->threads = 4097);

    REFUSES(tomevit_context_normalise, a->context = NULL);
    REFUSES(tomevit_context_normalise, a->pre = NULL);
    REFUSES(tomevit_context_normalise, a->pre->reserved[1] = 1);
    for (int i = 0; i < 3; i++)
        REFUSES(tomevit_context_normalise, a->pre->mean[i] = no_mean[i]);
    for (int i = 0; i < 4; i++)
        REFUSES(tomevit_context_normalise, a->pre->std[i & 1] = no_std[i]);
}

static void refuse_forwards(void)
{
    REFUSES(tomevit_forward, a->context = NULL);
    REFUSES(tomevit_forward, a->batch = 0);
    REFUSES(tomevit_forward, a->batch = 2);
    REFUSES(tomevit_forward, a->images = NULL);
    REFUSES(tomevit_forward, a->output = NULL);
    REFUSES(tomevit_forward, a->images[0].data = NULL);
    REFUSES(tomevit_forward, a->images[0].format = 2);
    REFUSES(tomevit_forward, a->images[0].format = -1);
    REFUSES(tomevit_forward, a->output->reserved[0] = a->out.rows);
    REFUSES(tomevit_forward, a->output->reserved[4] = a->out.rows);
    REFUSES(tomevit_forward, a->merging->struct_size--);
    REFUSES(tomevit_forward, a->merging->struct_size += 8);
    REFUSES(tomevit_forward, a->merging->rope_merge = 3);
    REFUSES(tomevit_forward, a->merging->importance = 3);
    REFUSES(tomevit_forward, a->merging->importance = -1);
    REFUSES(tomevit_forward, a->merging->sizes = 2);
    REFUSES(tomevit_forward, a->merging->sizes = -1);
    REFUSES(tomevit_forward, a->merging->ema_merge = 4);
    REFUSES(tomevit_forward, a->merging->ema_merge = -1);
    REFUSES(tomevit_forward, a->merging->weights = 2);
    REFUSES(tomevit_forward, a->merging->reserved[0] = 1);
    REFUSES(tomevit_forward, a->merging->reserved[2] = 1);
    REFUSES(tomevit_forward, a->merging->reserved_int = 1);
    REFUSES(tomevit_forward, a->merging->where = 4);
    REFUSES(tomevit_forward, a->merging->where = -1);
    REFUSES(tomevit_forward, a->merging->where = TOMEVIT_MERGE_AHEAD);
    REFUSES_AFTER(a->merging->metric = TOMEVIT_METRIC_X, tomevit_forward,
                  TOMEVIT_EINVAL, a->merging->where = TOMEVIT_MERGE_AHEAD);
    REFUSES(tomevit_forward, a->merging->where = TOMEVIT_MERGE_BEFORE);
    REFUSES(tomevit_forward, a->merging->where = TOMEVIT_MERGE_AFTER);
    REFUSES(tomevit_forward, a->merging->combine = 99);
    REFUSES(tomevit_forward, a->merging->combine = -1);
    REFUSES(tomevit_forward, a->merging->metric = 6);
    REFUSES(tomevit_forward, a->merging->metric = -1);
    REFUSES(tomevit_forward, a->merging->matching.struct_size = 0);
    REFUSES(tomevit_forward, a->merging->matching.method = 99);
    REFUSES(tomevit_forward, a->merging->matching.similarity = -1);
    REFUSES(tomevit_forward, a->merging->matching.order = 2);
    REFUSES(tomevit_forward, a->merging->matching.reserved[0] = 1);
    REFUSES(tomevit_forward, a->merging->matching.role = pixels);
    REFUSES(tomevit_forward, a->merging->matching.size = a->out.logits);
    REFUSES_AFTER(a->merging->matching.method = TOMERGE_STRIDED,
                  tomevit_forward, TOMEVIT_EINVAL,
                  a->merging->matching.stride = 1);
}

static void refuse_models_of_bytes(void)
{
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->path = NULL);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EIO,
                  a->path = "no-such-file");
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EFORMAT,
                  a->path = no_container);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EMODEL,
                  a->path = some_model);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->of_bytes_to = NULL);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->struct_size--);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->dtype = 3);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->portable = 2);
    REFUSES_AFTER((a->path = some_bytes, a->bytes_options->portable = 1),
                  tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->dtype = TOMEVIT_BF16);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->reserved[3] = 1);
    REFUSES_AFTER(a->path = some_bytes, tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->window = 4);
    REFUSES_AFTER((a->path = some_bytes, a->bytes_options->window = 4,
                   a->bytes_options->group = 2),
                  tomevit_bytes_open, TOMEVIT_EINVAL,
                  a->bytes_options->group = 3);
    REFUSES(tomevit_bytes_context_create, a->of_bytes = NULL);
    REFUSES(tomevit_bytes_context_create, a->max_batch = 0);
    REFUSES(tomevit_bytes_context_create, a->threads = 0);
    REFUSES(tomevit_bytes_context_create, a->threads = 4097);
    REFUSES(tomevit_bytes_context_create, a->bytes_context_to = NULL);
}

/* Where no texts are read that is all there is to refuse. */
static void refuse_texts(void)
{
#ifndef HAVE_UTF8PROC
    cr_expect_eq(tomevit_text_open(some_text, NULL, &args.out.of_text, NULL),
                 TOMEVIT_EMODEL);
    expect_accepted("tomevit_text_open", 0);
    expect_accepted("tomevit_text_tokens", 0);
    expect_accepted("tomevit_text_embed", 0);
    for (int i = 0; i < 3; i++)
        expect_refused(i == 0 ? "tomevit_text_open"
                       : i == 1 ? "tomevit_text_tokens" : "tomevit_text_embed",
                       "no texts", TOMEVIT_EMODEL, TOMEVIT_EMODEL);
#else
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EINVAL,
                  a->path = NULL);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EIO,
                  a->path = "no-such-file");
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EFORMAT,
                  a->path = no_container);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EMODEL,
                  a->path = some_model);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EIO,
                  a->text_options->tokenizer = "no-such-file");
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EINVAL,
                  a->of_text_to = NULL);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EINVAL,
                  a->text_options->struct_size--);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EINVAL,
                  a->text_options->strict = 2);
    REFUSES_AFTER(a->path = some_text, tomevit_text_open, TOMEVIT_EINVAL,
                  a->text_options->reserved[5] = 1);
    REFUSES(tomevit_text_tokens, a->of_text = NULL);
    REFUSES(tomevit_text_tokens, a->utf8 = NULL);
    REFUSES(tomevit_text_tokens, a->utf8 = "\xff");
    REFUSES(tomevit_text_tokens, a->ids = NULL);
    REFUSES(tomevit_text_tokens, a->count = NULL);
    REFUSES(tomevit_text_embed, a->of_text = NULL);
    REFUSES(tomevit_text_embed, a->texts = NULL);
    REFUSES(tomevit_text_embed, a->utf8 = NULL);
    REFUSES(tomevit_text_embed, a->utf8 = "\xff");
    REFUSES(tomevit_text_embed, a->batch = 0);
    REFUSES(tomevit_text_embed, a->batch = SIZE_MAX / 8);
    REFUSES(tomevit_text_embed, a->threads = -1);
    REFUSES(tomevit_text_embed, a->embeddings = NULL);
#endif
}

static void refuse_bytes(void)
{
    REFUSES(tomevit_bytes_order, a->of_bytes = NULL);
    REFUSES(tomevit_bytes_order, a->some_bytes = NULL);
    REFUSES(tomevit_bytes_order, a->other_bytes = NULL);
    REFUSES(tomevit_bytes_pixels, a->of_bytes = NULL);
    REFUSES(tomevit_bytes_pixels, a->some_bytes = NULL);
    REFUSES(tomevit_bytes_pixels, a->other_bytes = NULL);
    REFUSES(tomevit_bytes_start, a->bytes_context = NULL);
    REFUSES(tomevit_bytes_start, a->batch = 0);
    REFUSES(tomevit_bytes_start, a->batch = 2);
    REFUSES(tomevit_bytes_next, a->bytes_context = NULL);
    REFUSES(tomevit_bytes_next, a->some_bytes = NULL);
    REFUSES(tomevit_bytes_next, a->probabilities = NULL);
    /* It ends what tomevit_bytes_start began. */
    REFUSES(tomevit_bytes_forward, a->bytes_context = NULL);
    REFUSES(tomevit_bytes_forward, a->some_bytes = NULL);
    REFUSES(tomevit_bytes_forward, a->bytes_output = NULL);
    REFUSES(tomevit_bytes_forward, a->batch = 2);
    REFUSES(tomevit_bytes_forward, a->bytes_output->reserved[2] = pixels);
    cr_expect_eq(tomevit_bytes_next(bytes_context, pixels, args.probabilities),
                 TOMEVIT_EINVAL);
}

/* A mean of patches, of which none may be left. */
static void refuse_schedules(void)
{
    REFUSES(tomevit_schedule_tokens, a->shape = NULL);
    REFUSES_AFTER((a->name = "dim", a->number = &some_number),
                  tomevit_description_number, TOMEVIT_EINVAL, a->shape = NULL);
    REFUSES_AFTER((a->name = "dim", a->number = &some_number),
                  tomevit_description_number, TOMEVIT_EINVAL, a->name = NULL);
    REFUSES_AFTER((a->name = "dim", a->number = &some_number),
                  tomevit_description_number, TOMEVIT_EINVAL, a->name = "dims");
    REFUSES_AFTER((a->name = "dim", a->number = &some_number),
                  tomevit_description_number, TOMEVIT_EINVAL, a->number = NULL);
    REFUSES(tomevit_schedule_tokens, a->merging->matching.method = -1);
    REFUSES_AFTER(a->merging->matching.method = TOMERGE_STRIDED,
                  tomevit_schedule_tokens, TOMEVIT_EINVAL,
                  a->merging->matching.stride = 0);
    REFUSES_AFTER((a->shape_is.pool = TOMEVIT_POOL_MEAN,
                   a->merging->matching.method = TOMERGE_STRIDED,
                   a->r[11] = 1),
                  tomevit_schedule_tokens, TOMEVIT_EINVAL,
                  a->merging->matching.stride = 198);
}

static void refuse_methods(void)
{
    REFUSES_AFTER(a->name = "tome", tomevit_method_from_name, TOMEVIT_EINVAL,
                  a->name = "tomes");
    REFUSES_AFTER(a->name = "tome", tomevit_method_from_name, TOMEVIT_EINVAL,
                  a->name = NULL);
    REFUSES_AFTER(a->name = "tome", tomevit_method_from_name, TOMEVIT_EINVAL,
                  a->value = NULL);
    REFUSES(tomevit_method_decides, a->method = -1);
    REFUSES(tomevit_method_decides, a->method = 1000);
    REFUSES(tomevit_method_decides, a->method_options = "margin=1");
    REFUSES(tomevit_method_merging, a->shape = NULL);
    REFUSES(tomevit_method_merging, a->method = -1);
    REFUSES(tomevit_method_merging, a->method = 1000);
    REFUSES(tomevit_method_merging, a->method_options = "keep=2");
    REFUSES(tomevit_method_merging, a->method_options = "layers=12");
    /* Attention that does not tell what a token is worth. */
    REFUSES_AFTER((void)tomevit_method_from_name("evit", &a->method),
                  tomevit_method_merging, TOMEVIT_EINVAL,
                  a->shape_is.block = TOMEVIT_BLOCK_MEGA);
    REFUSES_AFTER((void)tomevit_method_from_name("mpm", &a->method),
                  tomevit_method_merging, TOMEVIT_EINVAL,
                  a->shape_is.parallel = 1);
    REFUSES_AFTER((void)tomevit_method_from_name("grid", &a->method),
                  tomevit_method_merging, TOMEVIT_EINVAL,
                  a->method_options = "tile=15");
    REFUSES(tomevit_method_merging, a->merging = NULL);
    REFUSES(tomevit_method_merging, a->merging->struct_size = 8);
    REFUSES(tomevit_method_merging, a->merging->reserved[1] = 1);
    REFUSES(tomevit_method_merging, a->merging->reserved_int = 1);
    REFUSES(tomevit_method_merging, a->r_to = NULL);
    REFUSES(tomevit_method_merging, a->layers_to = NULL);
    REFUSES(tomevit_method_merging, a->shape_is.depth = 0);
    REFUSES(tomevit_method_merging, a->shape_is.depth = 257);
    REFUSES(tomevit_method_merging, a->shape_is.tokens = 0);
}

static void refuse_merging_files(void)
{
    static char some[] = "test_refusals_vit.merging";
    FILE *file = fopen(some, "w");

    cr_assert(file && fputs("method=tome r=0\n", file) >= 0 &&
              fclose(file) == 0);
#define REFUSES_READ(code, spoil) \
    REFUSES_AFTER(a->path = some, tomevit_merging_read, code, spoil)
    REFUSES_READ(TOMEVIT_EINVAL, a->path = NULL);
    REFUSES_READ(TOMEVIT_EIO, a->path = "nowhere");
    REFUSES_READ(TOMEVIT_EFORMAT, a->path = some_model);
    REFUSES_READ(TOMEVIT_EINVAL, a->shape = NULL);
    REFUSES_READ(TOMEVIT_EINVAL, a->shape_is.depth = 0);
    REFUSES_READ(TOMEVIT_EINVAL, a->shape_is.depth = 257);
    REFUSES_READ(TOMEVIT_EINVAL, a->shape_is.tokens = 0);
    REFUSES_READ(TOMEVIT_EINVAL, a->merging = NULL);
    REFUSES_READ(TOMEVIT_EINVAL, a->r_to = NULL);
    REFUSES_READ(TOMEVIT_EINVAL, a->layers_to = NULL);
#undef REFUSES_READ
#define REFUSES_TEXT(code, spoil) \
    REFUSES_AFTER(a->text_of = "method=tome r=0", tomevit_merging_parse, code, \
                  spoil)
    REFUSES_TEXT(TOMEVIT_EINVAL, a->text_of = NULL);
    REFUSES_TEXT(TOMEVIT_EFORMAT, a->text_of = "r=0");
    REFUSES_TEXT(TOMEVIT_EINVAL, a->shape = NULL);
    REFUSES_TEXT(TOMEVIT_EINVAL, a->shape_is.depth = 0);
    REFUSES_TEXT(TOMEVIT_EINVAL, a->merging = NULL);
    REFUSES_TEXT(TOMEVIT_EINVAL, a->r_to = NULL);
    REFUSES_TEXT(TOMEVIT_EINVAL, a->layers_to = NULL);
#undef REFUSES_TEXT
    unlink(some);
}

/* ---- the whole header ---------------------------------------------------- */

/* These have no error to give. */
static const char *const cannot_fail[] = {
    "tomevit_version", "tomevit_version_string", "tomevit_strerror",
    "tomevit_resized_side", "tomevit_arch_name", "tomevit_close",
    "tomevit_describe", "tomevit_class_name", "tomevit_cpu",
    "tomevit_model_bytes", "tomevit_merging_init", "tomevit_metric_name",
    "tomevit_rope_merge_name", "tomevit_ema_merge_name",
    "tomevit_macs", "tomevit_macs_merged", "tomevit_macs_unread",
    "tomevit_context_free",
    "tomevit_context_bytes", "tomevit_dtype_name", "tomevit_model_dtype",
    "tomevit_open_options_init", "tomevit_tier", "tomevit_pixel_tier",
    "tomevit_bytes_options_init", "tomevit_bytes_close",
    "tomevit_bytes_describe", "tomevit_bytes_cpu",
    "tomevit_bytes_context_free", "tomevit_bytes_macs",
    "tomevit_text_options_init", "tomevit_text_close",
    "tomevit_text_describe", "tomevit_text_each_fact", "tomevit_method_at",
};

Test(refusals_vit, every_function_refuses_what_it_cannot_take,
     .init = open_model, .fini = close_model)
{
    refuse_files();
    refuse_shapes();
    refuse_pixels();
    refuse_contexts();
    refuse_forwards();
    leave_nothing_new();
    refuse_schedules();
    refuse_methods();
    refuse_merging_files();
    refuse_models_of_bytes();
    refuse_bytes();
    refuse_texts();
    REFUSES_NAMES(tomevit_metric_from_name, "K", "k");
    REFUSES_NAMES(tomevit_rope_merge_from_name, "mean", "K");
    REFUSES_NAMES(tomevit_ema_merge_from_name, "rows", "K");
    REFUSES_NAMES(tomevit_dtype_from_name, "bf16", "f64");
    cr_expect_geq(check_map("vit/libtomevit.map", "tomevit_", cannot_fail,
                            sizeof(cannot_fail) / sizeof(*cannot_fail)),
                  35);
}

/* What programs were compiled with stays as it is within version 1. (That is
 * how it is where pointers and size_t have 8 bytes.) */
Test(refusals_vit, structs_keep_their_layout)
{
    if (sizeof(void *) != 8)
        cr_skip_test("pointers of %zu bytes", sizeof(void *));
    cr_expect_eq(sizeof(tomevit_message), 512);
    cr_expect_eq(sizeof(tomevit_preprocessing), 96);
    cr_expect_eq(offsetof(tomevit_preprocessing, reserved), 80);
    cr_expect_eq(sizeof(tomevit_description), 888);
    cr_expect_eq(offsetof(tomevit_description, reserved), 880);
    cr_expect_eq(sizeof(tomevit_open_options), 104);
    cr_expect_eq(offsetof(tomevit_open_options, reserved), 88);
    cr_expect_eq(sizeof(tomevit_text_options), 72);
    cr_expect_eq(sizeof(tomevit_text_description), 368);
    cr_expect_eq(sizeof(tomevit_merging), 224);
    cr_expect_eq(offsetof(tomevit_merging, where), 192);
    cr_expect_eq(sizeof(tomevit_image), 32);
    cr_expect_eq(sizeof(tomevit_output), 104);
    cr_expect_eq(offsetof(tomevit_output, reserved), 64);
}

Test(refusals_vit, what_cannot_fail_takes_anything)
{
    tomevit_preprocessing pre = {0};

    cr_expect_null(tomevit_rope_merge_name(-1));
    cr_expect_null(tomevit_rope_merge_name(3));
    cr_expect_null(tomevit_ema_merge_name(-1));
    cr_expect_null(tomevit_ema_merge_name(4));
    cr_expect_null(tomevit_metric_name(-1));
    cr_expect_null(tomevit_metric_name(6));
    cr_expect_null(tomevit_dtype_name(-1));
    cr_expect_null(tomevit_dtype_name(3));
    cr_expect_null(tomevit_tier(-1));
    cr_expect_null(tomevit_tier(3));
    cr_expect_not_null(tomevit_strerror(1));
    cr_expect_not_null(tomevit_strerror(-99));
    cr_expect_eq(tomevit_resized_side(NULL), 0);
    cr_expect_eq(tomevit_resized_side(&pre), 0);
    cr_expect_null(tomevit_arch_name(SIZE_MAX));
    tomevit_close(NULL);
    tomevit_context_free(NULL);
    tomevit_merging_init(NULL);
    tomevit_open_options_init(NULL);
}
