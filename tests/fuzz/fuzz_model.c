/* SPDX-License-Identifier: MIT */
/*
 * A folder with a model and what lies beside it, as the command opens it: for
 * images, for texts, for bytes; by what the files say and strictly. What is
 * opened and small runs once, with merging. An input is such a folder, the
 * model's weights zeros: see fuzz_folder.h.
 */
#include "config.h"

#include "fuzz.h"
#include "fuzz_folder.h"
#include "tomevit_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL = 64, TOKENS = 160 };

static void require(int condition)
{
    if (!condition)
        abort();
}

static void refused(const tomevit_message *why)
{
    require(why->text[0] != '\0' && !strchr(why->text, '\n'));
}

/* ---- images -------------------------------------------------------------- */

static void *zeros(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    require(memory != NULL);
    return memory;
}

/* Two images, each with sides of its own where they may have them. */
static void run(const tomevit_model *model, const tomevit_description *d)
{
    size_t width = d->image_width ? d->image_width : d->image_size;
    size_t most = d->preprocessing.max_patches;
    size_t *r = zeros(d->depth, sizeof(*r));
    uint8_t *pixels = zeros(d->image_size * width +
                            most * d->patch * d->patch, 3);
    tomevit_image images[2] = {{.data = pixels}, {.data = pixels}};
    tomevit_output out = {.logits = zeros(2 * d->classes, sizeof(float)),
                          .features = zeros(2 * d->features, sizeof(float)),
                          .map = zeros(2 * d->tokens, sizeof(int32_t)),
                          .embedding = zeros(2 * d->embedding, sizeof(float))};
    tomevit_context *context;
    tomevit_merging merging;

    if (most) {
        images[0].height = images[0].width = images[1].height = d->patch;
        images[1].width = d->patch * (most < 3 ? most : 3);
    }
    tomevit_merging_init(&merging);
    merging.r = r;
    if (tomevit_context_create(model, 2, 1, &context) == 0) {
        require(tomevit_forward(context, NULL, 2, images, &out) == 0);
        for (size_t i = 0; i < d->depth; i++)
            r[i] = 1 + i;
        tomevit_forward(context, &merging, 2, images, &out);
        tomevit_context_free(context);
    }
    free(out.logits);
    free(out.features);
    free(out.map);
    free(out.embedding);
    free(pixels);
    free(r);
}

static void see_fact(void *data, const tomevit_fact *fact)
{
    (void)data;
    require(fact->what && fact->value);
}

static int run_small(const char *path, const tomevit_open_options *options,
                     tomevit_message *why)
{
    tomevit_model *model;

    if (tomevit_open(path, options, &model, why) != 0)
        return 0;
    const tomevit_description *d = tomevit_describe(model);
    if (d->dim <= SMALL && d->depth <= 4 && d->tokens <= TOKENS &&
        d->mlp_dim <= 4 * SMALL && d->image_size <= 4 * SMALL &&
        d->image_width <= 4 * SMALL && d->patch <= SMALL)
        run(model, d);
    tomevit_close(model);
    return 1;
}

static void open_images(const char *path)
{
    tomevit_open_options options;
    tomevit_message why = {""};

    tomevit_open_options_init(&options);
    if (!run_small(path, &options, &why)) {
        refused(&why);
        options.strict = 1;
        require(!run_small(path, &options, NULL));
        return;
    }
    require(tomevit_each_fact(path, &options, see_fact, NULL, NULL) == 0);
    options.max_patches = 6;
    if (!run_small(path, &options, &why))
        refused(&why);
    options.max_patches = 0;
    options.dtype = TOMEVIT_INT8;
    if (!run_small(path, &options, &why))
        refused(&why);
}

/* ---- texts and bytes ----------------------------------------------------- */

static void open_texts(const char *path)
{
    static const char *const texts[] = {"a dog", "caf\xc3\xa9 <a> it's"};
    tomevit_text_options options;
    tomevit_message why = {""};
    tomevit_text *text;

    tomevit_text_options_init(&options);
    if (tomevit_text_open(path, &options, &text, &why) != 0) {
        refused(&why);
        return;
    }
    const tomevit_text_description *d = tomevit_text_describe(text);
    float *rows = zeros(2 * d->embedding, sizeof(*rows));

    require(d->heads && d->dim % d->heads == 0 && d->context && d->embedding);
    require(d->norm_eps > 0 && d->norm_eps < 1);
    tomevit_text_each_fact(text, see_fact, NULL);
    if (d->dim <= SMALL && d->depth <= 4 && d->context <= TOKENS &&
        tomevit_text_embed(text, texts, 2, 1, rows, NULL, &why) != 0)
        refused(&why);
    free(rows);
    tomevit_text_close(text);
}

static void open_bytes(const char *path)
{
    tomevit_bytes_context *context;
    tomevit_message why = {""};
    tomevit_bytes *model;

    if (tomevit_bytes_open(path, NULL, &model, &why) != 0) {
        refused(&why);
        return;
    }
    const tomevit_bytes_description *d = tomevit_bytes_describe(model);
    uint8_t *bytes = zeros(d->length, 1);
    tomevit_bytes_output out = {.bits = NULL};

    require(d->length == d->patch * d->patches);
    require(d->length == 3 * d->width * d->height);
    if (d->length <= 1024 && d->global_dim <= 4 * SMALL &&
        d->global_layers + d->local_layers <= 8 &&
        tomevit_bytes_context_create(model, 1, 1, &context) == 0) {
        require(tomevit_bytes_forward(context, 1, bytes, &out) == 0);
        tomevit_bytes_context_free(context);
    }
    free(bytes);
    tomevit_bytes_close(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "model.safetensors", "config.json", "preprocessor_config.json",
        "processor_config.json", "open_clip_config.json", "tokenizer.json",
        "vocab.json", "merges.txt", "tokenizer_config.json", "spiece.model",
        NULL
    };
    char path[FUZZ_PATH], *text = malloc(size + 1);

    require(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    fuzz_fill(names, text, size);
    fuzz_path_of(names[0], path);
    open_images(path);
    open_texts(path);
    open_bytes(path);
    free(text);
    return 0;
}
