/* SPDX-License-Identifier: MIT */
/* Pictures as a model of bytes takes them. */
#include "config.h"

#include "byte_model.h"

#include "../base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY = 200 };

void byte_pictures_begin(byte_pictures *p, const byte_model *m, int exact)
{
    const options *o = m->s.options;

    memset(p, 0, sizeof(*p));
    p->most = o->batch;
    p->exact = exact;
    p->bytes = memory_zero(p->most, m->d->length);
    p->why = memory_zero(p->most, sizeof(*p->why));
    p->file = memory_zero(p->most, sizeof(*p->file));
    p->file_bytes = memory_zero(p->most, sizeof(*p->file_bytes));
    image_options_init(&p->decoding);
    p->decoding.exif = o->exif;
    p->decoding.lenient = o->lenient;
    p->decoding.strict = o->strict || exact;
    p->decoding.max_bytes = o->max_image;
    p->decoding.max_pixels = o->max_pixels;
}

void byte_pictures_end(byte_pictures *p)
{
    free(p->bytes);
    free(p->why);
    free(p->file);
    free(p->file_bytes);
    memset(p, 0, sizeof(*p));
}

/* A chunk of a PNG before its pixels. */
static int png_has(const uint8_t *bytes, size_t count, const char *type)
{
    size_t at = 8;

    while (count - at >= 12 && memcmp(bytes + at + 4, "IDAT", 4) != 0) {
        size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                        (size_t)bytes[at + 2] << 8 | bytes[at + 3];

        if (memcmp(bytes + at + 4, type, 4) == 0)
            return 1;
        if (length > count - at - 12)
            return 0;
        at += 12 + length;
    }
    return 0;
}

/* What RGB of 8 bits a channel would lose of a picture; NULL: nothing. */
static const char *lost(const uint8_t *bytes, size_t count)
{
    if (count > 33 && memcmp(bytes, "\x89PNG", 4) == 0) {
        if (bytes[24] == 16)
            return "16 bits a channel";
        if (bytes[25] & 4 || png_has(bytes, count, "tRNS"))
            return "transparency";
        if (png_has(bytes, count, "acTL"))
            return "an animation";
    } else if (count > 30 && memcmp(bytes, "RIFF", 4) == 0) {
        int extended = memcmp(bytes + 12, "VP8X", 4) == 0;

        if ((extended && bytes[20] & 0x10) ||
            (memcmp(bytes + 12, "VP8L", 4) == 0 && bytes[24] & 0x10))
            return "transparency";
        if (extended && bytes[20] & 2)
            return "an animation";
    }
    return NULL;
}

/* Pixels [height, width, 3] of a decoded picture; 0, or -1 with why. */
static int fit(const byte_pictures *p, const byte_model *m,
               const image *picture, uint8_t *pixels, char *why)
{
    const tomevit_bytes_description *d = m->d;
    tomevit_preprocessing pre = {.size = d->width, .crop_pct = 1.0,
                                 .std = {1, 1, 1}};

    if (picture->width == d->width && picture->height == d->height) {
        memcpy(pixels, picture->rgb, d->length);
        return 0;
    }
    if (p->exact || d->width != d->height) {
        snprintf(why, WHY, "expected %zu x %zu pixels, which the model is for, "
                 "found %zu x %zu", d->width, d->height, picture->width,
                 picture->height);
        return -1;
    }
    int error = tomevit_resize_crop(&pre, picture->rgb, picture->width,
                                    picture->height, picture->width * 3,
                                    pixels);
    if (error == TOMEVIT_ENOMEM)
        memory_exhausted();
    if (error)
        snprintf(why, WHY, "cannot be resized: %s", tomevit_strerror(error));
    return error;
}

static void decode(const byte_pictures *p, const byte_model *m, size_t i,
                   const char *path)
{
    size_t length = m->d->length;
    char *why = p->why[i];
    const char *what = p->exact ? lost(p->file[i], p->file_bytes[i]) : NULL;
    uint8_t *pixels;
    image picture;

    if (what) {
        snprintf(why, WHY, "it has %s, which would be lost", what);
        return;
    }
    int failed = image_decode(p->file[i], p->file_bytes[i], &p->decoding,
                              &picture, why);
    if (failed == IMAGE_NO_MEMORY)
        memory_exhausted_by(path, why);
    if (failed)
        return;
    why[0] = '\0';
    pixels = memory_zero(length, 1);
    if (fit(p, m, &picture, pixels, why) == 0)
        tomevit_bytes_order(m->model, pixels, p->bytes + i * length);
    free(pixels);
    image_free(&picture);
}

void byte_pictures_read(byte_pictures *p, const byte_model *m,
                        const folder_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        p->why[i][0] = '\0';
        p->file[i] = source_read(&files[i], p->decoding.max_bytes,
                                 &p->file_bytes[i], p->why[i]);
    }
#pragma omp parallel for num_threads(m->s.threads) schedule(dynamic, 1)
    for (size_t i = 0; i < count; i++) {
        if (p->file[i])
            decode(p, m, i, files[i].path);
        free(p->file[i]);
    }
}
