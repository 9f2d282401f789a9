/* SPDX-License-Identifier: MIT */
/* What a refusal looks like. */
#include "refused.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

void refused(int code, int expected, const tomevit_message *why,
             const char *path, const char *words)
{
    const char *text = why->text, *colon = strstr(text, ": ");
    size_t i;

    cr_assert_eq(code, expected, "code %d instead of %d: %s", code, expected,
                 text);
    cr_assert_not_null(memchr(text, 0, sizeof(why->text)));
    cr_assert(colon && colon > text && strlen(colon) > 8, "\"%s\"", text);
    if (path)
        cr_assert(!strncmp(text, path, strlen(path)) &&
                  colon == text + strlen(path), "\"%s\"", text);
    for (i = 0; text[i]; i++)
        cr_assert((unsigned char)text[i] >= 0x20 && text[i] != 0x7f,
                  "\"%s\" is no printable line", text);

    while (*words) {
        size_t length = strcspn(words, "|");
        char word[128];

        snprintf(word, sizeof(word), "%.*s", (int)length, words);
        cr_assert(strstr(text, word), "no \"%s\" in \"%s\"", word, text);
        words += length + (words[length] == '|');
    }
}
