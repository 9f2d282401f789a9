/* SPDX-License-Identifier: MIT */
/* The sides of a crop, which need not be a square. */
#ifndef TOMERGE_CROP_H
#define TOMERGE_CROP_H

#include "tomevit.h"

static inline size_t crop_width(const tomevit_preprocessing *pre)
{
    return pre->width ? pre->width : pre->size;
}

/* Of its pixels, [height, width, 3]. */
static inline size_t crop_bytes(const tomevit_preprocessing *pre)
{
    return pre->size * crop_width(pre) * 3;
}

#endif
