/* SPDX-License-Identifier: MIT */
/* What the parts of the image reader share. */
#ifndef TOMERGE_IMAGE_DECODERS_H
#define TOMERGE_IMAGE_DECODERS_H

#include "image.h"

enum { IMAGE_WHY = 200 };

/* Fills `out` as image_decode does, except that the picture is not turned:
 * *orientation becomes 1 to 8 (1 = as it is, also when options->exif is 0).
 * `why` comes empty. After a failure out->rgb may still hold memory: the caller
 * frees it. */
typedef int image_decoder(const uint8_t *bytes, size_t count,
                          const image_options *options, image *out,
                          int *orientation, char why[IMAGE_WHY]);

image_decoder image_decode_jpeg, image_decode_png, image_decode_webp;

/* A kind of file, by the bytes it begins with. */
typedef struct image_format {
    const char *name;
    const char *begins;    /* '?' stands for any byte */
    size_t length;         /* of `begins` */
    int text;              /* 1: after blanks, in capitals or not */
    image_decoder *decode; /* NULL: told apart, but not read */
} image_format;

/* NULL if it is none of those known. */
const image_format *image_format_of(const uint8_t *bytes, size_t count);

/* Checks the size a header claims against the limit and against what
 * `file_bytes` of compressed data, at `pixels_per_byte`, can at most hold. */
int image_check_size(size_t width, size_t height, const image_options *options,
                     size_t file_bytes, size_t pixels_per_byte,
                     char why[IMAGE_WHY]);

/* Memory for a size that was checked: 0 or IMAGE_NO_MEMORY. */
int image_allocate(image *out, size_t width, size_t height,
                   const image_options *options, char why[IMAGE_WHY]);

/* The region that the caller wants; all of an image that is to be turned. */
image_region image_wanted(const image *picture, const image_options *options,
                          int orientation);

/* What a file says of itself; NULL where it says nothing. */
typedef struct image_tags {
    const uint8_t *exif, *xmp;
    size_t exif_bytes, xmp_bytes;
} image_tags;

/* 1 to 8; 1 if nothing is said. */
int image_orientation(const image_tags *tags);

/* Turns the picture upright. 0, or -1 if there is no memory. */
int image_turn(image *picture, int orientation);

#endif
