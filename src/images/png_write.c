/* SPDX-License-Identifier: MIT */
/* Pictures to PNG files, whole or not at all. */
#include "config.h"

#include "png_write.h"

#include "../base/memory.h"
#include "../base/replace.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in memory ----------------------------------------------------------- */

typedef struct writer {
    const image *picture;
    int smallest;
    uint8_t *bytes;
    size_t count, capacity;
    png_structp png;
    png_infop info;
    char *why;
    jmp_buf escape;
} writer;

static void on_error(png_structp png, png_const_charp message)
{
    writer *w = png_get_error_ptr(png);

    snprintf(w->why, PNG_WRITE_WHY, "cannot be made a PNG: %s", message);
    longjmp(w->escape, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* As all that asks for memory here does, with no picture left out. */
static png_voidp on_malloc(png_structp png, png_alloc_size_t size)
{
    (void)png;
    return memory_bytes(size);
}

static void on_free(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void on_write(png_structp png, png_bytep from, size_t length)
{
    writer *w = png_get_io_ptr(png);

    while (w->capacity - w->count < length)
        w->bytes = memory_grow(w->bytes, w->capacity, &w->capacity, 1);
    memcpy(w->bytes + w->count, from, length);
    w->count += length;
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* libpng's errors come back here by longjmp; what must survive them is in
 * the writer. */
static int encode_guarded(writer *w)
{
    const image *p = w->picture;

    if (setjmp(w->escape))
        return -1;
    png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    if (p->width > PNG_UINT_31_MAX || p->height > PNG_UINT_31_MAX)
        png_error(w->png, "too many pixels on a side");
    png_set_IHDR(w->png, w->info, (png_uint_32)p->width,
                 (png_uint_32)p->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (w->smallest)
        png_set_compression_level(w->png, 9);
    else
        /* The colours are the input's, which goes without saying as sRGB. */
        png_set_sRGB(w->png, w->info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(w->png, w->info);
    for (size_t y = 0; y < p->height; y++)
        png_write_row(w->png, p->rgb + y * p->width * 3);
    png_write_end(w->png, w->info);
    return 0;
}

static uint8_t *encode(const image *picture, int smallest, size_t *count,
                       char *why)
{
    writer w = {.picture = picture, .smallest = smallest, .why = why};
    int failed;

    w.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &w, on_error,
                                      on_warning, NULL, on_malloc, on_free);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    if (!w.info)
        memory_exhausted();
    png_set_write_fn(w.png, &w, on_write, on_flush);
    failed = encode_guarded(&w);
    png_destroy_write_struct(&w.png, &w.info);
    if (failed) {
        free(w.bytes);
        return NULL;
    }
    *count = w.count;
    return w.bytes;
}

uint8_t *png_encode(const image *picture, size_t *count, char *why)
{
    return encode(picture, 0, count, why);
}

uint8_t *png_encode_smallest(const image *picture, size_t *count, char *why)
{
    return encode(picture, 1, count, why);
}

/* ---- in a file ----------------------------------------------------------- */

/* -1 with errno set. */
static int write_file(const char *path, const uint8_t *bytes, size_t count)
{
    replacement r;

    if (replacement_open(&r, path) != 0)
        return -1;
    int reason = fwrite(bytes, 1, count, r.file) == count ? 0 : errno;
    int failed = replacement_commit(&r);
    errno = reason ? reason : errno;
    return failed;
}

int png_write(const char *path, const image *picture, char *why)
{
    size_t count = 0;
    uint8_t *bytes = png_encode(picture, &count, why);

    if (!bytes)
        return -1;
    int failed = write_file(path, bytes, count);
    if (failed)
        snprintf(why, PNG_WRITE_WHY, "%s", strerror(errno));
    free(bytes);
    return failed;
}
