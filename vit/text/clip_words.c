/* SPDX-License-Identifier: MIT */
/*
 * CLIP's words: of a text in lower case what its pattern matches,
 *
 *     's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
 *
 * whose bytes are then letters of an alphabet of their own, the last with
 * "</w>" behind it, and merge by pairs. [openai/CLIP, clip/simple_tokenizer.py]
 */
#include "config.h"

#include "tokenizer.h"

#include <string.h>

/* The letter that stands for a byte: itself if it can be seen, else one after
 * U+00FF, in their order. [GPT-2, encoder.py] */
static int32_t letter_of(unsigned char byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad))
        return byte;
    if (byte <= ' ')
        return 256 + byte;
    return byte == 0xad ? 323 : 256 + 33 + byte - 127;
}

/* OpenAI's and open_clip's pattern takes letters of either case, by which two
 * characters are not what they are: U+0345, a mark of which the capital is a
 * letter, matches nothing and is lost, and U+017F is an s. */
static enum vit_character kind_of(const vit_tokenizer *t, int32_t code)
{
    return t->specials_by_word && code == 0x345 ? VIT_WHITE
                                                : tomevit_character(code);
}

static size_t contraction(const vit_tokenizer *t, const char *text,
                          size_t count)
{
    static const char old_s[] = "'\xc5\xbf";
    static const char *const tails[] = {"s", "t", "re", "ve", "m", "ll", "d"};

    for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
        size_t n = strlen(tails[i]);

        if (count > n && text[0] == '\'' &&
            memcmp(text + 1, tails[i], n) == 0)
            return n + 1;
    }
    if (t->specials_by_word && count >= sizeof(old_s) - 1 &&
        memcmp(text, old_s, sizeof(old_s) - 1) == 0)
        return sizeof(old_s) - 1;
    return 0;
}

/* The bytes of the word that begins here. */
static size_t word_length(const vit_tokenizer *t, const char *text,
                          size_t count)
{
    size_t length = contraction(t, text, count), n;
    int32_t code;
    enum vit_character kind;

    if (length)
        return length;
    length = tomevit_utf8_next(text, count, &code);
    kind = kind_of(t, code);
    if (kind == VIT_NUMBER)
        return length;
    while (length < count) {
        n = tomevit_utf8_next(text + length, count - length, &code);
        if (kind_of(t, code) != kind)
            break;
        length += n;
    }
    return length;
}

static void put(const vit_tokenizer *t, const char *text, size_t length,
                vit_ids *ids)
{
    int32_t id = tomevit_vocabulary_find(&t->words, text, length);

    if (id < 0)
        id = t->unknown;
    if (id >= 0)
        tomevit_ids_add(ids, id);
}

static int encode_word(const vit_tokenizer *t, const char *word, size_t length,
                       vit_ids *ids)
{
    static const char end[] = "</w>";
    size_t first = ids->count;
    char letter[2 + sizeof(end)];

    for (size_t i = 0; i < length; i++) {
        int32_t code = letter_of((unsigned char)word[i]);
        size_t n = 0;

        if (code >= 0x80)
            letter[n++] = (char)(0xc0 | code >> 6);
        letter[n++] = (char)(code < 0x80 ? code : 0x80 | (code & 0x3f));
        if (i + 1 == length) {
            memcpy(letter + n, end, sizeof(end) - 1);
            n += sizeof(end) - 1;
        }
        put(t, letter, n, ids);
    }
    return tomevit_merge_ids(&t->merges, ids, first);
}

int tomevit_clip_words(const vit_tokenizer *t, const char *text, size_t count,
                       vit_ids *ids)
{
    int32_t code;

    for (size_t i = 0, n; i < count; i += n) {
        const vit_special *special =
            t->specials_by_word ? tomevit_special_at(t, 1, text + i, count - i)
                                : NULL;

        n = tomevit_utf8_next(text + i, count - i, &code);
        if (special) {
            n = special->length;
            tomevit_ids_add(ids, special->id);
        } else if (kind_of(t, code) != VIT_WHITE) {
            n = word_length(t, text + i, count - i);
            if (encode_word(t, text + i, n, ids) != 0)
                return -1;
        }
    }
    return ids->failed ? -1 : 0;
}
