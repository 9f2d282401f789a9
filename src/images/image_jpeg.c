/* SPDX-License-Identifier: MIT */
/*
 * JPEG to 8-bit RGB, through libjpeg: its default integer DCT and smooth
 * chroma upsampling. CMYK is taken as inverted, as Adobe writes it, whatever
 * the file says, and brought to RGB without a profile: all as Pillow does.
 */
#include "config.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "image_decoders.h"

enum {
    /* Interleaved data takes at least 9 blocks of one bit for 32 x 32
     * pixels (a DC scan; components of 4 x 1, 1 x 4 and 1 x 1 blocks). */
    PIXELS_PER_BYTE = 1024,
    /* Writers use 10; each scan of a crafted file can cost a whole pass over
     * the coefficients for a few bytes. */
    MAX_SCANS = 100,
    ROWS_AT_ONCE = 16,
    MARGIN = 8,            /* columns; see select_part */
    TAGS_MARKER = JPEG_APP0 + 1
};

typedef struct reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    const uint8_t *bytes;
    size_t count;
    const image_options *options;
    image *out;
    int *orientation;
    char *why;
    uint8_t *cmyk;         /* one row of a four-component image */
    uint8_t *exif;         /* all of its segments */
    size_t left;           /* the first column that is decoded */
    int rows_begun;        /* errors leave something for the lenient */
    int no_memory;
    jmp_buf escape;
} reader;

static void refuse(reader *r, const char *what)
{
    snprintf(r->why, IMAGE_WHY, "bad JPEG near byte %zu of %zu: %.130s",
             r->count - r->info.src->bytes_in_buffer, r->count, what);
    longjmp(r->escape, 1);
}

static void on_error(j_common_ptr common)
{
    reader *r = common->client_data;
    char message[JMSG_LENGTH_MAX];

    r->no_memory |= r->errors.msg_code == JERR_OUT_OF_MEMORY;
    r->errors.format_message(common, message);
    if (r->info.src)
        refuse(r, message);
    snprintf(r->why, IMAGE_WHY, "bad JPEG: %.180s", message);
    longjmp(r->escape, 1);
}

/* Warnings after which every pixel is still what its writer meant. */
static int harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
           code == JWRN_BOGUS_PROGRESSION || code == JWRN_JFIF_MAJOR;
}

/* Remembers the first damage. */
static void remark(reader *r)
{
    char message[JMSG_LENGTH_MAX];

    if (r->why[0] != '\0')
        return;
    r->errors.format_message((j_common_ptr)&r->info, message);
    snprintf(r->why, IMAGE_WHY, "damaged near byte %zu of %zu: %.130s",
             r->count - r->info.src->bytes_in_buffer, r->count, message);
}

/* Level -1 is a warning, others are traces. Pillow minds one of them: the
 * file is over before the picture is. */
static void on_message(j_common_ptr common, int level)
{
    reader *r = common->client_data;

    if (level >= 0 || harmless(r->errors.msg_code))
        return;
    r->errors.num_warnings++;
    if (!r->options->lenient &&
        (r->options->strict || r->errors.msg_code == JWRN_JPEG_EOF))
        on_error(common);
    remark(r);
}

static void on_progress(j_common_ptr common)
{
    reader *r = common->client_data;

    if (r->info.input_scan_number > MAX_SCANS)
        refuse(r, "more than 100 scans");
}

/* What comes after the name that a segment begins with; NULL if it begins
 * otherwise. */
static const uint8_t *named(jpeg_saved_marker_ptr marker, const char *name,
                            size_t length, size_t *rest)
{
    if (marker->marker != TAGS_MARKER || marker->data_length < length ||
        memcmp(marker->data, name, length) != 0)
        return NULL;
    *rest = marker->data_length - length;
    return marker->data + length;
}

/* EXIF that is too long for one segment goes on in the next; of XMP the last
 * counts. */
static int read_orientation(reader *r)
{
    static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
    image_tags tags = { NULL, NULL, 0, 0 };
    size_t all = 0, length;

    for (jpeg_saved_marker_ptr m = r->info.marker_list; m; m = m->next)
        all += m->data_length;
    r->exif = malloc(all + 1);
    if (!r->exif) {
        snprintf(r->why, IMAGE_WHY, "no memory for EXIF");
        return IMAGE_NO_MEMORY;
    }
    for (jpeg_saved_marker_ptr m = r->info.marker_list; m; m = m->next) {
        const uint8_t *data = named(m, exif, sizeof(exif), &length);

        if (data) {
            memcpy(r->exif + tags.exif_bytes, data, length);
            tags.exif = r->exif;
            tags.exif_bytes += length;
        }
        data = named(m, xmp, sizeof(xmp), &length);
        if (data) {
            tags.xmp = data;
            tags.xmp_bytes = length;
        }
    }
    *r->orientation = image_orientation(&tags);
    return 0;
}

/* Sets what to decode to; -1 with a line for what Pillow does not read, or
 * IMAGE_NO_MEMORY. */
static int set_output(reader *r)
{
    switch (r->info.num_components) {
    case 1:
    case 3:
        r->info.out_color_space = JCS_RGB;
        return 0;
    case 4:
        r->info.out_color_space = JCS_CMYK;
        r->cmyk = malloc(4 * (size_t)r->info.image_width);
        if (r->cmyk)
            return 0;
        snprintf(r->why, IMAGE_WHY, "no memory for a row of %u pixels",
                 r->info.image_width);
        return IMAGE_NO_MEMORY;
    default:
        snprintf(r->why, IMAGE_WHY,
                 "JPEG of %d components: 1, 3 or 4 are read",
                 r->info.num_components);
        return -1;
    }
}

/* a * b / 255, rounded to nearest. */
static unsigned multiply_255(unsigned a, unsigned b)
{
    unsigned product = a * b + 128;

    return ((product >> 8) + product) >> 8;
}

/* `cmyk` is inverted: 255 is no ink. */
static void cmyk_to_rgb(const uint8_t *cmyk, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        unsigned light = cmyk[3];

        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(light - multiply_255(255u - cmyk[c], light));
    }
}

static void read_rows(reader *r, size_t end)
{
    size_t bytes = 3 * r->out->width;
    JSAMPROW rows[ROWS_AT_ONCE];

    while (r->info.output_scanline < end) {
        size_t y = r->info.output_scanline, count = 0;

        if (r->cmyk) {
            rows[0] = r->cmyk;
            jpeg_read_scanlines(&r->info, rows, 1);
            cmyk_to_rgb(r->cmyk, r->out->width, r->out->rgb + y * bytes);
            continue;
        }
        for (; count < ROWS_AT_ONCE && y + count < end; count++)
            rows[count] = r->out->rgb + (y + count) * bytes + 3 * r->left;
        jpeg_read_scanlines(&r->info, rows, (JDIMENSION)count);
    }
}

#ifdef HAVE_JPEG_SKIP_SCANLINES
/* The usual samplings: full, or chroma halved across or both ways. For others
 * decoding in part is not known to give the same pixels. */
static int usual_sampling(const struct jpeg_decompress_struct *info)
{
    const jpeg_component_info *c = info->comp_info;
    int h = c[0].h_samp_factor, v = c[0].v_samp_factor;

    if (info->num_components == 1)
        return h == 1 && v == 1;
    return info->num_components == 3 && h <= 2 && v <= h &&
           c[1].h_samp_factor == 1 && c[1].v_samp_factor == 1 &&
           c[2].h_samp_factor == 1 && c[2].v_samp_factor == 1;
}

/* Where scans of a progressive file are missing, libjpeg smooths what there is
 * across blocks, and takes the edge of a part for the picture's. */
static int smooths_blocks(const struct jpeg_decompress_struct *info)
{
    if (!info->coef_bits)
        return 0;
    for (int c = 0; c < info->num_components; c++)
        for (int i = 0; i < DCTSIZE2; i++)
            if (info->coef_bits[c][i] != 0)
                return 1;
    return 0;
}

/*
 * Spares the transforms of what lies left, right and above. Chroma is
 * smoothed across two columns, where libjpeg takes the edge of its part for
 * the picture's: with a margin that stays outside the region.
 */
static void select_part(reader *r, const image_region *region)
{
    size_t right = region->x + region->width + MARGIN;
    JDIMENSION x, width;

    if (!usual_sampling(&r->info) || smooths_blocks(&r->info))
        return;
    if (right > r->out->width)
        right = r->out->width;
    x = (JDIMENSION)(region->x > MARGIN ? region->x - MARGIN : 0);
    width = (JDIMENSION)(right - x);
    if (width < r->info.output_width) {
        jpeg_crop_scanline(&r->info, &x, &width);
        r->left = x;
    }
    if (region->y > 0)
        jpeg_skip_scanlines(&r->info, (JDIMENSION)region->y);
}
#else
static void select_part(reader *r, const image_region *region)
{
    (void)r;
    (void)region;
}
#endif

/* Rows below the region are not decoded, but a file cut short there is still
 * cut short. Within entropy-coded data 0xff is always followed by 0 or a
 * marker, so that its end can be told by looking for the two bytes. */
static void expect_end(reader *r)
{
    const uint8_t *p = r->info.src->next_input_byte;
    size_t left = r->info.src->bytes_in_buffer;

    /* The decoder reads ahead, of several scans all there is. */
    if (r->info.unread_marker == JPEG_EOI || jpeg_input_complete(&r->info))
        return;
    for (; left >= 2; left--, p++) {
        const uint8_t *found = memchr(p, 0xff, left - 1);

        if (!found)
            break;
        left -= (size_t)(found - p);
        p = found;
        if (p[1] == JPEG_EOI)
            return;
    }
    if (!r->options->lenient)
        refuse(r, "Premature end of JPEG file");
}

static int read_pixels(reader *r)
{
    image_region region;
    int failed;

    jpeg_mem_src(&r->info, r->bytes, r->count);
    if (r->options->exif)
        jpeg_save_markers(&r->info, TAGS_MARKER, 0xffff);
    jpeg_read_header(&r->info, TRUE);
    failed = image_check_size(r->info.image_width, r->info.image_height,
                              r->options, r->count, PIXELS_PER_BYTE, r->why);
    if (!failed)
        failed = image_allocate(r->out, r->info.image_width,
                                r->info.image_height, r->options, r->why);
    if (!failed)
        failed = set_output(r);
    if (!failed && r->options->exif)
        failed = read_orientation(r);
    if (failed)
        return failed;
    region = image_wanted(r->out, r->options, *r->orientation);
    jpeg_start_decompress(&r->info);
    r->rows_begun = 1;
    select_part(r, &region);
    read_rows(r, region.y + region.height);
    if (r->info.output_scanline < r->info.output_height)
        expect_end(r);
    else
        jpeg_finish_decompress(&r->info);
    return 0;
}

/* libjpeg's errors come back here by longjmp; what must survive them is in
 * the reader. */
static int read_guarded(reader *r)
{
    if (setjmp(r->escape))
        return r->no_memory ? IMAGE_NO_MEMORY
                            : r->options->lenient && r->rows_begun ? 0 : -1;
    jpeg_create_decompress(&r->info);
    r->info.progress = &r->progress;
    return read_pixels(r);
}

int image_decode_jpeg(const uint8_t *bytes, size_t count,
                      const image_options *options, image *out,
                      int *orientation, char why[IMAGE_WHY])
{
    reader r = {
        .bytes = bytes, .count = count, .options = options, .out = out,
        .orientation = orientation, .why = why,
    };
    int failed;

    *orientation = 1;
    r.info.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.progress.progress_monitor = on_progress;
    r.info.client_data = &r;
    failed = read_guarded(&r);
    jpeg_destroy_decompress(&r.info);
    free(r.cmyk);
    free(r.exif);
    return failed;
}
