/* SPDX-License-Identifier: MIT */
/* Text that may hold anything, for a terminal: names of files can hold escape
 * sequences, which would colour the screen, move the cursor or worse. */
#include "printable.h"

#include <stddef.h>

/* Bytes of the UTF-8 letter that begins here, 0 if none does. */
static size_t letter_bytes(const unsigned char *p)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = p[0] < 0x80 ? 1 : p[0] >= 0xF0 && p[0] < 0xF8 ? 4
                 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                 : p[0] >= 0xC0 && p[0] < 0xE0 ? 2 : 0;
    unsigned letter = count > 1 ? p[0] & (0x7Fu >> count) : p[0];

    for (size_t i = 1; i < count; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        letter = letter << 6 | (p[i] & 0x3F);
    }
    return count > 1 && letter < least[count] ? 0 : count;
}

/* The control characters of ASCII and of Latin-1, which UTF-8 has too; and
 * those that turn the direction of text around. */
static int steers(const unsigned char *p, size_t count)
{
    if (count == 1)
        return p[0] < 0x20 || p[0] == 0x7F;
    if (count == 2)
        return p[0] == 0xC2 && p[1] < 0xA0;
    return count == 3 && p[0] == 0xE2 &&
           ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) ||
            (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9));
}

void printable_put(const char *text, FILE *out)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p != '\0') {
        size_t count = letter_bytes(p);
        if (count > 0 && !steers(p, count)) {
            fwrite(p, 1, count, out);
            p += count;
            continue;
        }
        for (count += count == 0; count > 0; count--)
            fprintf(out, "\\x%02x", *p++);
    }
}
