/* SPDX-License-Identifier: MIT */
/* Boxes, enlarged pixels and text. */
#include "draw.h"

#include "../base/memory.h"
#include "font.h"

#include <string.h>

void draw_begin(image *out, size_t width, size_t height,
                const uint8_t colour[3])
{
    out->rgb = memory_zero(width * height, 3);
    out->width = width;
    out->height = height;
    draw_box(out, 0, 0, width, height, colour);
}

void draw_box(image *out, size_t left, size_t top, size_t width,
              size_t height, const uint8_t colour[3])
{
    for (size_t y = top; y < top + height; y++)
        for (size_t x = left; x < left + width; x++)
            memcpy(out->rgb + (y * out->width + x) * 3, colour, 3);
}

void draw_scaled(image *out, size_t left, size_t top, const uint8_t *rgb,
                 size_t width, size_t height, size_t scale)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            draw_box(out, left + x * scale, top + y * scale, scale, scale,
                     rgb + (y * width + x) * 3);
}

/* ---- text ---------------------------------------------------------------- */

typedef struct glyph {
    const char *const *rows; /* [FONT_HEIGHT] of its band; NULL: a blank */
    size_t first;          /* its first column there */
    size_t width;          /* without empty columns at its ends */
} glyph;

static int inked(const glyph *g, size_t x, size_t y)
{
    return g->rows[y][g->first + x] != '.';
}

static int column_inked(const glyph *g, size_t x)
{
    for (size_t y = 0; y < FONT_HEIGHT; y++)
        if (inked(g, x, y))
            return 1;
    return 0;
}

static glyph find(char letter)
{
    const font_band *band = font, *end = font + sizeof(font) / sizeof(*font);

    if (letter == ' ')
        return (glyph){NULL, 0, FONT_BLANK};
    while (band < end && !strchr(band->letters, letter))
        band++;
    if (band == end)
        return find('?');
    glyph g = {band->rows, 0, FONT_WIDTH};
    g.first = FONT_PITCH * (size_t)(strchr(band->letters, letter) -
                                    band->letters);
    while (!column_inked(&g, g.width - 1))
        g.width--;
    for (; !column_inked(&g, 0); g.first++)
        g.width--;
    return g;
}

size_t draw_text_height(size_t scale)
{
    return FONT_HEIGHT * scale;
}

/* Letters have an empty column between them. */
size_t draw_text_width(const char *text, size_t scale)
{
    size_t columns = 0;

    for (; *text != '\0'; text++)
        columns += find(*text).width + (text[1] != '\0');
    return columns * scale;
}

void draw_text(image *out, size_t left, size_t top, const char *text,
               size_t scale, const uint8_t colour[3])
{
    for (; *text != '\0'; text++) {
        glyph g = find(*text);
        for (size_t y = 0; g.rows && y < FONT_HEIGHT; y++)
            for (size_t x = 0; x < g.width; x++)
                if (inked(&g, x, y))
                    draw_box(out, left + x * scale, top + y * scale, scale,
                             scale, colour);
        left += (g.width + 1) * scale;
    }
}
