/* SPDX-License-Identifier: MIT */
/* CLIP's tokenizer from lists of merges: that of OpenAI and open_clip alone,
 * and that of transformers beside its vocabulary. */
#include "config.h"

#include "tokenizer.h"

#include <string.h>

enum { ALPHABET = 512, MOST_MERGES = 49152 - 256 - 2, WORD = 1024 };

static int no_memory(const vit_report *report)
{
    return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
}

/* The next line of a text, without its end. */
static int next_line(const char **text, const char *end, const char **line,
                     size_t *length)
{
    const char *stop;

    if (*text >= end)
        return 0;
    stop = memchr(*text, '\n', (size_t)(end - *text));
    *line = *text;
    *length = (size_t)((stop ? stop : end) - *text);
    *text = stop ? stop + 1 : end;
    if (*length && (*line)[*length - 1] == '\r')
        --*length;
    return 1;
}

/* A line's two pieces: their lengths, 0 if they are not two. */
static int pieces_of(const char *line, size_t length, size_t *left,
                     size_t *right)
{
    const char *blank = memchr(line, ' ', length);

    *left = blank ? (size_t)(blank - line) : 0;
    *right = blank ? length - *left - 1 : 0;
    return *left > 0 && *right > 0 && *left + *right < WORD &&
           !memchr(blank + 1, ' ', *right);
}

static int refuse_line(const vit_report *report, size_t number)
{
    return tomevit_fail(report, TOMEVIT_EFORMAT, "line %zu of the merges: "
                        "expected two known pieces with a blank between",
                        number);
}

/* One merge: what it makes is `made`, or the vocabulary's if that is -1. */
static int add_merge(vit_tokenizer *t, const char *line, size_t length,
                     int32_t made, size_t rank, const vit_report *report)
{
    size_t left, right;
    char word[WORD];
    int32_t a, b;

    if (!pieces_of(line, length, &left, &right))
        return refuse_line(report, rank + 2);
    memcpy(word, line, left);
    memcpy(word + left, line + left + 1, right);
    a = tomevit_vocabulary_find(&t->words, line, left);
    b = tomevit_vocabulary_find(&t->words, line + left + 1, right);
    if (made >= 0 &&
        tomevit_vocabulary_add(&t->words, word, left + right, made) != 0)
        return no_memory(report);
    made = tomevit_vocabulary_find(&t->words, word, left + right);
    if (a < 0 || b < 0 || made < 0)
        return refuse_line(report, rank + 2);
    return tomevit_merges_add(&t->merges, a, b, made, (uint32_t)rank) != 0
               ? no_memory(report) : 0;
}

static void add_special(vit_tokenizer *t, const char *text, int32_t id,
                        int evened)
{
    t->specials[t->special_count++] =
        (vit_special){.text = text, .length = strlen(text), .id = id,
                      .evened = evened};
}

static void set_ends(vit_tokenizer *t, int32_t start, int32_t end)
{
    t->before[0] = start;
    t->after[0] = end;
    t->before_count = t->after_count = 1;
    t->end = end;
}

/* ---- OpenAI's list ------------------------------------------------------- */

/* The letters that stand for bytes, in the list's order: those that can be
 * seen first, with and then without an end of the word behind them. */
static int add_alphabet(vit_tokenizer *t)
{
    static const int32_t runs[][2] = {
        {'!', '~'}, {0xa1, 0xac}, {0xae, 0xff}, {0x100, 0x143},
    };
    enum { RUNS = sizeof(runs) / sizeof(*runs) };
    int32_t id = 0;

    for (size_t i = 0; i < 2 * RUNS; i++)
        for (int32_t c = runs[i % RUNS][0]; c <= runs[i % RUNS][1]; c++) {
            vit_string letter = {0};
            int failed;

            tomevit_string_put(&letter, c);
            tomevit_string_add(&letter, "</w>", i < RUNS ? 0 : 4);
            failed = letter.failed ||
                tomevit_vocabulary_add(&t->words, letter.bytes, letter.count,
                                       id++) != 0;
            tomevit_string_free(&letter);
            if (failed)
                return -1;
        }
    return 0;
}

int tomevit_tokenizer_merges(vit_tokenizer *t, const char *merges,
                             size_t count, const vit_report *report)
{
    const char *text = merges, *line;
    size_t length, rank = 0;
    int code = 0;

    if (count < 2 || !next_line(&text, merges + count, &line, &length) ||
        !tomevit_utf8_valid(merges, count) || length > 200)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected a tokenizer: "
                            "JSON, or a list of merges, a pair on a line");
    if (add_alphabet(t) != 0)
        return no_memory(report);
    while (!code && rank < MOST_MERGES &&
           next_line(&text, merges + count, &line, &length) &&
           (length > 0 || text < merges + count)) {
        code = add_merge(t, line, length, ALPHABET + (int32_t)rank, rank,
                         report);
        rank++;
    }
    if (code)
        return code;
    t->cut = VIT_CUT_CLIP;
    t->specials_by_word = 1;
    t->most = ALPHABET + (int32_t)rank + 1;
    add_special(t, "<start_of_text>", t->most - 1, 1);
    add_special(t, "<end_of_text>", t->most, 1);
    set_ends(t, t->most - 1, t->most);
    t->pad = 0;
    return 0;
}

/* ---- transformers' vocabulary -------------------------------------------- */

static int add_words(vit_tokenizer *t, json_t *vocab, const vit_report *report)
{
    const char *word;
    json_t *id;

    json_object_foreach(vocab, word, id) {
        json_int_t number = json_is_integer(id) ? json_integer_value(id) : -1;

        if (number < 0 || number > INT32_MAX)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "\"%.80s\": expected "
                                "the number of a piece", word);
        if (tomevit_vocabulary_add(&t->words, word, strlen(word),
                                   (int32_t)number) != 0)
            return no_memory(report);
        if (number > t->most)
            t->most = (int32_t)number;
    }
    return 0;
}

/* As transformers' CLIPTokenizer makes a tokenizer of the two files.
 * [transformers 5, models/clip/tokenization_clip.py] */
int tomevit_tokenizer_vocab(vit_tokenizer *t, json_t *vocab,
                            const char *merges, size_t count,
                            const vit_report *report)
{
    static const char start[] = "<|startoftext|>", end[] = "<|endoftext|>";
    const char *text = merges, *line;
    size_t length, rank = 0, number = 0;
    int code = add_words(t, vocab, report);
    int32_t first = tomevit_vocabulary_find(&t->words, start, strlen(start)),
            last = tomevit_vocabulary_find(&t->words, end, strlen(end));

    if (!code && (first < 0 || last < 0))
        code = tomevit_fail(report, TOMEVIT_EMODEL, "expected CLIP's "
                            "vocabulary, found one without %s and %s", start,
                            end);
    while (!code && next_line(&text, merges + count, &line, &length)) {
        number++;
        if (length == 0 || (number == 1 && line[0] == '#'))
            continue;
        code = add_merge(t, line, length, -1, rank++, report);
    }
    if (code)
        return code;
    t->cut = VIT_CUT_CLIP;
    t->even[0].what = VIT_EVEN_NFC;
    t->even[1].what = VIT_EVEN_BLANKS;
    t->even[2].what = VIT_EVEN_LOWER;
    t->even_count = 3;
    add_special(t, start, first, 0);
    add_special(t, end, last, 0);
    set_ends(t, first, last);
    t->unknown = t->pad = last;
    return 0;
}
