/* SPDX-License-Identifier: MIT */
/* Writing PNG through libpng's simplified interface, JPEG through libjpeg. */
#include "config.h"

#include "save.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

int save_png(const char *path, const uint8_t *rgb, int32_t width,
             int32_t height, char why[200])
{
    png_image image;

    memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32) width;
    image.height = (png_uint_32) height;
    image.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&image, path, 0, rgb, 0, NULL) == 0) {
        snprintf(why, 200, "PNG: %s", image.message);
        remove(path);
        return -1;
    }
    return 0;
}

/* libjpeg's errors end in a jump back to the caller, not in exit(). */
typedef struct jpeg_failure {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
} jpeg_failure;

static void fail(j_common_ptr cinfo)
{
    jpeg_failure *f = (jpeg_failure *) (void *) cinfo->err;

    f->manager.format_message(cinfo, f->text);
    longjmp(f->back, 1);
}

static int encode_jpeg(FILE *file, const uint8_t *rgb, int32_t width,
                       int32_t height, int quality, int fine, char why[200])
{
    struct jpeg_compress_struct cinfo;
    jpeg_failure failure;

    cinfo.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = fail;
    jpeg_create_compress(&cinfo);
    if (setjmp(failure.back) != 0) {
        snprintf(why, 200, "JPEG: %.180s", failure.text);
        jpeg_destroy_compress(&cinfo);
        return -1;
    }
    jpeg_stdio_dest(&cinfo, file);
    cinfo.image_width = (JDIMENSION) width;
    cinfo.image_height = (JDIMENSION) height;
    cinfo.input_components = 3;
    cinfo.in_color_space = JCS_RGB;
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, quality, TRUE);
    cinfo.comp_info[0].h_samp_factor = fine ? 1 : 2;
    cinfo.comp_info[0].v_samp_factor = fine ? 1 : 2;
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height) {
        /* libjpeg's rows are not const, but it only reads them. */
        union { const uint8_t *from; JSAMPROW to; } row;

        row.from = rgb + (size_t) cinfo.next_scanline * (size_t) width * 3;
        jpeg_write_scanlines(&cinfo, &row.to, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    return 0;
}

int save_jpeg(const char *path, const uint8_t *rgb, int32_t width,
              int32_t height, int quality, int fine, char why[200])
{
    FILE *file = fopen(path, "wb");
    int status;

    if (!file) {
        snprintf(why, 200, "%s", strerror(errno));
        return -1;
    }
    status = encode_jpeg(file, rgb, width, height, quality, fine, why);
    if (fclose(file) != 0 && status == 0) {
        snprintf(why, 200, "%s", strerror(errno));
        status = -1;
    }
    if (status != 0)
        remove(path);
    return status;
}
