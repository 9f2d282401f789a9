/* SPDX-License-Identifier: MIT */
/* Image files to 8-bit RGB: PNG and JPEG, told apart by content. */
#ifndef TOMERGE_IMAGE_H
#define TOMERGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct image {
    uint8_t *rgb;          /* [height, width, 3], malloc'ed, rows packed */
    size_t width, height;
} image;

typedef struct image_options {
    size_t max_pixels;     /* larger images are refused before memory is asked for */
    int exif;              /* 1: turn as the EXIF orientation says */
    int lenient;           /* 1: a truncated file gives what could be decoded */
} image_options;

void image_options_init(image_options *options);

/* Reads one file. Returns 0, or -1 with one line in why[200] (without the
 * file's name) and nothing allocated. Thread-safe. */
int image_read(const char *path, const image_options *options, image *out,
               char why[200]);
int image_decode(const uint8_t *bytes, size_t count,
                 const image_options *options, image *out, char why[200]);
void image_free(image *image);

/* 1 if the first bytes are those of a file type read here. */
int image_recognised(const uint8_t *bytes, size_t count);

#endif
