/* SPDX-License-Identifier: MIT */
/* The most probable classes of one image. */
#ifndef TOMERGE_TOP_H
#define TOMERGE_TOP_H

#include <stddef.h>
#include <stdint.h>

typedef struct top_class {
    int32_t index;         /* -1 past the last class */
    double probability;    /* softmax over all classes */
} top_class;

/* The k classes with the largest logits, largest first; among equals the
 * lowest index. Where there are fewer classes the rest is -1 and 0. A logit
 * that is not a number counts as the smallest. */
void top_select(const float *logits, size_t classes, size_t k, top_class *top);

#endif
