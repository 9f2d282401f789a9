/* SPDX-License-Identifier: MIT */
/* Image files to crops, on all threads. */
#include "config.h"

#include "loader.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/signals.h"
#include "../images/crop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decoders leave out the rows and columns that the crop does not need. */
static void want_crop(void *user, size_t width, size_t height,
                      image_region *region)
{
    const tomevit_preprocessing *pre = user;
    tomevit_preprocessing turned = *pre;
    size_t first, count;

    if (tomevit_crop_rows(pre, width, height, &first, &count) == 0) {
        region->y = first;
        region->height = count;
    }
    /* Columns go by the same rule, with the sides exchanged. */
    turned.size = crop_width(pre);
    turned.width = pre->size;
    if (tomevit_crop_rows(&turned, height, width, &first, &count) == 0) {
        region->x = first;
        region->width = count;
    }
}

enum { WINDOWS = 8 };      /* about so many if one does not hold all */

/* What an image that waits takes: of small crops what is known beside them is a
 * good part. */
static size_t waiting_bytes(const tomevit_preprocessing *pre)
{
    return crop_bytes(pre) + sizeof(loader_item);
}

void loader_begin(loader *l, const tomevit_preprocessing *pre,
                  const image_options *decoding, size_t count, size_t batch,
                  size_t cache_mem, int threads, int keeps)
{
    size_t bytes = crop_bytes(pre);
    size_t window = cache_mem / waiting_bytes(pre) / batch * batch;
    size_t needed = (count + batch - 1) / batch * batch;
    size_t room = window;

    memset(l, 0, sizeof(*l));
    l->pre = *pre;
    l->decoding = *decoding;
    l->decoding.want = want_crop;
    l->decoding.user = &l->pre;
    l->threads = threads;
    if (window > needed)
        window = needed;
    else if (keeps && window < needed)
        window = window / WINDOWS / batch * batch;
    l->window = window < batch ? batch : window;
    l->windows = keeps && room > l->window && l->window < needed
        ? room / l->window : 1;
    l->crops = memory_zero(l->windows * l->window, bytes);
    l->all = memory_zero(l->windows * l->window, sizeof(*l->all));
    for (size_t i = 0; i < l->windows * l->window; i++)
        l->all[i].crop = l->crops + i * bytes;
    l->items = l->all;
}

void loader_end(loader *l)
{
    free(l->crops);
    free(l->all);
    memset(l, 0, sizeof(*l));
}

/* One file's bytes, which are freed; the seconds it took in times[2]: decode,
 * preprocess. */
static void load_one(const loader *l, uint8_t *bytes, size_t count,
                     loader_item *item, double times[2])
{
    image picture;
    double began = clock_seconds();
    int failed = image_decode(bytes, count, &l->decoding, &picture, item->why);

    free(bytes);
    if (failed == IMAGE_NO_MEMORY)
        memory_exhausted_by(item->path, item->why);
    if (failed) {
        times[0] += clock_seconds() - began;
        return;
    }
    double decoded = clock_seconds();
    int error = tomevit_crop_sides(&l->pre, picture.width, picture.height,
                                   &item->width, &item->height);
    if (error == 0)
        error = tomevit_resize_crop(&l->pre, picture.rgb, picture.width,
                                    picture.height, picture.width * 3,
                                    item->crop);
    image_free(&picture);
    times[0] += decoded - began;
    times[1] += clock_seconds() - decoded;
    /* That says nothing of the image, which would be refused for good. */
    if (error == TOMEVIT_ENOMEM)
        memory_exhausted();
    item->loaded = error == 0;
    if (error != 0)
        snprintf(item->why, sizeof(item->why), "cannot be resized: %s",
                 tomevit_strerror(error));
}

/* 1 if the item is about this file already. */
static int holds(const loader_item *item, const folder_file *file)
{
    return item->path == file->path && (item->loaded || item->why[0] != '\0');
}

/* The next file that the items do not hold, in the order of the list. Members
 * of a source that is read in order are read by one thread at a time, and as
 * they come; of others, whoever takes one reads it. Returns its bytes, or NULL.
 */
static uint8_t *take(const folder_file *files, size_t count, size_t *next,
                     size_t most, loader_item *items, size_t *taken,
                     size_t *bytes)
{
    uint8_t *read = NULL;
    int in_order = 0;

#pragma omp critical(loader_take)
    {
        while (*next < count && holds(&items[*next], &files[*next]))
            (*next)++;
        *taken = *next < count ? (*next)++ : count;
        if (*taken < count) {
            items[*taken].path = files[*taken].path;
            items[*taken].loaded = 0;
            items[*taken].why[0] = '\0';
            in_order = files[*taken].source->kind->in_order;
            if (in_order && !signals_stop())
                read = source_read(&files[*taken], most, bytes,
                                   items[*taken].why);
        }
    }
    if (*taken < count && !in_order && !signals_stop())
        read = source_read(&files[*taken], most, bytes, items[*taken].why);
    return read;
}

void loader_load(loader *l, const folder_file *files, size_t first,
                 size_t count, size_t ahead)
{
    double began = clock_seconds(), decode = 0, preprocess = 0;
    size_t place = first / l->window, next = 0;

    files += first;
    l->items = l->all + l->window *
                        (place < l->windows ? place : l->windows - 1);

#pragma omp parallel num_threads(l->threads) reduction(+ : decode, preprocess)
    for (size_t i = 0; i < count;) {
        double times[2] = {0, 0}, start = clock_seconds();
        size_t length = 0;
        uint8_t *bytes = take(files, count, &next, l->decoding.max_bytes,
                              l->items, &i, &length);
        if (bytes) {
            times[0] = clock_seconds() - start;
            load_one(l, bytes, length, &l->items[i], times);
        }
        decode += times[0];
        preprocess += times[1];
    }
    for (size_t i = count; i < count + ahead && !signals_stop(); i++)
        source_ahead(&files[i]);
    l->decode += decode;
    l->preprocess += preprocess;
    l->wall += clock_seconds() - began;
}
