/* SPDX-License-Identifier: MIT */
/* A PNG file's chunks, looked at beside libpng: what is damaged in them, and
 * what they say of the picture. */
#ifndef TOMERGE_IMAGE_PNG_CHUNKS_H
#define TOMERGE_IMAGE_PNG_CHUNKS_H

#include "image_decoders.h"

enum png_damage {
    PNG_WHOLE,
    PNG_OVERLOOKED,        /* every pixel may still be right */
    PNG_REFUSED
};

/* Where the file ends within a chunk of pixel data: the place of the chunk's
 * length, and what the length should have been. All 0 where it does not. */
typedef struct png_cut {
    size_t at, length;
} png_cut;

/* Compares checksums and looks for the end. The first damage is a line in
 * `why`, which is left alone if there is none. */
enum png_damage png_chunks_check(const uint8_t *bytes, size_t count,
                                 png_cut *cut, char why[IMAGE_WHY]);

/* The orientation that EXIF or XMP give: in an eXIf chunk, or in texts under
 * the names that editors use. 1 if neither does; 0 if there is no memory to
 * unpack them. */
int png_chunks_orientation(const uint8_t *bytes, size_t count);

#endif
