/* SPDX-License-Identifier: MIT */
/*
 * SentencePiece's unigram model: of all ways to cut a word into pieces the most
 * likely. [Kudo, arXiv 1804.10959; huggingface/tokenizers,
 * tokenizers/src/models/unigram/model.rs, for what is unknown]
 */
#include "config.h"

#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

static const char blank[] = "\xe2\x96\x81"; /* U+2581, which stands for one */
enum { BLANK = sizeof(blank) - 1 };

/* The best way to reach a byte. */
typedef struct reached {
    double score;
    size_t from;           /* SIZE_MAX: not reached */
    int32_t id;
} reached;

static void reach(reached *to, double score, size_t from, int32_t id)
{
    if (to->from == SIZE_MAX || score > to->score)
        *to = (reached){score, from, id};
}

/* What is reached by the pieces that begin at `at`. */
static void extend(const vit_tokenizer *t, const char *word, size_t length,
                   size_t at, reached *best)
{
    size_t left = length - at, first, end = 0;
    int32_t code;
    int whole = 0;         /* the character alone is a piece */

    first = tomevit_utf8_next(word + at, left, &code);
    while (end < left && end < t->words.longest) {
        int32_t id;

        end += tomevit_utf8_next(word + at + end, left - end, &code);
        id = tomevit_vocabulary_find(&t->words, word + at, end);
        if (id < 0 || (size_t)id >= t->score_count)
            continue;
        reach(&best[at + end], best[at].score + t->scores[id], at, id);
        whole |= end == first;
    }
    if (!whole)
        reach(&best[at + first], best[at].score + t->unknown_score, at,
              t->unknown);
}

/* One after another what is unknown is one piece. */
static void collect(const vit_tokenizer *t, const reached *best, size_t length,
                    vit_ids *ids)
{
    size_t first = ids->count;

    for (size_t at = length; at > 0; at = best[at].from) {
        int again = best[at].id == t->unknown && ids->count > first &&
                    ids->list[ids->count - 1] == t->unknown;

        if (!again)
            tomevit_ids_add(ids, best[at].id);
    }
    if (ids->failed)
        return;
    for (size_t i = first, j = ids->count; i + 1 < j; i++) {
        int32_t id = ids->list[i];

        ids->list[i] = ids->list[--j];
        ids->list[j] = id;
    }
}

static int encode_word(const vit_tokenizer *t, const char *word, size_t length,
                       vit_ids *ids)
{
    reached *best = malloc((length + 1) * sizeof(*best));
    int32_t code;

    if (!best)
        return -1;
    for (size_t i = 0; i <= length; i++)
        best[i].from = SIZE_MAX;
    best[0] = (reached){0, 0, -1};
    for (size_t i = 0; i < length;
         i += tomevit_utf8_next(word + i, length - i, &code))
        extend(t, word, length, i, best);
    collect(t, best, length, ids);
    free(best);
    return 0;
}

/* A stretch of text with blanks as the model has them, word by word if every
 * blank begins one. */
static int encode_stretch(const vit_tokenizer *t, const vit_string *s,
                          vit_ids *ids)
{
    size_t from = 0;

    for (size_t i = 1; t->by_blank && i + BLANK <= s->count; i++)
        if (memcmp(s->bytes + i, blank, BLANK) == 0) {
            if (encode_word(t, s->bytes + from, i - from, ids) != 0)
                return -1;
            from = i;
        }
    return from < s->count
               ? encode_word(t, s->bytes + from, s->count - from, ids) : 0;
}

/* Metaspace: blanks become letters, and one may come first. */
static int encode_part(const vit_tokenizer *t, const char *text, size_t count,
                       int first, vit_ids *ids)
{
    vit_string s = {0};
    int prefix = t->prefix_blank == 1 || (t->prefix_blank == 2 && first);
    int code;

    if (prefix && text[0] != ' ' &&
        (count < BLANK || memcmp(text, blank, BLANK) != 0))
        tomevit_string_add(&s, blank, BLANK);
    for (size_t i = 0; i < count; i++)
        if (text[i] == ' ')
            tomevit_string_add(&s, blank, BLANK);
        else
            tomevit_string_add(&s, text + i, 1);
    code = s.failed ? -1 : encode_stretch(t, &s, ids);
    tomevit_string_free(&s);
    return code;
}

int tomevit_unigram(const vit_tokenizer *t, const char *text, size_t count,
                    int first, vit_ids *ids)
{
    size_t from = 0;
    int32_t character;
    int code = 0;

    for (size_t i = 0, n; t->by_white && i < count && !code; i += n) {
        n = tomevit_utf8_next(text + i, count - i, &character);
        if (tomevit_character(character) != VIT_WHITE)
            continue;
        if (i > from)
            code = encode_part(t, text + from, i - from, first && from == 0,
                               ids);
        from = i + n;
    }
    if (!code && from < count)
        code = encode_part(t, text + from, count - from, first && from == 0,
                           ids);
    return code || ids->failed ? -1 : 0;
}
