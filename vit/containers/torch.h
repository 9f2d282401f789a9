/* SPDX-License-Identifier: MIT */
/*
 * The tensors in a pickle of PyTorch: every one that dicts and lists lead to,
 * named by the keys on the way, joined with dots. [torch/serialization.py]
 */
#ifndef TOMEVIT_TORCH_H
#define TOMEVIT_TORCH_H

#include "pickle.h"
#include "tensors.h"

/* Where the storages of a file are. */
typedef struct vit_storages {
    /* Looks up `key`: its place in the file and its bytes. 0 or EFORMAT. */
    int (*find)(const void *self, const char *key, size_t *begin,
                size_t *bytes, const vit_report *report);
    const void *self;
} vit_storages;

/* Fills the list, `read`, `release` and `self` from a pickle's root. Every
 * tensor lies inside its storage. EFORMAT, ENOMEM. */
int tomevit_torch_list(vit_tensors *tensors, const vit_value *root,
                       const vit_storages *storages, const vit_report *report);

#endif
