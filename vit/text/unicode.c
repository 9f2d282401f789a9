/* SPDX-License-Identifier: MIT */
/* Texts in UTF-8, by the tables of utf8proc. */
#include "config.h"

#include "unicode.h"

#include <stdlib.h>
#include <string.h>
#ifdef HAVE_UTF8PROC
#include <utf8proc.h>
#endif

/* ---- texts that grow ----------------------------------------------------- */

void tomevit_string_add(vit_string *s, const char *bytes, size_t count)
{
    if (s->failed)
        return;
    if (s->room - s->count <= count) {
        size_t room = 2 * s->room + count + 16;
        char *more = room > count ? realloc(s->bytes, room) : NULL;

        if (!more) {
            s->failed = 1;
            return;
        }
        s->bytes = more;
        s->room = room;
    }
    if (count)
        memcpy(s->bytes + s->count, bytes, count);
    s->count += count;
    s->bytes[s->count] = '\0';
}

void tomevit_string_put(vit_string *s, int32_t code)
{
    char c[4];
    size_t n = 0;

    if (code < 0x80) {
        c[n++] = (char)code;
    } else if (code < 0x800) {
        c[n++] = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        c[n++] = (char)(0xe0 | code >> 12);
        c[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        c[n++] = (char)(0xf0 | code >> 18);
        c[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        c[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80)
        c[n++] = (char)(0x80 | (code & 0x3f));
    tomevit_string_add(s, c, n);
}

void tomevit_string_free(vit_string *s)
{
    free(s->bytes);
    memset(s, 0, sizeof(*s));
}

/* ---- characters ---------------------------------------------------------- */

size_t tomevit_utf8_next(const char *bytes, size_t count, int32_t *code)
{
    const unsigned char *b = (const unsigned char *)bytes;
    size_t more = b[0] < 0x80 ? 0 : b[0] < 0xe0 ? 1 : b[0] < 0xf0 ? 2 : 3;

    if (more >= count)
        more = count - 1;
    *code = more == 0 ? b[0] : b[0] & (0x3f >> more);
    for (size_t i = 1; i <= more; i++)
        *code = *code << 6 | (b[i] & 0x3f);
    return more + 1;
}

/* The character that begins here is complete, the shortest form, and one. */
static size_t valid_length(const unsigned char *b, size_t count)
{
    static const int32_t least[] = {1, 0x80, 0x800, 0x10000};
    size_t more = b[0] < 0x80 ? 0 : b[0] < 0xc0 ? 4 : b[0] < 0xe0 ? 1
                : b[0] < 0xf0 ? 2 : b[0] < 0xf8 ? 3 : 4;
    int32_t code;

    if (more >= count || more > 3)
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    tomevit_utf8_next((const char *)b, count, &code);
    return code < least[more] || code > 0x10ffff ||
           (code >= 0xd800 && code < 0xe000) ? 0 : more + 1;
}

int tomevit_utf8_valid(const char *bytes, size_t count)
{
    for (size_t i = 0, n; i < count; i += n) {
        n = valid_length((const unsigned char *)bytes + i, count - i);
        if (n == 0)
            return 0;
    }
    return 1;
}

static int is_white(int32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

void tomevit_collapse(const char *bytes, size_t count, vit_string *out)
{
    size_t before = out->count;
    int32_t code;
    int blank = 0;

    for (size_t i = 0, n; i < count; i += n) {
        n = tomevit_utf8_next(bytes + i, count - i, &code);
        if (is_white(code) || (code >= 0x1c && code <= 0x1f)) {
            blank = out->count > before;
            continue;
        }
        if (blank)
            tomevit_string_put(out, ' ');
        blank = 0;
        tomevit_string_add(out, bytes + i, n);
    }
}

#ifdef HAVE_UTF8PROC

int tomevit_unicode_is_there(void)
{
    return 1;
}

enum vit_character tomevit_character(int32_t code)
{
    if (is_white(code))
        return VIT_WHITE;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return VIT_LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return VIT_NUMBER;
    default:
        return VIT_OTHER_CHARACTER;
    }
}

int tomevit_compose(const char *bytes, size_t count, int compatible,
                    vit_string *out)
{
    utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                            (compatible ? UTF8PROC_COMPAT : 0);
    utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t length = utf8proc_map((const utf8proc_uint8_t *)bytes,
                                           (utf8proc_ssize_t)count, &made, how);

    if (length < 0)
        return -1;
    tomevit_string_add(out, (const char *)made, (size_t)length);
    free(made);
    return out->failed ? -1 : 0;
}

/* ---- lower case ---------------------------------------------------------- */

/* [Unicode, 3.13: Cased, Case_Ignorable], as near as categories tell. */
static int is_cased(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
        return 1;
    default:
        return code == 0xaa || code == 0xba ||
               (code >= 0x2160 && code <= 0x217f) ||
               (code >= 0x24b6 && code <= 0x24e9);
    }
}

static int is_passed_over(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return 1;
    default:
        return code == '\'' || code == '.' || code == ':' || code == 0xb7 ||
               code == 0x387 || code == 0x55f || code == 0x5f4 ||
               code == 0x2018 || code == 0x2019 || code == 0x2024 ||
               code == 0x2027 || code == 0xfe13 || code == 0xfe52 ||
               code == 0xfe55 || code == 0xff07 || code == 0xff0e ||
               code == 0xff1a;
    }
}

/* Whether no letter with a case follows in the word. */
static int ends_word(const char *bytes, size_t count)
{
    int32_t code;

    for (size_t i = 0; i < count;) {
        i += tomevit_utf8_next(bytes + i, count - i, &code);
        if (!is_passed_over(code))
            return !is_cased(code);
    }
    return 1;
}

void tomevit_lower(const char *bytes, size_t count, int in_words,
                   vit_string *out)
{
    int within = 0;        /* a letter with a case comes before, in its word */
    int32_t code;

    for (size_t i = 0; i < count;) {
        i += tomevit_utf8_next(bytes + i, count - i, &code);
        if (code == 0x3a3 && in_words && within &&
            ends_word(bytes + i, count - i)) {
            tomevit_string_put(out, 0x3c2);
        } else if (code == 0x130) {
            tomevit_string_put(out, 'i');
            tomevit_string_put(out, 0x307);
        } else {
            tomevit_string_put(out, utf8proc_tolower(code));
        }
        if (!is_passed_over(code))
            within = is_cased(code);
    }
}

#else

int tomevit_unicode_is_there(void)
{
    return 0;
}

enum vit_character tomevit_character(int32_t code)
{
    return is_white(code) ? VIT_WHITE : VIT_OTHER_CHARACTER;
}

int tomevit_compose(const char *bytes, size_t count, int compatible,
                    vit_string *out)
{
    (void)compatible;
    tomevit_string_add(out, bytes, count);
    return out->failed ? -1 : 0;
}

void tomevit_lower(const char *bytes, size_t count, int in_words,
                   vit_string *out)
{
    (void)in_words;
    tomevit_string_add(out, bytes, count);
}

#endif
