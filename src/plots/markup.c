/* SPDX-License-Identifier: MIT */
/* Text and pictures inside of SVG and HTML. */
#include "markup.h"

#include "../images/png_write.h"

#include <stdlib.h>
#include <string.h>

static const char *const entities[256] = {
    ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;",
    ['\''] = "&#39;"
};

/* The bytes of the character at `text` if XML allows it, else 0. */
static size_t character(const unsigned char *text)
{
    /* The least value that needs so many bytes. */
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = text[0] < 0x80 ? 1 : text[0] < 0xC0 ? 0
        : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : text[0] < 0xF8 ? 4 : 0;
    unsigned long value = text[0];

    if (count <= 1)
        return value >= 0x20 && value != 0x7F ? count
            : value == '\t' || value == '\n' || value == '\r';
    value &= 0x7FUL >> count;
    for (size_t i = 1; i < count; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3F);
    }
    if (value < least[count] || value > 0x10FFFF || value == 0xFFFE ||
        value == 0xFFFF || (value >= 0xD800 && value < 0xE000) ||
        (value >= 0x80 && value < 0xA0))
        return 0;
    return count;
}

void markup_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        size_t count = character(at);
        if (count == 0)
            fputs("\xEF\xBF\xBD", out);
        else if (entities[*at])
            fputs(entities[*at], out);
        else
            fwrite(at, 1, count, out);
        at += count ? count : 1;
    }
}

static void base64(FILE *out, const uint8_t *bytes, size_t count)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned group = (unsigned)bytes[i] << 16;
        group |= left > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        putc(digits[group >> 18], out);
        putc(digits[group >> 12 & 63], out);
        putc(left > 1 ? digits[group >> 6 & 63] : '=', out);
        putc(left > 2 ? digits[group & 63] : '=', out);
    }
}

int markup_image(FILE *out, const image *picture, const char *description)
{
    char why[PNG_WRITE_WHY];
    size_t count = 0;
    uint8_t *bytes = png_encode(picture, &count, why);

    if (!bytes)
        return -1;
    fprintf(out, "<img width=\"%zu\" height=\"%zu\" alt=\"", picture->width,
            picture->height);
    markup_text(out, description);
    fputs("\" src=\"data:image/png;base64,", out);
    base64(out, bytes, count);
    fputs("\"/>", out);
    free(bytes);
    return 0;
}
