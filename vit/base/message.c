/* SPDX-License-Identifier: MIT */
/* The one line that explains why a file was refused. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "message.h"

enum { PATH_SHOWN = 160 };

/* Length of the UTF-8 sequence at `s`, 0 if it is not a valid one or encodes
 * a control character. The string's end stops it: NUL is no continuation. */
static size_t printable_length(const unsigned char *s)
{
    size_t length, i;

    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if (s[0] == 0xc2 && s[1] < 0xa0)            /* C1 controls */
        return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static void make_printable(char *text)
{
    unsigned char *s = (unsigned char *)text;

    while (*s) {
        size_t length = printable_length(s);

        if (length == 0) {
            *s = '?';
            length = 1;
        }
        s += length;
    }
}

int tomevit_fail(const vit_report *report, int code, const char *format, ...)
{
    size_t length = strlen(report->path);
    tomevit_message *why = report->why;
    va_list args;
    int used;

    if (!why)
        return code;
    if (length > PATH_SHOWN)
        used = snprintf(why->text, sizeof(why->text), "...%s: ",
                        report->path + length - PATH_SHOWN);
    else
        used = snprintf(why->text, sizeof(why->text), "%s: ", report->path);
    va_start(args, format);
    vsnprintf(why->text + used, sizeof(why->text) - (size_t)used, format, args);
    va_end(args);
    make_printable(why->text);
    return code;
}

int tomevit_refuse(tomevit_message *why, int code, const char *format, ...)
{
    va_list args;

    if (!why)
        return code;
    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    make_printable(why->text);
    return code;
}

vit_shape_text tomevit_shape_text(const size_t *shape, size_t dims)
{
    vit_shape_text out;
    size_t used = 1, i;

    strcpy(out.text, "[");
    for (i = 0; i < dims && used < sizeof(out.text); i++)
        used += (size_t)snprintf(out.text + used, sizeof(out.text) - used,
                                 i ? ", %zu" : "%zu", shape[i]);
    if (used + 2 > sizeof(out.text))
        used = sizeof(out.text) - 2;
    strcpy(out.text + used, "]");
    return out;
}
