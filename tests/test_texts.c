/* SPDX-License-Identifier: MIT */
/* Texts to numbers and to embeddings, as the libraries that wrote the models
 * make them. tests/fixtures/make-texts.py says how they were made. */
#include "../vit/containers/tensors.h"
#include "../vit/text/tokenizer.h"
#include "golden.h"
#include "model_tiers.h"
#include "tomevit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder_of(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char path[64];

    snprintf(path, sizeof(path), "tests/fixtures/texts/%s", name);
    return golden_path(srcdir ? srcdir : ".", path);
}

static void need_unicode(void)
{
    if (!tomevit_unicode_is_there())
        cr_skip_test("built without utf8proc");
}

/* A model in a folder of the fixtures; `tokenizer` NULL: the one beside it. */
static tomevit_text *open_text(const char *name, const char *tokenizer)
{
    char *folder = folder_of(name);
    char *path = golden_path(folder, strncmp(name, "open", 4) == 0
                                         ? "open_clip_model.safetensors"
                                         : "model.safetensors");
    char *beside = tokenizer ? folder_of(tokenizer) : NULL;
    tomevit_text_options options;
    tomevit_message why;
    tomevit_text *text;
    int code;

    tomevit_text_options_init(&options);
    options.tokenizer = beside;
    options.strict = 1;    /* nothing of these is a guess */
    code = tomevit_text_open(path, &options, &text, &why);
    cr_assert_eq(code, 0, "%s", why.text);
    free(folder), free(path), free(beside);
    return text;
}

static json_t *expected(const char *name)
{
    char *folder = folder_of(name), *path = golden_path(folder,
                                                        "expected.json");
    json_error_t error;
    json_t *list = json_load_file(path, 0, &error);

    cr_assert(list, "%s: %s", path, error.text);
    free(folder), free(path);
    return list;
}

static float *embeddings_of(const char *name, size_t count)
{
    char *folder = folder_of(name), *path = golden_path(folder,
                                                        "expected.npy");
    tomevit_message why;
    vit_tensors *file;
    float *values = malloc(count * sizeof(*values));

    cr_assert_eq(tomevit_tensors_open(path, &file, &why), 0, "%s", why.text);
    cr_assert_eq(file->list[0].elements, count);
    cr_assert_eq(tomevit_tensors_read(file, &file->list[0], values, &why), 0);
    tomevit_tensors_close(file);
    free(folder), free(path);
    return values;
}

/* ---- numbers ------------------------------------------------------------- */

/* What the original wrote, up to the context; its padding behind `count` is
 * only compared where the tower sees it. */
static void check_ids(const char *name, const char *tokenizer, int padded)
{
    tomevit_text *text = open_text(name, tokenizer);
    size_t context = tomevit_text_describe(text)->context, at;
    int32_t *ids = malloc(context * sizeof(*ids));
    json_t *list = expected(name), *entry;

    cr_assert(json_array_size(list) > 20);
    json_array_foreach(list, at, entry) {
        const char *utf8 = golden_string(entry, "text");
        const json_t *want = json_object_get(entry, "ids");
        size_t count;
        tomevit_message why;
        int code = tomevit_text_tokens(text, utf8, ids, &count, &why);

        cr_assert_eq(code, 0, "%s: %s", name, why.text);
        cr_assert_eq(json_array_size(want), context);
        for (size_t i = 0; i < context && (padded || i < count); i++) {
            json_int_t number = json_integer_value(json_array_get(want, i));

            cr_assert_eq(number, ids[i], "%s: \"%s\": token %zu: %d not %d",
                         name, utf8, i, (int)ids[i], (int)number);
        }
    }
    json_decref(list);
    free(ids);
    tomevit_text_close(text);
}

Test(texts, numbers_by_tokenizer_json)
{
    need_unicode();
    check_ids("hf_clip", NULL, 1);
}

Test(texts, numbers_by_vocab_and_merges)
{
    need_unicode();
    check_ids("hf_clip", "clip_pair", 1);
}

Test(texts, numbers_by_a_list_of_merges)
{
    need_unicode();
    check_ids("open_clip", "open_clip/bpe.txt.gz", 1);
}

Test(texts, numbers_by_pieces)
{
    need_unicode();
    check_ids("hf_siglip", NULL, 1);
    check_ids("open_siglip", NULL, 1);
}

Test(texts, numbers_by_byte_pairs)
{
    need_unicode();
    check_ids("hf_siglip2", NULL, 1);
}

/* ---- embeddings ---------------------------------------------------------- */

static const char *const models[][2] = {
    {"hf_clip", NULL}, {"open_clip", "open_clip/bpe.txt.gz"},
    {"hf_siglip", NULL}, {"open_siglip", NULL},
    {"hf_siglip2", NULL},
};

static void check_embeddings(const char *name, const char *tokenizer,
                             const char *tier)
{
    tomevit_text *text = open_text(name, tokenizer);
    size_t width = tomevit_text_describe(text)->embedding, i, cut = 0;
    json_t *list = expected(name), *entry;
    size_t count = json_array_size(list);
    const char **texts = malloc(count * sizeof(*texts));
    float *want = embeddings_of(name, count * width);
    float *got = malloc(count * width * sizeof(*got));
    float *alone = malloc(width * sizeof(*alone));
    tomevit_message why;

    json_array_foreach(list, i, entry)
        texts[i] = golden_string(entry, "text");
    cr_assert_eq(tomevit_text_embed(text, texts, count, 2, got, &cut, &why), 0,
                 "%s", why.text);
    cr_assert(cut >= 2, "%zu were cut", cut);
    for (i = 0; i < count * width; i++)
        cr_assert_float_eq(got[i], want[i], 1e-4f, "%s, %s: \"%s\": channel "
                           "%zu: %.9g not %.9g", name, tier, texts[i / width],
                           i % width, (double)got[i], (double)want[i]);
    /* The same bits alone as among others. */
    for (i = 0; i < count; i += 7) {
        cr_assert_eq(tomevit_text_embed(text, texts + i, 1, 1, alone, NULL,
                                        NULL), 0);
        cr_assert(!memcmp(alone, got + i * width, width * sizeof(*alone)),
                  "%s, %s: \"%s\" alone", name, tier, texts[i]);
    }
    free(texts), free(want), free(got), free(alone);
    json_decref(list);
    tomevit_text_close(text);
}

static void check_tier(const char *tier)
{
    for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
        check_embeddings(models[i][0], models[i][1], tier);
}

Test(texts, embeddings_on_every_tier)
{
    need_unicode();
    each_tier(check_tier);
}

/* ---- refusals ------------------------------------------------------------ */

static void refuses(const char *json, const char *line)
{
    vit_tokenizer *t;
    tomevit_message why;
    int code = tomevit_tokenizer_parse("t", json, strlen(json), &t, &why);

    cr_assert_neq(code, 0, "%s", json);
    cr_assert(strstr(why.text, line), "%s: %s", json, why.text);
}

Test(texts, refuses_tokenizers_by_name)
{
    need_unicode();
    refuses("{\"model\":{\"type\":\"WordPiece\"}}",
            "a model of the kind \"WordPiece\" is not run");
    refuses("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true}}",
            "a fallback to bytes without \"<0x00>\"");
    refuses("{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\","
            "\"dropout\":0.5}}", "of another kind than CLIP's and Gemma's");
    refuses("{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,"
            "\"ignore_merges\":true}}", "of another kind than");
    refuses("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
            "[[\"a\",0]]},\"normalizer\":{\"type\":\"StripAccents\"}}",
            "the normalizer \"StripAccents\" is not run");
    refuses("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
            "[[\"a\",0]]},\"normalizer\":{\"type\":\"Replace\",\"pattern\":"
            "{\"Regex\":\"x+\"},\"content\":\"\"}}", "the pattern \"x+\"");
    refuses("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
            "[[\"a\",0]]},\"pre_tokenizer\":{\"type\":\"Digits\"}}",
            "words cut by \"Digits\"");
    refuses("{\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":"
            "[[\"a\",0]]}}", "one of them for what is unknown");
    refuses("[", "or a list of merges, a pair on a line");
    refuses("#\nno pair\n", "line 2 of the merges: expected two known");
    refuses("{", "expected a tokenizer's JSON");
}

static void refuses_text(const tomevit_text *text, const char *utf8, int code,
                         const char *line)
{
    int32_t ids[64];
    size_t count;
    tomevit_message why;
    int got = tomevit_text_tokens(text, utf8, ids, &count, &why);

    cr_assert_eq(got, code, "\"%s\": %d", utf8, got);
    cr_assert(strstr(why.text, line), "\"%s\": %s", utf8, why.text);
}

Test(texts, refuses_texts)
{
    tomevit_text *text;
    char *large;

    need_unicode();
    large = calloc(1, VIT_TEXT_BYTES + 2);
    text = open_text("open_clip", "open_clip/bpe.txt.gz");
    memset(large, 'a', VIT_TEXT_BYTES + 1);
    refuses_text(text, large, TOMEVIT_EINVAL, "at most 16384 bytes");
    refuses_text(text, "\xff", TOMEVIT_EINVAL, "expected UTF-8");
    refuses_text(text, "\xc0\x80", TOMEVIT_EINVAL, "expected UTF-8");
    refuses_text(text, "a\xed\xa0\x80", TOMEVIT_EINVAL, "expected UTF-8");
    refuses_text(text, "caf\xc3\x83\xc2\xa9", TOMEVIT_EMODEL,
                 "in the wrong encoding");
    refuses_text(text, "&eacute;", TOMEVIT_EMODEL,
                 "HTML has an entity \"&eacute;\"");
    refuses_text(text, "black&copywhite", TOMEVIT_EMODEL, "\"&copy\"");
    free(large);
    tomevit_text_close(text);
}

Test(texts, needs_a_tokenizer)
{
    char *folder = folder_of("open_clip");
    char *path = golden_path(folder, "open_clip_model.safetensors");
    tomevit_message why;
    tomevit_text *text;

    cr_assert_eq(tomevit_text_open(path, NULL, &text, &why), TOMEVIT_EMODEL);
    cr_assert(strstr(why.text, tomevit_unicode_is_there()
                         ? "expected a tokenizer beside it, tokenizer.json or "
                           "vocab.json with merges.txt, found none"
                         : "expected a tokenizer beside it"), "%s", why.text);
    free(folder), free(path);
}
