/* SPDX-License-Identifier: MIT */
/* Boxes, enlarged pixels and text, drawn into an image. What is drawn must
 * lie inside of it. */
#ifndef TOMERGE_DRAW_H
#define TOMERGE_DRAW_H

#include "image.h"

/* An image of one colour, to be freed with image_free. */
void draw_begin(image *out, size_t width, size_t height,
                const uint8_t colour[3]);

void draw_box(image *out, size_t left, size_t top, size_t width,
              size_t height, const uint8_t colour[3]);

/* rgb [height, width, 3], each pixel a square of `scale`. */
void draw_scaled(image *out, size_t left, size_t top, const uint8_t *rgb,
                 size_t width, size_t height, size_t scale);

/* One line of text in the font of font.h, enlarged by `scale`. Letters it
 * lacks are drawn as question marks. */
void draw_text(image *out, size_t left, size_t top, const char *text,
               size_t scale, const uint8_t colour[3]);
size_t draw_text_width(const char *text, size_t scale);
size_t draw_text_height(size_t scale);

#endif
