/* SPDX-License-Identifier: MIT */
/* The sides of a crop, which need not be a square; images that keep their
 * proportions have one each, see tomevit_crop_sides. */
#ifndef TOMERGE_CROP_H
#define TOMERGE_CROP_H

#include "tomevit.h"

static inline size_t crop_width(const tomevit_preprocessing *pre)
{
    return pre->width ? pre->width : pre->size;
}

/* Of its pixels, [height, width, 3]; the most of any image's. */
static inline size_t crop_bytes(const tomevit_preprocessing *pre)
{
    if (pre->max_patches)
        return pre->max_patches * pre->patch * pre->patch * 3;
    return pre->size * crop_width(pre) * 3;
}

#endif
