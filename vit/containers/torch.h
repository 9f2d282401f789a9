/* SPDX-License-Identifier: MIT */
/*
 * The tensors in a pickle of PyTorch: every one that dicts and lists lead to,
 * named by the keys on the way, joined with dots. [torch/serialization.py]
 */
#ifndef TOMEVIT_TORCH_H
#define TOMEVIT_TORCH_H

#include "pickle.h"
#include "tensors.h"
#include "zip.h"

/* Where the storages of a file are. */
typedef struct vit_storages {
    /* Looks up `key`: its place in the file and its bytes. 0 or EFORMAT. */
    int (*find)(const void *self, const char *key, size_t *begin,
                size_t *bytes, const vit_report *report);
    const void *self;
} vit_storages;

/* 1 if the value is the type of a storage. */
int tomevit_torch_is_storage(const vit_value *value);

/* Fills the list, `read`, `release` and `self` from a pickle, which messages
 * call `name`. Every tensor lies inside its storage. EFORMAT, also for a file
 * without tensors that holds something else, ENOMEM. */
int tomevit_torch_list(vit_tensors *tensors, const vit_pickle *pickle,
                       const char *name, const vit_storages *storages,
                       const vit_report *report);

/* The sums over this archive's entries are checked when a tensor of theirs is
 * read first. Takes over *zip. */
void tomevit_torch_check(vit_tensors *tensors, vit_zip *zip);

#endif
