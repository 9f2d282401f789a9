/* SPDX-License-Identifier: MIT */
/*
 * Nothing is guessed in silence: every fixture is opened as its library writes
 * it, and once more without its metadata and without the files beside it. What
 * is then another model must be among the guesses, and strict opens none of
 * them.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden.h"
#include "tomevit.h"

/* ---- the same tensors alone ---------------------------------------------- */

static unsigned char *read_file(const char *path, size_t *count)
{
    FILE *f = fopen(path, "rb");
    unsigned char *bytes;

    cr_assert(f, "%s", path);
    fseek(f, 0, SEEK_END);
    *count = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(*count + 8);
    cr_assert_eq(fread(bytes, 1, *count, f), *count);
    fclose(f);
    return bytes;
}

/* The file with no metadata but the number of heads, without which small
 * models do not open. */
static void write_stripped(FILE *f, const unsigned char *bytes, size_t count,
                           size_t heads)
{
    unsigned char prefix[8];
    size_t length = 0, used;
    uint64_t padded;
    char number[24];
    json_t *header;
    char *text;

    for (int i = 8; i-- > 0;)
        length = length << 8 | bytes[i];
    header = json_loadb((const char *)bytes + 8, length, 0, NULL);
    cr_assert(header);
    snprintf(number, sizeof(number), "%zu", heads);
    json_object_set_new(header, "__metadata__",
                        json_pack("{s:s}", "num_heads", number));
    text = json_dumps(header, JSON_COMPACT);
    used = strlen(text);
    padded = (used + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(padded >> 8 * i);
    fwrite(prefix, 1, 8, f);
    fprintf(f, "%s%*s", text, (int)(padded - used), "");
    fwrite(bytes + 8 + length, 1, count - 8 - length, f);
    free(text);
    json_decref(header);
}

/* Keys of a GGUF file that nobody looks for. */
static void write_renamed(FILE *f, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i + 5 <= count; i++)
        if (!memcmp(bytes + i, "clip.", 5))
            memcpy(bytes + i, "none.", 5);
    fwrite(bytes, 1, count, f);
}

/* A copy of the file in a folder of its own, to be freed; `folder` is its. */
static char *alone(const char *path, char *folder, size_t heads)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t count;
    unsigned char *bytes = read_file(path, &count);
    char *copy;
    FILE *f;

    cr_assert(mkdtemp(folder));
    copy = golden_path(folder, slash ? slash + 1 : path);
    f = fopen(copy, "wb");
    cr_assert(f);
    if (dot && !strcmp(dot, ".safetensors"))
        write_stripped(f, bytes, count, heads);
    else if (dot && !strcmp(dot, ".gguf"))
        write_renamed(f, bytes, count);
    else
        fwrite(bytes, 1, count, f);
    cr_assert_eq(fclose(f), 0);
    free(bytes);
    return copy;
}

/* ---- what differs -------------------------------------------------------- */

#define D(member, fact) \
    {#member, offsetof(tomevit_description, member), \
     sizeof(((tomevit_description *)0)->member), fact}

/* Every member of which a model consists, and the fact that it is shown by;
 * none for what tensors show alone, which must not differ. */
static const struct {
    const char *name;
    size_t at, bytes;
    const char *fact;
} members[] = {
    D(dim, NULL), D(depth, "runs of a layer"), D(share, "runs of a layer"),
    D(heads, "heads"), D(kv_heads, "heads"), D(whole, NULL), D(mlp_dim, NULL),
    D(patch, NULL),
    D(image_size, "image size"), D(image_width, "image size"),
    D(classes, NULL), D(tokens, "image size"),
    D(prefix, NULL), D(registers, NULL), D(pos_prefix, NULL),
    D(features, "pooling"), D(class_token, NULL), D(distilled, NULL),
    D(patch_bias, NULL), D(head_bias, NULL), D(qkv_bias, NULL),
    D(pos_embed, NULL), D(relative, NULL),
    D(relative_hidden, NULL), D(post_norm, "norms"), D(rope, "positions"),
    D(relative_hidden, NULL), D(post_norm, "norms"),
    D(patch_norm, NULL), D(norm_pre, NULL), D(block, NULL),
    D(mega.laplace, "attention"), D(mega.chunk, NULL), D(mega.groups, NULL),
    D(mega.shared, NULL), D(mega.value, NULL), D(mega.states, NULL),
    D(rms_norm, "norm"), D(unbiased, NULL), D(mlp_unbiased, NULL),
    D(in_order, NULL), D(qk_norm, NULL), D(layer_scale, NULL),
    D(activation, "activation"), D(attn_norm, NULL), D(mlp_norm, NULL),
    D(final_norm, "last norm"), D(fc_norm, "pooling"),
    D(bare_norm, "last norm"), D(cells, "order of cells"),
    D(pool, "pooling"), D(pool_prefix, "pooled tokens"),
    D(pool_heads, "heads of pooling"), D(pool_mlp_dim, NULL),
    D(pool_queries, NULL),
    D(zero_shot, NULL), D(embedding, NULL), D(projection, NULL),
    D(projection_bias, NULL), D(logit_scale, NULL), D(logit_bias, NULL),
    D(ranges, NULL), D(signed_pixels, NULL),
    D(norm_eps, "norm epsilon"), D(preprocessing.size, "image size"),
    D(preprocessing.mean, "mean"), D(preprocessing.std, "std"),
    D(preprocessing.crop_pct, "crop"), D(preprocessing.crop_mode, "crop"),
    D(preprocessing.interpolation, "interpolation"),
};

typedef struct fact_list {
    struct {
        char what[40], from[64];
        int guessed;
    } list[40];
    size_t count;
} fact_list;

static void keep(void *data, const tomevit_fact *fact)
{
    fact_list *f = data;

    cr_assert_lt(f->count, sizeof(f->list) / sizeof(*f->list));
    snprintf(f->list[f->count].what, sizeof(f->list->what), "%s", fact->what);
    snprintf(f->list[f->count].from, sizeof(f->list->from), "%s", fact->from);
    f->list[f->count++].guessed = fact->guessed;
}

/* 1 if guessed, 0 if known, -1 if the fact is not shown. */
static int guessed(const fact_list *f, const char *what)
{
    for (size_t i = 0; what && i < f->count; i++)
        if (!strcmp(f->list[i].what, what))
            return f->list[i].guessed;
    return -1;
}

static void compare(const char *path, const tomevit_description *whole,
                    const tomevit_description *bare, const fact_list *facts)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        size_t at = members[i].at;

        if (!memcmp((const char *)whole + at, (const char *)bare + at,
                    members[i].bytes))
            continue;
        cr_assert(guessed(facts, members[i].fact) == 1, "%s alone: another "
                  "%s without a guess", path, members[i].name);
    }
}

/* ---- what its family leaves open ----------------------------------------- */

/* Facts of which models with the same tensors differ, by the layout. */
static const struct {
    const char *layout, *facts[12];
} open_facts[] = {
    {"timm", {"activation", "norm epsilon", "pooling", "positions", "norms",
              "last norm", "image size", "pooled tokens"}},
    {"DINOv2", {"activation", "norm epsilon", "pooling", "norms",
                "image size"}},
    {"CLIP", {"activation", "norm epsilon", "pooling",
              "image size"}},
    {"OpenAI CLIP", {"mean"}},
    {"Hugging Face", {"activation", "norm epsilon", "positions",
                      "norms", "image size"}},
    {"Hugging Face CLIP", {"activation", "norm epsilon",
                           "positions", "image size"}},
    {"Hugging Face SigLIP", {"activation", "norm epsilon", "image size"}},
    {"Hugging Face DINOv2", {"positions", "image size"}},
    {"Hugging Face AIMv2", {"activation", "image size"}},
    {"MobileLLM", {"norm epsilon", "positions", "runs of a layer",
                   "image size"}},
};

/* Whatever layout, of pixels no tensor says a thing. */
static const char *const pixels[] = {"mean", "std", "crop", "interpolation"};

/* Shown by tensors of this very file: relative tables have a side for heads,
 * gates of SwiGLU have names of their own, and the like; or asked for. */
static int by_tensors(const fact_list *f, const char *what)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].what, what))
            return !strcmp(f->list[i].from, "tensors") ||
                   !strcmp(f->list[i].from, "option");
    return 0;
}

/* What is shown of some models only is a guess where it is shown: 1, or -1. */
static int sometimes(const char *what, const fact_list *f)
{
    int rare = !strcmp(what, "last norm") || !strcmp(what, "pooled tokens");

    return rare && guessed(f, what) < 0 ? -1 : 1;
}

static void check_open(const char *path, const char *layout,
                       const fact_list *f)
{
    for (size_t i = 0; i < sizeof(pixels) / sizeof(*pixels); i++)
        cr_assert_eq(guessed(f, pixels[i]), 1, "%s alone: %s is no guess",
                     path, pixels[i]);
    for (size_t i = 0; i < sizeof(open_facts) / sizeof(*open_facts); i++) {
        if (strcmp(open_facts[i].layout, layout))
            continue;
        for (size_t k = 0; k < 12 && open_facts[i].facts[k]; k++)
            cr_assert(guessed(f, open_facts[i].facts[k]) ==
                              sometimes(open_facts[i].facts[k], f) ||
                          by_tensors(f, open_facts[i].facts[k]),
                      "%s alone: %s is no guess", path, open_facts[i].facts[k]);
    }
}

/* ---- the fixtures -------------------------------------------------------- */

/* 1 if the tensors open alone. */
static int check(const char *path, size_t size)
{
    char folder[] = "unsaid-XXXXXX";
    char *copy;
    tomevit_open_options options;
    tomevit_description whole, bare;
    tomevit_message why = {""};
    fact_list facts = {.count = 0};
    int opens;

    tomevit_open_options_init(&options);
    options.image_size = size;
    cr_assert_eq(tomevit_read_description(path, &options, &whole, &why), 0,
                 "%s", why.text);
    copy = alone(path, folder, whole.heads);
    opens = !tomevit_read_description(copy, &options, &bare, &why);
    cr_assert(opens || why.text[0]);
    if (opens) {
        cr_assert_eq(tomevit_each_fact(copy, &options, keep, &facts, NULL), 0);
        compare(path, &whole, &bare, &facts);
        check_open(path, bare.layout, &facts);
        options.strict = 1;
        cr_assert_eq(tomevit_read_description(copy, &options, &bare, &why),
                     TOMEVIT_EMODEL, "%s alone, strictly", path);
        cr_assert(strstr(why.text, "strict allows no guess"), "%s", why.text);
    }
    cr_assert_eq(unlink(copy) || rmdir(folder), 0);
    free(copy);
    return opens;
}

static char *fixtures(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char *all = golden_path(srcdir ? srcdir : ".", "tests/fixtures");
    char *path = golden_path(all, name);

    free(all);
    return path;
}

Test(unsaid, what_no_tensor_shows_of_any_layout_is_a_guess)
{
    char *folder = fixtures("layouts");
    json_t *index = golden_index(folder), *entry;
    size_t i, opened = 0;

    json_array_foreach(index, i, entry) {
        const json_t *run = json_array_get(json_object_get(entry, "runs"), 0);
        char *path = golden_path(folder, golden_string(entry, "weights"));

        opened += (size_t)check(path, json_object_get(entry, "image_size")
                                          ? golden_size(run, "size") : 0);
        free(path);
    }
    /* Most do; the others lack what has to be said of them, such as heads
     * where a file of PyTorch's has no place to say it. */
    cr_assert_geq(2 * opened, json_array_size(index), "%zu of %zu", opened,
                  json_array_size(index));
    json_decref(index);
    free(folder);
}

Test(unsaid, what_no_tensor_shows_of_encoders_is_a_guess)
{
    static const char *const names[] = {
        "encoders/mega.safetensors", "encoders/mega_softmax_chunk.safetensors",
        "encoders/megalodon.safetensors",
        "encoders/megalodon_swiglu_chunk.safetensors",
        "encoders/mobile.safetensors", "encoders/mobile_shared.safetensors",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char *path = fixtures(names[i]);

        check(path, 0);
        free(path);
    }
}
