/* SPDX-License-Identifier: MIT */
/* Numbers for the layers. */
#ifndef TOMEVIT_METHOD_LIST_H
#define TOMEVIT_METHOD_LIST_H

#include <stddef.h>

enum { VIT_METHOD_LAYERS = 256 };

/* One number stands for all layers. */
typedef struct vit_method_list {
    size_t count;          /* 0: not given */
    double value[VIT_METHOD_LAYERS];
} vit_method_list;

#endif
