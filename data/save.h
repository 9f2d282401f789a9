/* SPDX-License-Identifier: MIT */
/* Pixels to PNG and JPEG files. */
#ifndef DEMO_SAVE_H
#define DEMO_SAVE_H

#include <stdint.h>

/* Both write rgb [height, width, 3] to a file and return 0, or -1 with one
 * line in why[200] (without the file's name). A file that could not be
 * finished is removed. */
int save_png(const char *path, const uint8_t *rgb, int32_t width,
             int32_t height, char why[200]);

/* quality 1 .. 100; `fine` keeps full chroma (4:4:4), else 4:2:0. */
int save_jpeg(const char *path, const uint8_t *rgb, int32_t width,
              int32_t height, int quality, int fine, char why[200]);

#endif
