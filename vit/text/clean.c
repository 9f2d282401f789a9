/* SPDX-License-Identifier: MIT */
/*
 * Texts as open_clip and OpenAI clean them before they are cut: HTML's
 * entities, what ftfy repairs in any text, white space, case. [open_clip,
 * src/open_clip/tokenizer.py] ftfy also guesses which texts were read in the
 * wrong encoding; what it may repair so is refused here.
 */
#include "config.h"

#include "tokenizer.h"

#include <stdio.h>
#include <string.h>

/* ---- HTML ---------------------------------------------------------------- */

/* Entities that need no semicolon. [HTML, 13.5] */
static const char *const open_entities[] = {
    "AElig", "AMP", "Aacute", "Acirc", "Agrave", "Aring", "Atilde", "Auml",
    "COPY", "Ccedil", "ETH", "Eacute", "Ecirc", "Egrave", "Euml", "GT",
    "Iacute", "Icirc", "Igrave", "Iuml", "LT", "Ntilde", "Oacute", "Ocirc",
    "Ograve", "Oslash", "Otilde", "Ouml", "QUOT", "REG", "THORN", "Uacute",
    "Ucirc", "Ugrave", "Uuml", "Yacute", "aacute", "acirc", "acute", "aelig",
    "agrave", "amp", "aring", "atilde", "auml", "brvbar", "ccedil", "cedil",
    "cent", "copy", "curren", "deg", "divide", "eacute", "ecirc", "egrave",
    "eth", "euml", "frac12", "frac14", "frac34", "gt", "iacute", "icirc",
    "iexcl", "igrave", "iquest", "iuml", "laquo", "lt", "macr", "micro",
    "middot", "nbsp", "not", "ntilde", "oacute", "ocirc", "ograve", "ordf",
    "ordm", "oslash", "otilde", "ouml", "para", "plusmn", "pound", "quot",
    "raquo", "reg", "sect", "shy", "sup1", "sup2", "sup3", "szlig", "thorn",
    "times", "uacute", "ucirc", "ugrave", "uml", "uuml", "yacute", "yen",
    "yuml",
};

/* The number of an entity as "&#233;" or "&#xe9;" gives it, and its bytes. */
static int32_t numbered(const char *text, size_t count, size_t *bytes)
{
    int hexadecimal = count > 2 && (text[2] == 'x' || text[2] == 'X');
    size_t i = hexadecimal ? 3 : 2, first = i;
    int32_t code = 0;

    for (; i < count; i++) {
        int digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -1;

        if (hexadecimal && text[i] >= 'a' && text[i] <= 'f')
            digit = text[i] - 'a' + 10;
        if (hexadecimal && text[i] >= 'A' && text[i] <= 'F')
            digit = text[i] - 'A' + 10;
        if (digit < 0)
            break;
        if (code <= 0x10ffff)
            code = code * (hexadecimal ? 16 : 10) + digit;
    }
    *bytes = i + (i < count && text[i] == ';');
    return i > first ? code : -1;
}

static int refuse(tomevit_message *why, const char *what, const char *text,
                  size_t count)
{
    vit_report report = {"a text", why};

    return tomevit_fail(&report, TOMEVIT_EMODEL, "%s \"%.*s\", which is not "
                        "known here", what, (int)count, text);
}

/* Whether letters after '&' are an entity, to its semicolon or without. */
static size_t entity_length(const char *text, size_t count)
{
    size_t n = 1;

    while (n < count && n < 40 &&
           ((text[n] >= 'a' && text[n] <= 'z') ||
            (text[n] >= 'A' && text[n] <= 'Z') ||
            (text[n] >= '0' && text[n] <= '9')))
        n++;
    if (n > 1 && n < count && text[n] == ';')
        return n + 1;
    for (size_t i = 0; i < sizeof(open_entities) / sizeof(char *); i++) {
        size_t length = strlen(open_entities[i]);

        if (length < n && !memcmp(text + 1, open_entities[i], length))
            return length + 1;
    }
    return 0;
}

/* One entity at an '&'; *bytes 1 if there is none. */
static int put_entity(const char *text, size_t count, size_t *bytes,
                      vit_string *out, tomevit_message *why)
{
    static const struct {
        const char *name, *is;
    } known[] = {
        {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"},
        {"nbsp", "\xc2\xa0"}, {"AMP", "&"}, {"LT", "<"}, {"GT", ">"},
        {"QUOT", "\""},
    };
    int32_t code;
    size_t n;

    if (count > 1 && text[1] == '#') {
        code = numbered(text, count, bytes);
        /* Numbers that stand for others, or for nothing. */
        if (code == 0 || code > 0x10ffff || (code >= 0x80 && code < 0xa0) ||
            (code >= 0xd800 && code < 0xe000))
            return refuse(why, "HTML has a number", text, *bytes);
        if (code > 0) {
            tomevit_string_put(out, code);
            return 0;
        }
    }
    *bytes = 1;
    n = entity_length(text, count);
    if (n == 0) {
        tomevit_string_add(out, text, 1);
        return 0;
    }
    *bytes = n;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strlen(known[i].name) == n - 1 - (text[n - 1] == ';') &&
            !memcmp(text + 1, known[i].name, strlen(known[i].name))) {
            tomevit_string_add(out, known[i].is, strlen(known[i].is));
            return 0;
        }
    return refuse(why, "HTML has an entity", text, n);
}

static int unescape(const vit_string *text, vit_string *out,
                    tomevit_message *why)
{
    int code = 0;

    for (size_t i = 0, n; i < text->count && !code; i += n) {
        n = 1;
        if (text->bytes[i] == '&')
            code = put_entity(text->bytes + i, text->count - i, &n, out, why);
        else
            tomevit_string_add(out, text->bytes + i, 1);
    }
    return code;
}

/* ---- repairs ------------------------------------------------------------- */

/* The byte that stands for a character in Windows' western encoding, or -1. */
static int western(int32_t code)
{
    static const int32_t high[] = {
        0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,
        0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019,
        0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a,
        0x153, 0x9d, 0x17e, 0x178,
    };

    for (int i = 0; i < 32; i++)
        if (high[i] == code)
            return 0x80 + i;
    return code < 0x100 ? (int)code : -1;
}

/* Whether characters here are what UTF-8 looks like read as Latin-1. */
static int looks_misread(const char *text, size_t count)
{
    int32_t code;
    size_t at = tomevit_utf8_next(text, count, &code);
    int lead = western(code),
        more = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0
                   ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0, found = 0;

    if (code >= 0x80 && code < 0xa0)
        return 1;
    for (; found < more && at < count; found++) {
        at += tomevit_utf8_next(text + at, count - at, &code);
        if (western(code) < 0x80 || western(code) > 0xbf)
            break;
    }
    return more > 0 && found == more;
}

static const char *ligature(int32_t code)
{
    static const struct {
        int32_t code;
        const char *is;
    } known[] = {
        {0x132, "IJ"}, {0x133, "ij"}, {0x149, "'n"}, {0x1f1, "DZ"},
        {0x1f2, "Dz"}, {0x1f3, "dz"}, {0x1c4, "D\xc5\xbd"},
        {0x1c5, "D\xc5\xbe"}, {0x1c6, "d\xc5\xbe"}, {0x1c7, "LJ"},
        {0x1c8, "Lj"}, {0x1c9, "lj"}, {0x1ca, "NJ"}, {0x1cb, "Nj"},
        {0x1cc, "nj"}, {0xfb00, "ff"}, {0xfb01, "fi"}, {0xfb02, "fl"},
        {0xfb03, "ffi"}, {0xfb04, "ffl"}, {0xfb05, "\xc5\xbft"},
        {0xfb06, "st"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i].code == code)
            return known[i].is;
    return NULL;
}

static int is_control(int32_t code)
{
    return code < 9 || code == 0xb || (code >= 0xe && code < 0x20) ||
           code == 0x7f || (code >= 0x206a && code <= 0x206f) ||
           code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb);
}

/* One character as ftfy leaves it. */
static void repair(int32_t code, const char *text, size_t bytes,
                   vit_string *out)
{
    const char *apart = ligature(code);

    if (apart)
        tomevit_string_add(out, apart, strlen(apart));
    else if (code >= 0xff01 && code < 0xfff0)
        tomevit_compose(text, bytes, 1, out);
    else if (code == 0x2bc || (code >= 0x2018 && code <= 0x201b))
        tomevit_string_put(out, '\'');
    else if (code >= 0x201c && code <= 0x201f)
        tomevit_string_put(out, '"');
    else if (!is_control(code))
        tomevit_string_add(out, text, bytes);
}

static int fix(const vit_string *text, vit_string *out, tomevit_message *why)
{
    vit_report report = {"a text", why};
    vit_string even = {0};
    int32_t code;

    for (size_t i = 0, n; i < text->count; i += n) {
        n = tomevit_utf8_next(text->bytes + i, text->count - i, &code);
        if (looks_misread(text->bytes + i, text->count - i)) {
            tomevit_string_free(&even);
            return tomevit_fail(&report, TOMEVIT_EMODEL, "\"%.80s\" looks "
                                "as if it had been read in the wrong encoding",
                                text->bytes);
        }
        repair(code, text->bytes + i, n, &even);
    }
    out->failed |= even.failed ||
                   (even.count &&
                    tomevit_compose(even.bytes, even.count, 0, out) != 0);
    tomevit_string_free(&even);
    return 0;
}

/* ---- all of it ----------------------------------------------------------- */

static void swap(vit_string *a, vit_string *b)
{
    vit_string c = *a;

    *a = *b;
    *b = c;
    b->count = 0;
}

/* Punctuation of ASCII goes; '_' may be a blank instead. */
static void drop_punctuation(const vit_string *text, int underscore,
                             vit_string *out)
{
    for (size_t i = 0; i < text->count; i++) {
        char c = underscore && text->bytes[i] == '_' ? ' ' : text->bytes[i];

        if (c <= ' ' || c >= 0x7f || (c >= '0' && c <= '9') ||
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            tomevit_string_add(out, &c, 1);
    }
}

/* HTML's entities, and repairs. ftfy's own turn at the entities is left out
 * where there may be tags. */
static int basic(vit_string *a, vit_string *b, tomevit_message *why)
{
    int code = 0;

    for (int i = memchr(a->bytes, '<', a->count) != NULL; i < 3 && !code;
         i++) {
        if (i == 1) {
            code = fix(a, b, why);
            swap(a, b);
        }
        if (!code)
            code = unescape(a, b, why);
        swap(a, b);
    }
    return code;
}

int tomevit_clean(enum vit_cleaning how, const char *text, size_t count,
                  vit_string *out, tomevit_message *why)
{
    vit_string a = {0}, b = {0};
    int code = 0;

    if (how == VIT_CLEAN_NOTHING) {
        tomevit_string_add(out, text, count);
        return out->failed ? TOMEVIT_ENOMEM : 0;
    }
    tomevit_string_add(&a, text, count);
    tomevit_string_add(&b, "", 0);
    if (how != VIT_CLEAN_SIGLIP && !a.failed && !b.failed)
        code = basic(&a, &b, why);
    if (!code && how != VIT_CLEAN_WHITE && !a.failed && !b.failed) {
        tomevit_lower(a.bytes, a.count, 1, &b);
        swap(&a, &b);
    }
    if (how == VIT_CLEAN_CANONICAL || how == VIT_CLEAN_SIGLIP) {
        drop_punctuation(&a, how == VIT_CLEAN_CANONICAL, &b);
        swap(&a, &b);
    }
    if (a.failed || b.failed)
        code = code ? code : TOMEVIT_ENOMEM;
    if (!code)
        tomevit_collapse(a.bytes, a.count, out);
    if (!code && out->failed)
        code = TOMEVIT_ENOMEM;
    tomevit_string_free(&a);
    tomevit_string_free(&b);
    return code;
}
