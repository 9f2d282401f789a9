/* SPDX-License-Identifier: MIT */
/* The model in a tokenizer.json: byte pairs of CLIP's and of Gemma's kind, or
 * SentencePiece's unigram pieces. */
#include "config.h"

#include "tokenizer_model.h"
#include "tokenizer_members.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- pieces -------------------------------------------------------------- */

/* "a b", or ["a", "b"]. */
static int split_merge(const json_t *merge, const char **a, size_t *n,
                       const char **b)
{
    const char *both = json_string_value(merge), *gap;

    if (both) {
        gap = strchr(both, ' ');
        *a = both;
        *n = gap ? (size_t)(gap - both) : 0;
        *b = gap ? gap + 1 : NULL;
    } else {
        *a = json_string_value(json_array_get(merge, 0));
        *b = json_string_value(json_array_get(merge, 1));
        *n = *a ? strlen(*a) : 0;
    }
    return *a && *b && *n > 0 && **b;
}

/* One merge, the `rank`-th. */
static int add_merge(vit_tokenizer *t, const json_t *merge, size_t rank,
                     const vit_report *report)
{
    const char *a, *b;
    size_t n;
    vit_string whole = {0};
    int32_t left, right, made;

    if (rank == VIT_MERGES)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected at most %d "
                            "merges", VIT_MERGES);
    if (!split_merge(merge, &a, &n, &b))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "merge %zu: expected "
                            "two pieces", rank);
    tomevit_string_add(&whole, a, n);
    tomevit_string_add(&whole, b, strlen(b));
    left = tomevit_vocabulary_find(&t->words, a, n);
    right = tomevit_vocabulary_find(&t->words, b, strlen(b));
    made = whole.failed ? -1 : tomevit_vocabulary_find(
        &t->words, whole.bytes, whole.count);
    tomevit_string_free(&whole);
    if (left < 0 || right < 0 || made < 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "merge %zu: expected "
                            "pieces that have numbers", rank);
    return tomevit_merges_add(&t->merges, left, right, made,
                              (uint32_t)rank) != 0 ? no_memory(report) : 0;
}

/* Of the list that was cut out, or of the model where it stayed there. */
static int read_merges(vit_tokenizer *t, const json_t *model,
                       vit_json_list *cut, const vit_report *report)
{
    const json_t *list = json_object_get(model, "merges");
    json_t *merge;
    int code = 0, more = 0;

    for (size_t i = 0; i < json_array_size(list) && !code; i++)
        code = add_merge(t, json_array_get(list, i), i, report);
    while (cut->text && !code && (more = tomevit_json_next(cut, &merge)) > 0) {
        code = add_merge(t, merge, cut->taken - 1, report);
        json_decref(merge);
    }
    return code || more == 0 ? code
        : tomevit_fail(report, TOMEVIT_EFORMAT, "merge %zu: expected JSON of "
                       "at most %d bytes", cut->taken, VIT_ELEMENT_BYTES);
}

/* The pieces that stand for bytes; EMODEL if one lacks. */
static int find_bytes(vit_tokenizer *t, const vit_report *report)
{
    for (int i = 0; i < 256; i++) {
        char name[8];

        snprintf(name, sizeof(name), "<0x%02X>", (unsigned)i);
        t->bytes[i] = tomevit_vocabulary_find(&t->words, name, strlen(name));
        if (t->bytes[i] < 0)
            return refuse(report, "a fallback to bytes without", name);
    }
    return 0;
}

/* CLIP's, whose letters are bytes; or Gemma's, whose letters are characters
 * and, where one has no number, its bytes. */
static int find_kind(vit_tokenizer *t, const json_t *model,
                     const vit_report *report)
{
    int falls = json_is_true(json_object_get(model, "byte_fallback"));
    const char *end = text_of(model, "end_of_word_suffix");

    if ((falls ? *end != '\0' : strcmp(end, "</w>") != 0) ||
        *text_of(model, "continuing_subword_prefix") ||
        json_number_value(json_object_get(model, "dropout")) != 0 ||
        json_is_true(json_object_get(model, "ignore_merges")) ||
        (!falls && json_is_true(json_object_get(model, "fuse_unk"))))
        return tomevit_fail(report, TOMEVIT_EMODEL, "a byte-pair tokenizer of "
                            "another kind than CLIP's and Gemma's is not run");
    t->cut = falls ? VIT_CUT_PAIRS : VIT_CUT_CLIP;
    return 0;
}

static int read_bpe(vit_tokenizer *t, const json_t *model, vit_json_list *cut,
                    const vit_report *report)
{
    json_t *vocab = json_object_get(model, "vocab"), *id;
    const char *unknown = text_of(model, "unk_token"), *word;
    int code = find_kind(t, model, report);

    if (code)
        return code;
    json_object_foreach(vocab, word, id) {
        int32_t number;

        if (!id_of(id, &number))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "\"%.80s\": expected "
                                "the number of a piece", word);
        if (tomevit_vocabulary_add(&t->words, word, strlen(word),
                                   number) != 0)
            return no_memory(report);
        note_id(t, number);
    }
    if (*unknown)
        t->unknown = tomevit_vocabulary_find(&t->words, unknown,
                                             strlen(unknown));
    code = t->cut == VIT_CUT_PAIRS ? find_bytes(t, report) : 0;
    return code ? code : read_merges(t, model, cut, report);
}

static int read_unigram(vit_tokenizer *t, const json_t *model,
                        const vit_report *report)
{
    const json_t *vocab = json_object_get(model, "vocab");
    size_t count = json_array_size(vocab);
    double least = 0;

    t->cut = VIT_CUT_UNIGRAM;
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return refuse(report, "a fallback to", "bytes");
    if (count == 0 || count > INT32_MAX ||
        !id_of(json_object_get(model, "unk_id"), &t->unknown) ||
        (size_t)t->unknown >= count)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected pieces, one of "
                            "them for what is unknown");
    t->scores = calloc(count, sizeof(*t->scores));
    if (!t->scores)
        return no_memory(report);
    t->score_count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(vocab, i);
        const char *piece = json_string_value(json_array_get(pair, 0));
        const json_t *score = json_array_get(pair, 1);

        if (!piece || strlen(piece) > 256 || !json_is_number(score))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "piece %zu: expected "
                                "a text of at most 256 bytes and its score",
                                i);
        t->scores[i] = json_number_value(score);
        least = i == 0 || t->scores[i] < least ? t->scores[i] : least;
        if (*piece && tomevit_vocabulary_add(&t->words, piece, strlen(piece),
                                             (int32_t)i) != 0)
            return no_memory(report);
    }
    t->unknown_score = least - 10;
    note_id(t, (int32_t)count - 1);
    return 0;
}

int tomevit_tokenizer_model(vit_tokenizer *t, const json_t *model,
                            vit_json_list *merges, const vit_report *report)
{
    static const vit_json_member any[] = {{"type", VIT_JSON_TEXT}, {NULL, 0}},
        bpe[] = {
            {"vocab", VIT_JSON_OBJECT}, {"merges", VIT_JSON_LIST},
            {"unk_token", VIT_JSON_TEXT}, {"dropout", VIT_JSON_NUMBER},
            {"end_of_word_suffix", VIT_JSON_TEXT},
            {"continuing_subword_prefix", VIT_JSON_TEXT},
            {"byte_fallback", VIT_JSON_TRUTH},
            {"ignore_merges", VIT_JSON_TRUTH}, {"fuse_unk", VIT_JSON_TRUTH},
            {NULL, 0}
        }, unigram[] = {
            {"vocab", VIT_JSON_LIST}, {"byte_fallback", VIT_JSON_TRUTH},
            {NULL, 0}
        };
    int code = check_members(model, any, report);

    if (!code)
        code = check_members(model, is(model, "BPE") ? bpe
                             : is(model, "Unigram")  ? unigram : any, report);
    if (code)
        return code;
    if (is(model, "BPE"))
        return read_bpe(t, model, merges, report);
    if (is(model, "Unigram"))
        return merges->text ? refuse(report, "a model of the kind",
                                     "Unigram with merges")
                            : read_unigram(t, model, report);
    return refuse(report, "a model of the kind", text_of(model, "type"));
}
