/* SPDX-License-Identifier: MIT */
/* tokenizer.json of the tokenizers library: what it lists is done, or refused
 * by its name. */
#include "config.h"

#include "tokenizer_members.h"
#include "tokenizer_model.h"

#include <stdlib.h>
#include <string.h>

static const vit_json_member patterns[] = {
    {"String", VIT_JSON_TEXT}, {"Regex", VIT_JSON_TEXT}, {NULL, 0}
};

/* ---- evening ------------------------------------------------------------- */

/* Base 64 [RFC 4648]; -1 for anything else, or without memory. */
static int decode_base64(const char *text, unsigned char **bytes, size_t *count)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                  "rstuvwxyz0123456789+/";
    size_t length = strlen(text);
    uint32_t word = 0;

    *count = 0;
    *bytes = malloc(length / 4 * 3 + 3);
    for (size_t i = 0; *bytes && i < length && text[i] != '='; i++) {
        const char *letter = strchr(letters, text[i]);

        if (!letter)
            return -1;
        word = (word & 0xff) << 6 | (uint32_t)(letter - letters);
        if (i % 4)
            (*bytes)[(*count)++] =
                (unsigned char)(word >> (6 - 2 * (i % 4)) & 0xff);
    }
    return *bytes ? 0 : -1;
}

static int add_step(vit_tokenizer *t, enum vit_even what, const char *from,
                    const char *to, const vit_report *report)
{
    vit_even_step *s = &t->even[t->even_count];

    if (t->even_count == VIT_EVEN_STEPS)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected at most %d "
                            "normalizers", VIT_EVEN_STEPS);
    s->what = what;
    s->from = tomevit_region_text(&t->region, from, strlen(from));
    s->to = tomevit_region_text(&t->region, to, strlen(to));
    if (!s->from || !s->to)
        return no_memory(report);
    t->even_count++;
    return 0;
}

static int add_replace(vit_tokenizer *t, const json_t *n,
                       const vit_report *report)
{
    static const struct {
        const char *pattern;
        enum vit_even what;
        const char *content;   /* that is asked for; NULL: any */
    } known[] = {
        {"\\s+", VIT_EVEN_BLANKS, " "},
        {" {2,}", VIT_EVEN_RUNS, NULL},
        {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]",
         VIT_EVEN_PUNCTUATION, ""},
        {"[!\"\\#\\$%\\&'\\(\\)\\*\\+,\\-\\./:;<=>\\?@\\[\\\\\\]\\^_`\\{\\|"
         "\\}\\~]", VIT_EVEN_PUNCTUATION, ""},
    };
    const json_t *pattern = json_object_get(n, "pattern");
    const char *plain = text_of(pattern, "String"),
               *regex = text_of(pattern, "Regex"),
               *content = text_of(n, "content");

    if (*plain)
        return add_step(t, VIT_EVEN_REPLACE, plain, content, report);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(regex, known[i].pattern) == 0 &&
            (!known[i].content || strcmp(content, known[i].content) == 0))
            return add_step(t, known[i].what, "", content, report);
    return refuse(report, "the pattern", regex);
}

static int add_charsmap(vit_tokenizer *t, const json_t *n,
                        const vit_report *report)
{
    const char *text = text_of(n, "precompiled_charsmap");

    if (!*text)
        return 0;
    if (t->charsmap || decode_base64(text, &t->charsmap,
                                     &t->charsmap_bytes) != 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected one table of "
                            "characters in base 64");
    return add_step(t, VIT_EVEN_MAPPED, "", "", report);
}

static int add_strip(vit_tokenizer *t, const json_t *n,
                     const vit_report *report)
{
    int left = json_is_true(json_object_get(n, "strip_left")),
        right = json_is_true(json_object_get(n, "strip_right"));

    if (!right)
        return left ? refuse(report, "the normalizer", "Strip of the left")
                    : 0;
    return add_step(t, left ? VIT_EVEN_STRIP : VIT_EVEN_STRIP_RIGHT, "", "",
                    report);
}

static int add_normalizer(vit_tokenizer *t, const json_t *n,
                          const vit_report *report)
{
    static const vit_json_member members[] = {
        {"type", VIT_JSON_TEXT}, {"pattern", VIT_JSON_OBJECT},
        {"content", VIT_JSON_TEXT}, {"precompiled_charsmap", VIT_JSON_TEXT},
        {"strip_left", VIT_JSON_TRUTH}, {"strip_right", VIT_JSON_TRUTH},
        {NULL, 0}
    };
    int code = check_members(n, members, report);

    if (!code)
        code = check_members(json_object_get(n, "pattern"), patterns, report);
    if (code)
        return code;
    if (is(n, "NFC"))
        return add_step(t, VIT_EVEN_NFC, "", "", report);
    if (is(n, "NFKC"))
        return add_step(t, VIT_EVEN_NFKC, "", "", report);
    if (is(n, "Lowercase"))
        return add_step(t, VIT_EVEN_LOWER, "", "", report);
    if (is(n, "Replace"))
        return add_replace(t, n, report);
    if (is(n, "Precompiled"))
        return add_charsmap(t, n, report);
    if (is(n, "Strip"))
        return add_strip(t, n, report);
    return refuse(report, "the normalizer", text_of(n, "type"));
}

static int read_normalizers(vit_tokenizer *t, const json_t *n,
                            const vit_report *report)
{
    static const vit_json_member members[] = {
        {"normalizers", VIT_JSON_LIST}, {NULL, 0}
    };
    const json_t *list = json_object_get(n, "normalizers");
    int code = check_members(n, members, report);

    if (code || !json_is_object(n))
        return code;
    if (!is(n, "Sequence"))
        return add_normalizer(t, n, report);
    for (size_t i = 0; i < json_array_size(list) && !code; i++)
        code = add_normalizer(t, json_array_get(list, i), report);
    return code;
}

/* ---- words --------------------------------------------------------------- */

static int cut_by_clip(const json_t *sequence)
{
    static const char pattern[] =
        "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|"
        "[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    const json_t *list = json_object_get(sequence, "pretokenizers"),
                 *split = json_array_get(list, 0),
                 *bytes = json_array_get(list, 1);

    return is(sequence, "Sequence") && json_array_size(list) == 2 &&
           is(split, "Split") && is(bytes, "ByteLevel") &&
           strcmp(text_of(json_object_get(split, "pattern"), "Regex"),
                  pattern) == 0 &&
           strcmp(text_of(split, "behavior"), "Removed") == 0 &&
           json_is_true(json_object_get(split, "invert")) &&
           !json_is_true(json_object_get(bytes, "add_prefix_space"));
}

static int read_metaspace(vit_tokenizer *t, const json_t *p,
                          const vit_report *report)
{
    const char *scheme = text_of(p, "prepend_scheme");
    const json_t *split = json_object_get(p, "split");

    if (!is(p, "Metaspace") ||
        strcmp(text_of(p, "replacement"), "\xe2\x96\x81") != 0)
        return refuse(report, "words cut by", text_of(p, "type"));
    if (!*scheme)          /* as older files say it */
        scheme = json_is_false(json_object_get(p, "add_prefix_space"))
                     ? "never" : "always";
    t->prefix_blank = !strcmp(scheme, "always") ? 1
                      : !strcmp(scheme, "first") ? 2 : 0;
    t->by_blank = !json_is_false(split);
    return t->prefix_blank || !strcmp(scheme, "never")
               ? 0 : refuse(report, "the prefix", scheme);
}

/* Gemma's: blanks end words. They do none where they became letters. */
static int cut_by_gemma(vit_tokenizer *t, const json_t *p)
{
    t->by_blank = is(p, "Split") &&
                  strcmp(text_of(json_object_get(p, "pattern"), "String"),
                         " ") == 0 &&
                  strcmp(text_of(p, "behavior"), "MergedWithPrevious") == 0 &&
                  !json_is_true(json_object_get(p, "invert"));
    return t->by_blank || !json_is_object(p);
}

/* What is read of a step that cuts words. */
static int check_cut(const json_t *p, const vit_report *report)
{
    static const vit_json_member members[] = {
        {"type", VIT_JSON_TEXT}, {"pretokenizers", VIT_JSON_LIST},
        {"pattern", VIT_JSON_OBJECT}, {"behavior", VIT_JSON_TEXT},
        {"invert", VIT_JSON_TRUTH}, {"add_prefix_space", VIT_JSON_TRUTH},
        {"prepend_scheme", VIT_JSON_TEXT}, {"replacement", VIT_JSON_TEXT},
        {"split", VIT_JSON_TRUTH}, {NULL, 0}
    };
    int code = check_members(p, members, report);

    return code ? code : check_members(json_object_get(p, "pattern"), patterns,
                                       report);
}

static int read_cut(vit_tokenizer *t, const json_t *p,
                    const vit_report *report)
{
    const json_t *list = json_object_get(p, "pretokenizers");
    int code = check_cut(p, report);

    for (size_t i = 0; i < json_array_size(list) && !code; i++)
        code = check_cut(json_array_get(list, i), report);
    if (code)
        return code;
    if (t->cut == VIT_CUT_PAIRS)
        return cut_by_gemma(t, p) ? 0 : refuse(report, "words cut by",
                                               text_of(p, "type"));
    if (t->cut == VIT_CUT_CLIP)
        return cut_by_clip(p) ? 0 : refuse(report, "words cut by",
                                           text_of(p, "type"));
    if (is(p, "Sequence") && json_array_size(list) == 2 &&
        is(json_array_get(list, 0), "WhitespaceSplit")) {
        t->by_white = 1;
        p = json_array_get(list, 1);
    } else if (is(p, "Sequence") && json_array_size(list) == 1) {
        p = json_array_get(list, 0);
    }
    return read_metaspace(t, p, report);
}

/* ---- specials ------------------------------------------------------------ */

static int read_specials(vit_tokenizer *t, const json_t *list,
                         const vit_report *report)
{
    static const vit_json_member members[] = {
        {"single_word", VIT_JSON_TRUTH}, {"normalized", VIT_JSON_TRUTH},
        {"lstrip", VIT_JSON_TRUTH}, {"rstrip", VIT_JSON_TRUTH}, {NULL, 0}
    };
    int code = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *token = json_array_get(list, i);
        const char *text = text_of(token, "content");
        vit_special *s = &t->specials[t->special_count];

        if (t->special_count == VIT_SPECIALS)
            return tomevit_fail(report, TOMEVIT_EMODEL, "expected at most %d "
                                "added tokens", VIT_SPECIALS);
        if (!*text || !id_of(json_object_get(token, "id"), &s->id))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "added token %zu: "
                                "expected a text and a number", i);
        if ((code = check_members(token, members, report)))
            return code;
        if (json_is_true(json_object_get(token, "single_word")))
            return refuse(report, "a word that stands alone,", text);
        s->evened = json_is_true(json_object_get(token, "normalized"));
        s->strip_left = json_is_true(json_object_get(token, "lstrip"));
        s->strip_right = json_is_true(json_object_get(token, "rstrip"));
        vit_string even = {0};
        if (!s->evened)
            tomevit_string_add(&even, text, strlen(text));
        else if (!tomevit_utf8_valid(text, strlen(text)) ||
                 tomevit_even(t, text, strlen(text), &even) != 0)
            even.failed = 1;
        s->text = even.failed ? NULL : tomevit_region_text(
            &t->region, even.bytes, even.count);
        s->length = even.count;
        tomevit_string_free(&even);
        if (!s->text)
            return no_memory(report);
        t->special_count += s->length > 0;
        note_id(t, s->id);
    }
    return 0;
}

static int32_t special_id(const vit_tokenizer *t, const char *text)
{
    for (size_t i = 0; i < t->special_count; i++)
        if (strlen(text) == t->specials[i].length &&
            memcmp(t->specials[i].text, text, t->specials[i].length) == 0)
            return t->specials[i].id;
    return tomevit_vocabulary_find(&t->words, text, strlen(text));
}

static int add_end(vit_tokenizer *t, int after, int32_t id,
                   const vit_report *report)
{
    size_t *count = after ? &t->after_count : &t->before_count;

    if (id < 0 || *count == VIT_ENDS)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected at most %d known "
                            "tokens before and after a text", VIT_ENDS);
    (after ? t->after : t->before)[(*count)++] = id;
    note_id(t, id);
    return 0;
}

static int read_template(vit_tokenizer *t, const json_t *p,
                         const vit_report *report)
{
    static const vit_json_member members[] = {
        {"single", VIT_JSON_LIST}, {NULL, 0}
    }, parts[] = {
        {"SpecialToken", VIT_JSON_OBJECT}, {"Sequence", VIT_JSON_OBJECT},
        {NULL, 0}
    };
    const json_t *list = json_object_get(p, "single");
    int after = 0, code = check_members(p, members, report);

    for (size_t i = 0; i < json_array_size(list) && !code; i++) {
        const json_t *part = json_array_get(list, i),
                     *special = json_object_get(part, "SpecialToken");

        code = check_members(part, parts, report);
        if (!code && !special && !json_object_get(part, "Sequence"))
            code = refuse(report, "ends put by", "TemplateProcessing of other "
                          "parts");
        else if (!code && special)
            code = add_end(t, after, special_id(t, text_of(special, "id")),
                           report);
        else
            after = 1;
    }
    return code;
}

static int read_ends(vit_tokenizer *t, const json_t *p,
                     const vit_report *report)
{
    int32_t start, end;

    if (!json_is_object(p))
        return 0;
    if (is(p, "TemplateProcessing"))
        return read_template(t, p, report);
    if (!is(p, "RobertaProcessing") ||
        !id_of(json_array_get(json_object_get(p, "cls"), 1), &start) ||
        !id_of(json_array_get(json_object_get(p, "sep"), 1), &end))
        return refuse(report, "ends put by", text_of(p, "type"));
    int code = add_end(t, 0, start, report);
    return code ? code : add_end(t, 1, end, report);
}

int tomevit_tokenizer_json(vit_tokenizer *t, json_t *json,
                           vit_json_list *merges, const vit_report *report)
{
    static const vit_json_member members[] = {
        {"model", VIT_JSON_OBJECT}, {"normalizer", VIT_JSON_OBJECT},
        {"pre_tokenizer", VIT_JSON_OBJECT}, {"added_tokens", VIT_JSON_LIST},
        {"post_processor", VIT_JSON_OBJECT}, {"padding", VIT_JSON_OBJECT},
        {NULL, 0}
    }, paddings[] = {
        {"pad_id", VIT_JSON_INDEX}, {"direction", VIT_JSON_TEXT}, {NULL, 0}
    };
    const json_t *padding = json_object_get(json, "padding");
    int code = check_members(json, members, report);

    if (!code)
        code = check_members(padding, paddings, report);
    if (!code)
        code = tomevit_tokenizer_model(t, json_object_get(json, "model"),
                                       merges, report);
    if (!code)
        code = read_normalizers(t, json_object_get(json, "normalizer"),
                                report);
    if (!code)
        code = read_cut(t, json_object_get(json, "pre_tokenizer"), report);
    if (!code)
        code = read_specials(t, json_object_get(json, "added_tokens"), report);
    if (!code)
        code = read_ends(t, json_object_get(json, "post_processor"), report);
    if (code)
        return code;
    if (t->after_count)
        t->end = t->after[t->after_count - 1];
    id_of(json_object_get(padding, "pad_id"), &t->pad);
    t->pad_left = strcmp(text_of(padding, "direction"), "Left") == 0;
    return 0;
}
