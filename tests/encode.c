/* SPDX-License-Identifier: MIT */
/* Image files for tests, written with libpng and libjpeg. */
#include "encode.h"

#include <criterion/criterion.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* ---- PNG ----------------------------------------------------------------- */

typedef struct buffer {
    uint8_t *bytes;
    size_t count;
} buffer;

static void append(png_structp png, png_bytep data, size_t length)
{
    buffer *b = png_get_io_ptr(png);

    b->bytes = realloc(b->bytes, b->count + length);
    cr_assert_not_null(b->bytes);
    memcpy(b->bytes + b->count, data, length);
    b->count += length;
}

static void flush(png_structp png)
{
    (void)png;
}

static size_t channels_of(int type)
{
    return type == PNG_COLOR_TYPE_RGB ? 3 : type == PNG_COLOR_TYPE_RGBA ? 4
           : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2 : 1;
}

static void put_header(png_structp png, png_infop info,
                       const encode_png_options *o)
{
    png_set_IHDR(png, info, (png_uint_32)o->width, (png_uint_32)o->height,
                 o->depth, o->type,
                 o->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (o->type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[256];

        for (size_t i = 0; i < o->colours; i++) {
            palette[i].red = (png_byte)i;
            palette[i].green = (png_byte)(255 - i);
            palette[i].blue = (png_byte)(3 * i);
        }
        png_set_PLTE(png, info, palette, (int)o->colours);
    }
    if (o->transparency) {
        png_color_16 colour = { .gray = 1, .red = 1, .green = 1, .blue = 1 };
        png_byte alpha[2] = { 0, 128 };

        png_set_tRNS(png, info, alpha,
                     o->type == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &colour);
    }
    png_write_info(png, info);
}

static void pack_row(const uint16_t *samples, size_t count, int depth,
                     uint8_t *row)
{
    memset(row, 0, (count * (size_t)depth + 7) / 8);
    for (size_t i = 0; i < count; i++) {
        size_t bit = i * (size_t)depth;

        if (depth == 16) {
            row[2 * i] = (uint8_t)(samples[i] >> 8);
            row[2 * i + 1] = (uint8_t)samples[i];
        } else {
            row[bit / 8] |= (uint8_t)(samples[i]
                                      << (8 - (size_t)depth - bit % 8));
        }
    }
}

uint8_t *encode_png(const encode_png_options *o, const uint16_t *samples,
                    size_t *count)
{
    buffer b = { NULL, 0 };
    size_t row_samples = o->width * channels_of(o->type);
    uint8_t *row = malloc(2 * row_samples);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
                                              NULL, NULL);
    png_infop info = png_create_info_struct(png);
    int passes;

    png_set_write_fn(png, &b, append, flush);
    /* Out-of-range indices are written on purpose. */
    png_set_check_for_invalid_index(png, -1);
    put_header(png, info, o);
    passes = png_set_interlace_handling(png);
    while (passes-- > 0)
        for (size_t y = 0; y < o->height; y++) {
            pack_row(samples + y * row_samples, row_samples, o->depth, row);
            png_write_row(png, row);
        }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    *count = b.count;
    return b.bytes;
}

/* ---- JPEG ---------------------------------------------------------------- */

/* DC, then every coefficient at half precision, then the lost bits. */
static void long_script(struct jpeg_compress_struct *info,
                        jpeg_scan_info *script, int scans)
{
    memset(script, 0, (size_t)scans * sizeof(*script));
    for (int i = 0; i < scans; i++) {
        script[i].comps_in_scan = 1;
        script[i].Ss = script[i].Se = i == 0 ? 0 : 1 + (i - 1) % 63;
        script[i].Ah = i > 63;
        script[i].Al = i > 0 && i <= 63;
    }
    info->scan_info = script;
    info->num_scans = scans;
}

uint8_t *encode_jpeg(const encode_jpeg_options *o, const uint8_t *samples,
                     size_t *count)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    jpeg_scan_info script[127];
    unsigned char *bytes = NULL;
    unsigned long length = 0;

    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &length);
    info.image_width = (JDIMENSION)o->width;
    info.image_height = (JDIMENSION)o->height;
    info.input_components = o->components;
    info.in_color_space = o->components == 1 ? JCS_GRAYSCALE
                          : o->components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    if (o->ycck)
        jpeg_set_colorspace(&info, JCS_YCCK);
    jpeg_set_quality(&info, o->quality, TRUE);
    for (int c = 0; c < o->components; c++) {
        info.comp_info[c].h_samp_factor = o->h[c] ? o->h[c] : 1;
        info.comp_info[c].v_samp_factor = o->v[c] ? o->v[c] : 1;
    }
    info.restart_interval = o->restart;
    if (o->progressive)
        jpeg_simple_progression(&info);
    if (o->scans > 0)
        long_script(&info, script, o->scans);
    jpeg_start_compress(&info, TRUE);
    if (o->exif)
        jpeg_write_marker(&info, JPEG_APP0 + 1, o->exif,
                          (unsigned)o->exif_bytes);
    while (info.next_scanline < info.image_height) {
        /* libjpeg's row type is not const; the row is only read. */
        union { const uint8_t *from; JSAMPROW row; } u = {
            samples + info.next_scanline * o->width * (size_t)o->components
        };

        jpeg_write_scanlines(&info, &u.row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    *count = length;
    return bytes;
}
