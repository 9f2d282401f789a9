/* SPDX-License-Identifier: MIT */
/*
 * Image files to 8-bit RGB: PNG, JPEG and WebP, told apart by content.
 *
 * Pixels are those Pillow gives after convert("RGB"), bit for bit, except
 * that 16-bit gray is scaled to 8 bits where Pillow clips. Of an animation it
 * is the first picture.
 *
 * Damage that Pillow overlooks is overlooked, with a line that names it:
 *
 *   JPEG   entropy-coded data that cannot be right, a restart marker lost or
 *          misplaced, fewer rows than the header says: what libjpeg makes of it
 *   PNG    a wrong checksum of pixel data (of a chunk, or of all), and
 *          whatever is wrong after the pixels, such as a missing end
 *
 * Other damage is refused: a file that ends before its pixels do, a chunk
 * before the pixels whose checksum is wrong, pixel data that cannot be
 * unpacked. Rows below those that are wanted are not looked at.
 */
#ifndef TOMERGE_IMAGE_H
#define TOMERGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct image {
    uint8_t *rgb;          /* [height, width, 3], malloc'ed, rows packed */
    size_t width, height;
} image;

/* A rectangle of pixels: x .. x + width - 1, y .. y + height - 1. */
typedef struct image_region {
    size_t x, y, width, height;
} image_region;

typedef struct image_options {
    size_t max_pixels;     /* larger images are refused, before memory is asked
                            * for */
    size_t max_bytes;      /* larger files are not read, by those who read */
    int exif;              /* 1: turn as the EXIF orientation says */
    int strict;            /* 1: all damage is refused */
    int lenient;           /* 1: a truncated or damaged file gives what could
                            * be decoded, the rest black or as the decoder
                            * guesses it */
    /* Called once the size is known, to say which pixels will be looked at:
     * *region comes as the whole image and may be made smaller. Outside of it
     * out->rgb is then unspecified. NULL: every pixel is wanted. */
    void (*want)(void *user, size_t width, size_t height, image_region *region);
    void *user;
} image_options;

/* 2^28 pixels, 2^30 bytes, EXIF ignored, damage as above, every pixel
 * wanted. */
void image_options_init(image_options *options);

/* What says nothing of the image: at another time it may be read. */
enum { IMAGE_NO_MEMORY = -2 };

/* Reads one file. Returns 0, with why[200] empty or one line about damage; or
 * -1 or IMAGE_NO_MEMORY with the reason there and nothing allocated. Neither
 * line has the file's name. Thread-safe. */
int image_read(const char *path, const image_options *options, image *out,
               char why[200]);
/* All bytes of a file of at most `most`, to be freed, or NULL with the
 * reason, and errno, ENOMEM where it is memory. */
uint8_t *image_load(const char *path, size_t most, size_t *count,
                    char why[200]);
int image_decode(const uint8_t *bytes, size_t count,
                 const image_options *options, image *out, char why[200]);
void image_free(image *picture);

/* 1 if the first bytes are those of a file type read here. 32 are enough. */
int image_recognised(const uint8_t *bytes, size_t count);

#endif
