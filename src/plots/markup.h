/* SPDX-License-Identifier: MIT */
/* Text and pictures inside of SVG and HTML. */
#ifndef TOMERGE_MARKUP_H
#define TOMERGE_MARKUP_H

#include "../images/image.h"

#include <stdio.h>

/* Text from anywhere, for between tags and inside of quoted attributes: it
 * stays text, and what XML does not allow becomes U+FFFD (bytes that are not
 * UTF-8, control characters but tab and line ends, U+FFFE and U+FFFF). */
void markup_text(FILE *out, const char *text);

/* <img> with the picture in it as a PNG. 0, or -1 with nothing written. */
int markup_image(FILE *out, const image *picture, const char *description);

#endif
