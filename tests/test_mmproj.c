/* SPDX-License-Identifier: MIT */
/* llama.cpp's image towers: what of their metadata is believed, what is a
 * guess, and what is refused by its name. The fixtures, which test_layouts.c
 * runs, are damaged here in a few bytes each. */
#include "config.h"

#include "../vit/checkpoint/checkpoint.h"
#include "draws.h"
#include "golden.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *path_of(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char file[96];

    snprintf(file, sizeof(file), "tests/fixtures/layouts/mmproj_%s.gguf", name);
    return golden_path(srcdir ? srcdir : ".", file);
}

/* The bytes of a fixture, to be freed. */
static unsigned char *read_fixture(const char *name, size_t *count)
{
    char *path = path_of(name);
    FILE *in = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);

    cr_assert(in && bytes, "%s", path);
    *count = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    free(path);
    return bytes;
}

/* The first bytes that are these; they are in the file. */
static unsigned char *find(unsigned char *bytes, size_t count,
                           const void *what, size_t length)
{
    for (size_t i = 0; i + length <= count; i++)
        if (!memcmp(bytes + i, what, length))
            return bytes + i;
    cr_assert_fail("the fixture has no %.40s", (const char *)what);
    return bytes;
}

typedef struct damage {
    const char *fixture, *old, *new; /* of one length */
    size_t length;
    const char *words;     /* of the refusal */
} damage;

#define D(fixture, old, new, words) {fixture, old, new, sizeof(old) - 1, words}
#define U32 "\4\0\0\0"
#define U8 "\0\0\0\0"
#define BOOL "\7\0\0\0"

static const damage damages[] = {
    D("gemma3", "gemma3", "gemmaX",
      "metadata \"clip.projector_type\": the tower of \"gemmaX\" cannot be run "
      "here: it is not known here"),
    D("qwen3", "qwen3vl_merger", "qwen2vl_merger",
      "the tower of \"qwen2vl_merger\" cannot be run here: rotary positions"),
    D("gemma3", "clip.projector_type", "clip.projector_tyPe",
      "\"clip.projector_type\": expected the type of a tower without a class"),
    D("clip", "\4\0\0\0\0\0\0\0clip", "\4\0\0\0\0\0\0\0clop",
      "metadata \"general.architecture\": expected \"clip\", found clop"),
    D("internvl", "clip.use_gelu" BOOL "\1", "clip.use_gelu" BOOL "\0",
      "metadata \"clip.use_gelu\": expected another function"),
    D("internvl", "clip.use_gelu" BOOL "\1", "clip.use_gelu" U8 "\1",
      "metadata \"clip.use_gelu\": expected true or false, found 1"),
    D("gemma3", "clip.vision.embedding_length", "clip.vision.wa_layer_indexes",
      "metadata \"clip.vision.wa_layer_indexes\": attention in windows cannot "
      "be run here"),
    D("gemma3", "clip.use_gelu", "clip.use_silu",
      "metadata \"clip.use_silu\": expected another function in the MLP of "
      "\"gemma3\""),
    D("llava", "head_count" U32 "\2", "head_count" U32 "\3",
      "a number of heads that divides 32"),
    D("llava", "block_count" U32 "\2", "block_count" U32 "\3",
      "\"clip.vision.block_count\": expected 2, as its tensors have it, "
      "found 3"),
    D("llava", "embedding_length" U32 "\x20", "embedding_length" U32 "\x21",
      "\"clip.vision.embedding_length\": expected 32"),
    D("llava", "feed_forward_length" U32 "\x30",
      "feed_forward_length" U32 "\x31",
      "\"clip.vision.feed_forward_length\": expected 48"),
    D("llava", "patch_size" U32 "\4", "patch_size" U32 "\5",
      "\"clip.vision.patch_size\": expected 4"),
    D("llava", "image_size" U32 "\x18", "image_size" U32 "\x1c",
      "\"clip.vision.image_size\": expected 24"),
    D("qwen3", "spatial_merge_size" U32 "\2", "spatial_merge_size" U32 "\3",
      "\"clip.vision.spatial_merge_size\": expected 2"),
    D("gemma3", "v.post_ln.weight", "v.past_ln.weight",
      "tensor \"v.post_ln.weight\" (timm's \"norm.weight\") is missing"),
    D("llava", "v.patch_embd.weight", "a.patch_embd.weight",
      "the tower of \"mlp\" cannot be run here: tensor "
      "\"v.patch_embd.weight\" is missing"),
    D("qwen3", "v.patch_embd.weight.1", "v.patch_embd.weight.2",
      "metadata \"clip.projector_type\": expected tensors "
      "\"v.patch_embd.weight.1\" and \"mm.0.weight\" with \"qwen3vl_merger\""),
};

static int parse(const unsigned char *bytes, size_t count,
                 tomevit_message *why)
{
    tomevit_description d;
    vit_checkpoint *c;
    int code = tomevit_checkpoint_parse("m.gguf", bytes, count, &c, &d, why);

    tomevit_checkpoint_close(c);
    return code;
}

Test(mmproj, what_does_not_fit_is_refused_by_its_name)
{
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        const damage *d = &damages[i];
        tomevit_message why = {""};
        size_t count;
        unsigned char *bytes = read_fixture(d->fixture, &count);

        cr_assert_eq(parse(bytes, count, &why), 0, "%s", why.text);
        memcpy(find(bytes, count, d->old, d->length), d->new, d->length);
        cr_assert_neq(parse(bytes, count, &why), 0, "%zu: %s", i, d->new);
        cr_assert(strstr(why.text, d->words), "%zu: %s", i, why.text);
        free(bytes);
    }
}

/* A matrix of blocks of four bits, which take less room than halves. */
Test(mmproj, quantised_types_are_refused_by_their_name)
{
    static const char name[] = "v.blk.1.attn_out.weight";
    tomevit_message why = {""};
    size_t count;
    unsigned char *bytes = read_fixture("gemma3", &count);
    unsigned char *type = find(bytes, count, name, sizeof(name) - 1) +
                          sizeof(name) - 1 + 4 + 2 * 8;

    cr_assert_eq(*type, 1);
    *type = 2;
    cr_assert_eq(parse(bytes, count, &why), TOMEVIT_EMODEL);
    cr_assert(strstr(why.text, "tensor \"v.blk.1.attn_out.weight\" (timm's "
                     "\"blocks.1.attn.proj.weight\"): expected dtype F32, F16 "
                     "or BF16, found Q4_0"), "%s", why.text);
    free(bytes);
}

/* A few bytes before the tensors, changed at random, the same each time. */
Test(mmproj, damaged_files_open_or_are_refused_in_one_line)
{
    static const char *const names[] = {"clip", "llava", "internvl", "qwen3",
                                        "pixtral"};
    uint32_t random = 1;
    size_t refused = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t count;
        unsigned char *bytes = read_fixture(names[i], &count);
        unsigned char *copy = malloc(count);

        cr_assert_not_null(copy);
        for (int trial = 0; trial < 1000; trial++) {
            tomevit_message why = {""};

            memcpy(copy, bytes, count);
            for (int k = 0; k < 3; k++) {
                draw_32(&random);
                copy[(random >> 8) % 3600] = (unsigned char)(random >> 3);
            }
            if (parse(copy, count, &why)) {
                cr_assert(why.text[0] && !strchr(why.text, '\n'));
                refused++;
            }
        }
        free(copy);
        free(bytes);
    }
    cr_assert(refused > 2500 && refused < 5000, "%zu", refused);
}

/* ---- guesses ------------------------------------------------------------- */

typedef struct expected {
    const char *fixture, *what, *value, *from;
    int guessed;
} expected;

static const expected facts[] = {
    {"clip", "pooling", "class", "general.architecture", 0},
    {"clip", "activation", "quick_gelu", "clip.use_gelu", 0},
    {"clip", "interpolation", "bicubic", "guess", 1},
    {"llava", "pooling", "mean", "guess", 1},
    {"llava", "last norm", "none", "clip.projector_type", 0},
    {"llava", "heads", "2", "metadata", 0},
    {"gemma3", "activation", "gelu_tanh", "clip.projector_type", 0},
    {"gemma3", "norm epsilon", "1e-06", "metadata", 0},
    {"gemma3", "interpolation", "bilinear", "clip.projector_type", 0},
    {"internvl", "activation", "gelu", "clip.projector_type", 0},
    {"internvl", "interpolation", "bicubic", "guess", 1},
    {"internvl", "mean", "0.5 0.25 0.375", "metadata", 0},
    {"qwen3", "order of cells", "patches", "clip.projector_type", 0},
    {"qwen3", "image size", "24", "metadata", 0},
};

typedef struct search {
    const expected *e;
    int found;
} search;

static void look(void *data, const tomevit_fact *fact)
{
    search *s = data;

    if (strcmp(fact->what, s->e->what))
        return;
    s->found = 1;
    cr_assert_str_eq(fact->value, s->e->value, "%s", s->e->what);
    cr_assert_str_eq(fact->from, s->e->from, "%s of %s", s->e->what,
                     s->e->fixture);
    cr_assert_eq(fact->guessed, s->e->guessed, "%s", s->e->what);
}

Test(mmproj, what_no_key_says_is_a_guess)
{
    for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
        search s = {&facts[i], 0};
        tomevit_message why = {""};
        char *path = path_of(facts[i].fixture);

        cr_assert_eq(tomevit_each_fact(path, NULL, look, &s, &why), 0, "%s",
                     why.text);
        cr_assert(s.found, "%s of %s", facts[i].what, facts[i].fixture);
        free(path);
    }
}

Test(mmproj, strict_opens_none_that_leaves_a_choice)
{
    tomevit_open_options options;
    tomevit_description d;
    tomevit_message why = {""};
    char *path = path_of("llava");

    tomevit_open_options_init(&options);
    options.strict = 1;
    cr_assert_eq(tomevit_read_description(path, &options, &d, &why),
                 TOMEVIT_EMODEL);
    cr_assert(strstr(why.text, "pooling mean"), "%s", why.text);
    free(path);
}
