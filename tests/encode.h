/* SPDX-License-Identifier: MIT */
/* Image files made in memory, to be freed by the caller. */
#ifndef TOMERGE_TESTS_ENCODE_H
#define TOMERGE_TESTS_ENCODE_H

#include <stddef.h>
#include <stdint.h>

typedef struct encode_png_options {
    size_t width, height;
    int type, depth;       /* as in the file's header */
    int interlaced;
    int transparency;      /* 1: with a tRNS chunk */
    size_t colours;        /* palette entries: entry i is (i, 255 - i, 3 i) */
} encode_png_options;

/* `samples` [height, width, channels]: one sample a number, of `depth` bits. */
uint8_t *encode_png(const encode_png_options *options, const uint16_t *samples,
                    size_t *count);

typedef struct encode_jpeg_options {
    size_t width, height;
    int components;        /* 1, 3 (RGB in, YCbCr in the file), 4 (CMYK) */
    int ycck;              /* of four components: the file holds YCCK */
    int h[4], v[4];        /* sampling factors; 0 means 1 */
    int quality;
    int progressive;
    int scans;             /* > 0, of one component: a progressive script of
                            * so many scans, one coefficient each */
    unsigned restart;      /* MCUs between restart markers */
    const uint8_t *exif;   /* contents of an APP1 marker, or NULL */
    size_t exif_bytes;
} encode_jpeg_options;

/* `samples` [height, width, components]. */
uint8_t *encode_jpeg(const encode_jpeg_options *options,
                     const uint8_t *samples, size_t *count);

#endif
