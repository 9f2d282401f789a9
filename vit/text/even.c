/* SPDX-License-Identifier: MIT */
/* A text made even, as a tokenizer's list of steps says. */
#include "config.h"

#include "tokenizer.h"

#include <string.h>

static void replace(const char *text, size_t count, const char *from,
                    const char *to, vit_string *out)
{
    size_t n = strlen(from);

    for (size_t i = 0; i < count;)
        if (count - i >= n && memcmp(text + i, from, n) == 0) {
            tomevit_string_add(out, to, strlen(to));
            i += n;
        } else {
            tomevit_string_add(out, text + i++, 1);
        }
}

static void blanks(const char *text, size_t count, vit_string *out)
{
    int32_t code;
    int white = 0;

    for (size_t i = 0, n; i < count; i += n) {
        n = tomevit_utf8_next(text + i, count - i, &code);
        if (tomevit_character(code) != VIT_WHITE)
            tomevit_string_add(out, text + i, n);
        else if (!white)
            tomevit_string_put(out, ' ');
        white = tomevit_character(code) == VIT_WHITE;
    }
}

static void runs(const char *text, size_t count, const char *to,
                 vit_string *out)
{
    for (size_t i = 0, n; i < count; i += n) {
        n = 1;
        while (text[i] == ' ' && i + n < count && text[i + n] == ' ')
            n++;
        if (n > 1)
            tomevit_string_add(out, to, strlen(to));
        else
            tomevit_string_add(out, text + i, 1);
    }
}

static int is_punctuation(char c)
{
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
           !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
}

static void strip(const char *text, size_t count, int left, vit_string *out)
{
    size_t first = left ? count : 0, end = 0;
    int32_t code;

    for (size_t i = 0, n; i < count; i += n) {
        n = tomevit_utf8_next(text + i, count - i, &code);
        if (tomevit_character(code) == VIT_WHITE)
            continue;
        first = left && first == count ? i : first;
        end = i + n;
    }
    if (end > first)
        tomevit_string_add(out, text + first, end - first);
}

static void step(const vit_tokenizer *t, const vit_even_step *s,
                 const char *text, size_t count, vit_string *out)
{
    switch (s->what) {
    case VIT_EVEN_NFC:
    case VIT_EVEN_NFKC:
        out->failed |= tomevit_compose(text, count, s->what == VIT_EVEN_NFKC,
                                       out) != 0;
        break;
    case VIT_EVEN_LOWER:
        tomevit_lower(text, count, 0, out);
        break;
    case VIT_EVEN_BLANKS:
        blanks(text, count, out);
        break;
    case VIT_EVEN_RUNS:
        runs(text, count, s->to, out);
        break;
    case VIT_EVEN_PUNCTUATION:
        for (size_t i = 0; i < count; i++)
            if (!is_punctuation(text[i]))
                tomevit_string_add(out, text + i, 1);
        break;
    case VIT_EVEN_STRIP:
    case VIT_EVEN_STRIP_RIGHT:
        strip(text, count, s->what == VIT_EVEN_STRIP, out);
        break;
    case VIT_EVEN_MAPPED:
        tomevit_charsmap(t->charsmap, t->charsmap_bytes, text, count, out);
        break;
    case VIT_EVEN_REPLACE:
        replace(text, count, s->from, s->to, out);
        break;
    }
}

int tomevit_even(const vit_tokenizer *t, const char *text, size_t count,
                 vit_string *out)
{
    vit_string a = {0}, b = {0};

    tomevit_string_add(&a, text, count);
    for (size_t i = 0; i < t->even_count && !a.failed && !b.failed; i++) {
        vit_string c = b;

        c.count = 0;
        step(t, &t->even[i], a.bytes, a.count, &c);
        b = a;
        a = c;
    }
    tomevit_string_add(out, a.bytes ? a.bytes : "", a.count);
    out->failed |= a.failed || b.failed;
    tomevit_string_free(&a);
    tomevit_string_free(&b);
    return out->failed ? -1 : 0;
}

/* As a normalizer that runs first has it: tokens that are looked for in even
 * texts would change with it, and are not known to. */
int tomevit_even_lower(vit_tokenizer *t, const vit_report *report)
{
    for (size_t i = 0; i < t->special_count; i++)
        if (t->specials[i].evened)
            return tomevit_fail(report, TOMEVIT_EMODEL, "lower case with an "
                                "added token \"%.60s\" that is normalized is "
                                "not run", t->specials[i].text);
    if (t->even_count > 0 && t->even[0].what == VIT_EVEN_LOWER)
        return 0;
    if (t->even_count == VIT_EVEN_STEPS)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected at most %d "
                            "normalizers", VIT_EVEN_STEPS);
    memmove(t->even + 1, t->even, t->even_count * sizeof(*t->even));
    t->even[0] = (vit_even_step){.what = VIT_EVEN_LOWER};
    t->even_count++;
    return 0;
}
