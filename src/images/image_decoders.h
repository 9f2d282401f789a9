/* SPDX-License-Identifier: MIT */
/* What the parts of the image reader share. */
#ifndef TOMERGE_IMAGE_DECODERS_H
#define TOMERGE_IMAGE_DECODERS_H

#include "image.h"

enum { IMAGE_WHY = 200 };

/* Both fill `out` as image_decode does, except that the picture is not turned:
 * *orientation becomes 1 to 8 (1 = as it is, also when options->exif is 0).
 * After a failure out->rgb may still hold memory: the caller frees it. */
int image_decode_jpeg(const uint8_t *bytes, size_t count,
                      const image_options *options, image *out,
                      int *orientation, char why[IMAGE_WHY]);
int image_decode_png(const uint8_t *bytes, size_t count,
                     const image_options *options, image *out,
                     int *orientation, char why[IMAGE_WHY]);

/* Checks the size a header claims against the limit and against what
 * `file_bytes` of compressed data, at `pixels_per_byte`, can at most hold. */
int image_check_size(size_t width, size_t height, const image_options *options,
                     size_t file_bytes, size_t pixels_per_byte,
                     char why[IMAGE_WHY]);

/* Memory for a size that was checked. */
int image_allocate(image *out, size_t width, size_t height,
                   const image_options *options, char why[IMAGE_WHY]);

/* The region that the caller wants; all of an image that is to be turned. */
image_region image_wanted(const image *picture, const image_options *options,
                          int orientation);

/* The orientation tag of a TIFF block, 1 if it has none or is malformed. */
int image_exif_orientation(const uint8_t *tiff, size_t count);

/* Turns the picture upright. 0, or -1 if there is no memory. */
int image_turn(image *picture, int orientation);

#endif
