/* SPDX-License-Identifier: MIT */
/* A text to numbers, by whatever tokenizer. */
#include "config.h"

#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

static int encode_words(const vit_tokenizer *t, const char *text, size_t count,
                        vit_ids *ids)
{
    if (count == 0)
        return 0;
    if (t->cut == VIT_CUT_PAIRS)
        return tomevit_byte_pairs(t, text, count, ids);
    return t->cut == VIT_CUT_CLIP
        ? tomevit_clip_words(t, text, count, ids)
        : tomevit_unigram(t, text, count, ids->count == 0, ids);
}

static size_t white_at_end(const char *text, size_t count)
{
    size_t white = 0;
    int32_t code;

    for (size_t i = 0, n; i < count; i += n) {
        n = tomevit_utf8_next(text + i, count - i, &code);
        white = tomevit_character(code) == VIT_WHITE ? white + n : 0;
    }
    return white;
}

static size_t white_at_start(const char *text, size_t count)
{
    int32_t code;
    size_t i = 0, n;

    for (; i < count; i += n) {
        n = tomevit_utf8_next(text + i, count - i, &code);
        if (tomevit_character(code) != VIT_WHITE)
            break;
    }
    return i;
}

typedef int encoder(const vit_tokenizer *t, const char *text, size_t count,
                    vit_ids *ids);

/* What stands between specials, by `between`. */
static int around_specials(const vit_tokenizer *t, int evened,
                           const char *text, size_t count, encoder *between,
                           vit_ids *ids)
{
    size_t from = 0, i = 0;
    int code = 0;

    while (i < count && !code) {
        const vit_special *s =
            tomevit_special_at(t, evened, text + i, count - i);
        size_t end = i;

        if (!s) {
            i++;
            continue;
        }
        if (s->strip_left)
            end -= white_at_end(text + from, i - from);
        code = end > from ? between(t, text + from, end - from, ids) : 0;
        tomevit_ids_add(ids, s->id);
        i += s->length;
        if (s->strip_right)
            i += white_at_start(text + i, count - i);
        from = i;
    }
    return code || from == count ? code
                                 : between(t, text + from, count - from, ids);
}

static int encode_even(const vit_tokenizer *t, const char *text, size_t count,
                       vit_ids *ids)
{
    vit_string even = {0};
    int code = tomevit_even(t, text, count, &even);

    if (!code && t->specials_by_word)
        code = encode_words(t, even.bytes, even.count, ids);
    else if (!code)
        code = around_specials(t, 1, even.bytes, even.count, encode_words,
                               ids);
    tomevit_string_free(&even);
    return code;
}

int tomevit_tokenizer_check(const char *text, tomevit_message *why)
{
    vit_report report = {"a text", why};
    size_t count = strlen(text);

    if (count > VIT_TEXT_BYTES)
        return tomevit_fail(&report, TOMEVIT_EINVAL, "expected at most %d "
                            "bytes, found %zu", VIT_TEXT_BYTES, count);
    if (!tomevit_utf8_valid(text, count))
        return tomevit_fail(&report, TOMEVIT_EINVAL, "expected UTF-8, found "
                            "other bytes in \"%.80s\"", text);
    return 0;
}

int tomevit_tokenizer_encode(const vit_tokenizer *t, const char *text,
                             vit_ids *ids, tomevit_message *why)
{
    vit_report report = {"a text", why};
    size_t count = strlen(text);
    int code = tomevit_tokenizer_check(text, why);

    if (code)
        return code;
    if (around_specials(t, 0, text, count, encode_even, ids) != 0 ||
        ids->failed)
        return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

void tomevit_tokenizer_close(vit_tokenizer *t)
{
    if (!t)
        return;
    tomevit_vocabulary_free(&t->words);
    tomevit_merges_free(&t->merges);
    free(t->scores);
    free(t->charsmap);
    tomevit_region_free(&t->region);
    free(t);
}
