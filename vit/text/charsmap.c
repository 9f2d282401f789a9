/* SPDX-License-Identifier: MIT */
/*
 * SentencePiece's table of what characters become: a double array of darts-
 * clone's kind, and texts, each ended by NUL. [google/sentencepiece,
 * src/normalizer.cc; s-yata/darts-clone, include/darts.h] The tokenizers
 * library asks it for graphemes of less than six bytes whole, then for
 * characters, and takes the shortest prefix that the table has for all of what
 * it asked. [huggingface/tokenizers, tokenizers/src/normalizers/precompiled.rs]
 */
#include "config.h"

#include "tokenizer.h"

#include <string.h>
#ifdef HAVE_UTF8PROC
#include <utf8proc.h>
#endif

static uint32_t u32(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

/* Where the texts begin; 0 for a table that is none. */
static size_t texts_of(const unsigned char *map, size_t bytes)
{
    size_t array = bytes >= 8 ? u32(map) : 0;

    return array >= 4 && array % 4 == 0 && array < bytes - 4 &&
           map[bytes - 1] == 0 ? 4 + array : 0;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* What the shortest prefix of a text that is in the table becomes; NULL if
 * none is. */
static const char *find(const unsigned char *map, size_t bytes,
                        const char *text, size_t count)
{
    size_t texts = texts_of(map, bytes), units = texts ? texts / 4 - 1 : 0,
           at = 0;
    uint32_t unit;

    if (units == 0)
        return NULL;
    at = offset_of(u32(map + 4));
    for (size_t i = 0; i < count && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];

        at ^= c;
        if (at >= units)
            return NULL;
        unit = u32(map + 4 + 4 * at);
        if ((unit & 0x800000ffu) != c)
            return NULL;
        at ^= offset_of(unit);
        if (at >= units)
            return NULL;
        if (unit >> 8 & 1) {
            size_t value = u32(map + 4 + 4 * at) & 0x7fffffff;

            return value < bytes - texts
                       ? (const char *)map + texts + value : NULL;
        }
    }
    return NULL;
}

static void put(const unsigned char *map, size_t bytes, const char *text,
                size_t count, vit_string *out)
{
    const char *to = find(map, bytes, text, count);

    if (to)
        tomevit_string_add(out, to, strlen(to));
    else
        tomevit_string_add(out, text, count);
}

/* The bytes of the grapheme that begins here. */
static size_t grapheme(const char *text, size_t count)
{
    int32_t code, next;
    size_t length = tomevit_utf8_next(text, count, &code);
#ifdef HAVE_UTF8PROC
    utf8proc_int32_t state = 0;

    while (length < count) {
        size_t n = tomevit_utf8_next(text + length, count - length, &next);

        if (utf8proc_grapheme_break_stateful(code, next, &state))
            break;
        length += n;
        code = next;
    }
#else
    (void)next;
#endif
    return length;
}

void tomevit_charsmap(const unsigned char *map, size_t bytes, const char *text,
                      size_t count, vit_string *out)
{
    int32_t code;

    for (size_t i = 0, n; i < count; i += n) {
        n = grapheme(text + i, count - i);
        if (n < 6 && find(map, bytes, text + i, n)) {
            put(map, bytes, text + i, n, out);
            continue;
        }
        for (size_t j = i, m; j < i + n; j += m) {
            m = tomevit_utf8_next(text + j, i + n - j, &code);
            put(map, bytes, text + j, m, out);
        }
    }
}
