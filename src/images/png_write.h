/* SPDX-License-Identifier: MIT */
/* Pictures to PNG files, whole or not at all. */
#ifndef TOMERGE_PNG_WRITE_H
#define TOMERGE_PNG_WRITE_H

#include "image.h"

enum { PNG_WRITE_WHY = 200 };

/* The picture as a PNG file in memory, to be freed by the caller, with
 * *count bytes; or NULL with one line in why[PNG_WRITE_WHY]. */
uint8_t *png_encode(const image *picture, size_t *count, char *why);

/* The same at zlib's highest level and without what says that it is sRGB. */
uint8_t *png_encode_smallest(const image *picture, size_t *count, char *why);

/* Writes it to `path`; "-" is standard output. A file appears under its name
 * when all of it is written: until then, and on failure, what was there stays
 * and nothing else does. Returns 0, or -1 with one line in
 * why[PNG_WRITE_WHY], without the path. */
int png_write(const char *path, const image *picture, char *why);

#endif
