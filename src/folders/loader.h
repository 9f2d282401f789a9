/* SPDX-License-Identifier: MIT */
/* Image files to crops, on all threads. */
#ifndef TOMERGE_LOADER_H
#define TOMERGE_LOADER_H

#include "folder.h"
#include "../images/image.h"
#include "tomevit.h"

#include <stddef.h>
#include <stdint.h>

enum { LOADER_WHY = 200 };

typedef struct loader_item {
    uint8_t *crop;         /* [height, width, 3], the loader's; RGB8_HWC */
    size_t height, width;  /* of a loaded one */
    int loaded;            /* 0: refused, see `why`, or the work was stopped */
    const char *path;      /* the file's, NULL at first */
    char why[LOADER_WHY];  /* "" if it was not tried; of a loaded one, what is
                            * damaged, or "" */
} loader_item;

typedef struct loader {
    tomevit_preprocessing pre;
    image_options decoding;
    int threads;
    size_t window;         /* most files loaded at a time */
    size_t windows;        /* in memory */
    uint8_t *crops;
    loader_item *all;      /* [windows, window] */
    loader_item *items;    /* [window]: of the files loaded last */
    /* Since the loader began: core-seconds, summed over all threads, and
     * seconds of wall time. */
    double decode, preprocess, wall;
} loader;

/* The window is as many crops with their items as fit into `cache_mem` bytes, a
 * multiple of `batch`, at least one batch and no more than are needed for
 * `count`. With `keeps` the same memory is several windows if one does not hold
 * all: what is loaded into any but the last is kept. */
void loader_begin(loader *l, const tomevit_preprocessing *pre,
                  const image_options *decoding, size_t count, size_t batch,
                  size_t cache_mem, int threads, int keeps);

/* Reads, decodes and crops `count` <= window files from the `first` on:
 * items[0 .. count). What is kept of them is not read again; they are known by
 * their paths' addresses. The sources are told of the `ahead` files that follow
 * them. Stops early on a signal (see signals.h). */
void loader_load(loader *l, const folder_file *files, size_t first,
                 size_t count, size_t ahead);
void loader_end(loader *l);

#endif
