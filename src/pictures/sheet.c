/* SPDX-License-Identifier: MIT */
/* A sheet of panels, each with two lines of caption. */
#include "sheet.h"

#include "../images/draw.h"

#include <stdint.h>

enum {
    TEXT_PER_SIDE = 220,   /* captions grow with the panels */
    TEXT_MOST = 8,
    GAP = 8,               /* between panels and around, times the text scale */
    ABOVE_TITLE = 5,
    ABOVE_DETAIL = 2,
    MOST_COLUMNS = 6,
    LONGEST_SIDE = 1 << 24
};

static const uint8_t paper[3] = {255, 255, 255};
static const uint8_t title_ink[3] = {31, 35, 40};
static const uint8_t detail_ink[3] = {98, 106, 115};

size_t sheet_columns(size_t count)
{
    size_t columns = 1, best, least = SIZE_MAX;

    while (columns * columns < count)
        columns++;
    best = columns;
    for (; columns <= count && columns <= MOST_COLUMNS; columns++) {
        size_t empty = (count + columns - 1) / columns * columns - count;
        if (empty < least) {
            least = empty;
            best = columns;
        }
    }
    return best;
}

static size_t widest_caption(const sheet *s)
{
    size_t widest = 0;

    for (size_t i = 0; i < s->count; i++) {
        size_t title = draw_text_width(s->captions[i].title, s->text_scale);
        size_t detail = draw_text_width(s->captions[i].detail, s->text_scale);
        widest = title > widest ? title : widest;
        widest = detail > widest ? detail : widest;
    }
    return widest;
}

void sheet_lay_out(sheet *s, size_t count, size_t width, size_t height,
                   size_t columns, const sheet_caption *captions)
{
    size_t scale = (width < height ? width : height) / TEXT_PER_SIDE;
    size_t line, widest;

    s->count = count;
    s->panel_width = width;
    s->panel_height = height;
    s->captions = captions;
    s->columns = columns;
    s->rows = (count + columns - 1) / columns;
    scale = scale > TEXT_MOST ? TEXT_MOST : scale;
    s->text_scale = scale < 1 ? 1 : scale;
    s->gap = GAP * s->text_scale;
    line = draw_text_height(s->text_scale);
    widest = widest_caption(s);
    s->cell_width = width > widest ? width : widest;
    s->cell_height = height + 2 * line +
        (ABOVE_TITLE + ABOVE_DETAIL) * s->text_scale;
    s->width = s->height = SIZE_MAX;
    if (width > LONGEST_SIDE || height > LONGEST_SIDE || count > LONGEST_SIDE)
        return;
    s->width = s->gap + s->columns * (s->cell_width + s->gap);
    s->height = s->gap + s->rows * (s->cell_height + s->gap);
}

int sheet_fits(const sheet *s)
{
    return s->width <= SHEET_MAX_PIXELS / s->height;
}

void sheet_place(const sheet *s, size_t index, size_t *left, size_t *top)
{
    *left = s->gap + index % s->columns * (s->cell_width + s->gap);
    *top = s->gap + index / s->columns * (s->cell_height + s->gap);
}

void sheet_begin(const sheet *s, image *out)
{
    size_t line = draw_text_height(s->text_scale), left, top;

    draw_begin(out, s->width, s->height, paper);
    for (size_t i = 0; i < s->count; i++) {
        const sheet_caption *caption = &s->captions[i];
        sheet_place(s, i, &left, &top);
        top += s->panel_height + ABOVE_TITLE * s->text_scale;
        draw_text(out, left, top, caption->title, s->text_scale, title_ink);
        top += line + ABOVE_DETAIL * s->text_scale;
        draw_text(out, left, top, caption->detail, s->text_scale, detail_ink);
    }
}
