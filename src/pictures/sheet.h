/* SPDX-License-Identifier: MIT */
/* A sheet of panels of one size, each with two lines of caption. */
#ifndef TOMERGE_SHEET_H
#define TOMERGE_SHEET_H

#include "../images/image.h"

enum { SHEET_TEXT = 96, SHEET_MAX_PIXELS = 1 << 27 };

typedef struct sheet_caption {
    char title[SHEET_TEXT], detail[SHEET_TEXT];
} sheet_caption;

typedef struct sheet {
    size_t count;          /* of panels */
    size_t panel_width, panel_height;
    const sheet_caption *captions; /* [count], the caller's */
    size_t columns, rows;
    size_t text_scale, gap, cell_width, cell_height;
    size_t width, height;  /* of the whole, SIZE_MAX if out of range */
} sheet;

/* Lays out `count` panels. Sheets over SHEET_MAX_PIXELS are for the caller
 * to refuse (sheet_fits) before anything is drawn. */
void sheet_lay_out(sheet *s, size_t count, size_t width, size_t height,
                   size_t columns, const sheet_caption *captions);
int sheet_fits(const sheet *s);

/* As many columns as leave few places empty, from near-square on. */
size_t sheet_columns(size_t count);

/* The top left pixel of a panel. */
void sheet_place(const sheet *s, size_t index, size_t *left, size_t *top);

/* The sheet with its captions and nothing in its panels; image_free. */
void sheet_begin(const sheet *s, image *out);

#endif
