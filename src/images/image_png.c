/* SPDX-License-Identifier: MIT */
/*
 * PNG to 8-bit RGB, through libpng: samples as they are stored (no gamma, no
 * colour profile), alpha dropped rather than composited. Of 16-bit samples
 * the high byte is kept, as Pillow does, but gray is scaled (sample / 257,
 * rounded), where Pillow clips.
 */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_png_chunks.h"

enum {
    DEFLATE_RATIO = 1032,  /* the most bytes that one byte unpacks to */
    MAX_CHUNK_BYTES = 1 << 20,
    INTERLACE_PASSES = 7,
    HEADER_BYTES = 33      /* signature and the header chunk */
};

typedef struct reader {
    const uint8_t *bytes;
    size_t count, position;
    const image_options *options;
    image *out;
    char *why;
    png_cut cut;
    png_structp png;
    png_infop info;
    int rows_begun;        /* errors leave something for the lenient */
    int no_memory;         /* something was asked for, and was not there */
    jmp_buf escape;
} reader;

/* 1 once libpng has delivered all rows. */
static int has_all_rows(const reader *r)
{
    if (!r->rows_begun)
        return 0;
    if (png_get_interlace_type(r->png, r->info) != PNG_INTERLACE_NONE)
        return png_get_current_pass_number(r->png) >= INTERLACE_PASSES;
    return png_get_current_row_number(r->png)
           >= png_get_image_height(r->png, r->info);
}

static void on_error(png_structp png, png_const_charp message)
{
    reader *r = png_get_error_ptr(png);

    /* Of what is wrong after the rows, the chunks told more. */
    if (!has_all_rows(r) || r->why[0] == '\0')
        snprintf(r->why, IMAGE_WHY, "bad PNG near byte %zu of %zu: %s",
                 r->position, r->count, message);
    longjmp(r->escape, 1);
}

/* libpng says in many ways, or in none, that there was no memory. */
static png_voidp on_malloc(png_structp png, png_alloc_size_t size)
{
    reader *r = png_get_mem_ptr(png);
    void *memory = malloc(size);

    r->no_memory |= !memory;
    return memory;
}

static void on_free(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

/* Of warnings, those about pixel data tell of damage. */
static void on_warning(png_structp png, png_const_charp message)
{
    reader *r = png_get_error_ptr(png);

    if (strncmp(message, "IDAT", 4) != 0)
        return;
    if (r->options->strict)
        png_error(png, message);
    if (r->why[0] == '\0')
        snprintf(r->why, IMAGE_WHY, "damaged near byte %zu of %zu: %s",
                 r->position, r->count, message);
}

static void on_read(png_structp png, png_bytep to, size_t length)
{
    reader *r = png_get_io_ptr(png);

    if (length > r->count - r->position) {
        r->position = r->count;
        png_error(png, "truncated");
    }
    memcpy(to, r->bytes + r->position, length);
    if (r->cut.at > 0 && r->position == r->cut.at && length >= 4)
        png_save_uint_32(to, (png_uint_32)r->cut.length);
    r->position += length;
}

/* Text, profiles and the like are skipped unread: nothing in them changes
 * the pixels, and unpacking them costs whatever the file says. Checksums were
 * looked at before. */
static void set_limits(reader *r)
{
    png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(r->png, MAX_CHUNK_BYTES);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_crc_action(r->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
}

/* Asks for RGB of 8 bits, whatever the file holds. */
static void set_transforms(reader *r)
{
    int type = png_get_color_type(r->png, r->info);

    if (type == PNG_COLOR_TYPE_GRAY)
        png_set_scale_16(r->png);
    else
        png_set_strip_16(r->png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    if (type == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(r->png);
    if (!(type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(r->png);
    png_set_strip_alpha(r->png);
    /* Indices past the palette are black, as in Pillow. */
    png_set_check_for_invalid_index(r->png, -1);
}

/* Checks the size in the header chunk, which is the first and whose layout
 * is fixed: width, height, bit depth, colour type. libpng refuses the file
 * if this is not one. */
static int check_header(reader *r)
{
    static const unsigned channels[8] = { 1, 1, 3, 1, 2, 1, 4, 1 };
    const uint8_t *header = r->bytes + 16;
    unsigned bits;

    if (r->count < HEADER_BYTES)
        return 0;
    bits = header[8] * channels[header[9] & 7];
    if (bits == 0 || bits > 64)
        return 0;
    return image_check_size(png_get_uint_32(header),
                            png_get_uint_32(header + 4), r->options, r->count,
                            8 * DEFLATE_RATIO / bits, r->why);
}

static int read_pixels(reader *r)
{
    size_t width, height;
    int passes, failed;

    png_read_info(r->png, r->info);
    width = png_get_image_width(r->png, r->info);
    height = png_get_image_height(r->png, r->info);
    failed = image_allocate(r->out, width, height, r->options, r->why);
    if (failed)
        return failed;
    set_transforms(r);
    passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != 3 * width)
        png_error(r->png, "unexpected row length");
    r->rows_begun = 1;
    while (passes-- > 0)
        for (size_t y = 0; y < height; y++)
            png_read_row(r->png, r->out->rgb + 3 * width * y, NULL);
    png_read_end(r->png, r->info);
    return 0;
}

/* libpng's errors come back here by longjmp; what must survive them is in
 * the reader. */
static int read_guarded(reader *r)
{
    if (setjmp(r->escape))
        return (r->options->lenient && r->rows_begun) ||
               (!r->options->strict && has_all_rows(r)) ? 0 : -1;
    set_limits(r);
    return read_pixels(r);
}

/* What came of it; that says nothing of the file if memory was lacking. */
static int finish(const reader *r, int failed)
{
    if (!r->no_memory && failed != IMAGE_NO_MEMORY)
        return failed;
    if (failed != IMAGE_NO_MEMORY)
        snprintf(r->why, IMAGE_WHY, "no memory for the PNG decoder");
    return IMAGE_NO_MEMORY;
}

int image_decode_png(const uint8_t *bytes, size_t count,
                     const image_options *options, image *out,
                     int *orientation, char why[IMAGE_WHY])
{
    reader r = {
        .bytes = bytes, .count = count, .options = options, .out = out,
        .why = why,
    };
    enum png_damage damage;
    int failed = -1;

    *orientation = 1;
    if (check_header(&r))
        return -1;
    damage = png_chunks_check(bytes, count, &r.cut, why);
    if (!options->lenient &&
        (damage == PNG_REFUSED || (damage && options->strict)))
        return -1;
    r.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error,
                                     on_warning, &r, on_malloc, on_free);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (r.info) {
        png_set_read_fn(r.png, &r, on_read);
        failed = read_guarded(&r);
        if (!failed && options->exif)
            *orientation = png_chunks_orientation(bytes, count);
        r.no_memory |= *orientation == 0;
    } else {
        r.no_memory = 1;
    }
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return finish(&r, failed);
}
