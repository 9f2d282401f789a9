/* SPDX-License-Identifier: MIT */
/*
 * WebP to 8-bit RGB, through libwebp as it decodes by itself. Alpha is dropped,
 * and of an animation the first picture is taken, on black where it leaves
 * some of the canvas free: as Pillow does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "image_decoders.h"

enum {
    /* A lossless picture of one colour takes no bits a pixel; 16383 pixels
     * square in the few bytes of a header are still some memory. */
    PIXELS_PER_BYTE = 1 << 24
};

static const char *reason(VP8StatusCode status)
{
    switch (status) {
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "a feature that is not known";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return "truncated";
    case VP8_STATUS_USER_ABORT:
        return "its chunks contradict each other";
    default:
        return "its data cannot be right";
    }
}

static int refuse(VP8StatusCode status, char why[IMAGE_WHY])
{
    if (status == VP8_STATUS_OUT_OF_MEMORY) {
        snprintf(why, IMAGE_WHY, "no memory for the WebP decoder");
        return IMAGE_NO_MEMORY;
    }
    snprintf(why, IMAGE_WHY, "bad WebP: %s", reason(status));
    return -1;
}

static size_t length_at(const uint8_t *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
           (size_t)p[3] << 24;
}

/* 1 if the file is shorter than it says. */
static int is_cut(const uint8_t *bytes, size_t count)
{
    return length_at(bytes + 4) > count - 8;
}

/* Where the still picture's chunk ends, with the byte that makes it even.
 * libwebp would go on reading pixels from whatever comes after it, if its data
 * are not right; Pillow does not. */
static size_t picture_end(const uint8_t *bytes, size_t count)
{
    size_t at = 12;

    while (count - at >= 8) {
        size_t length = length_at(bytes + at + 4);

        if (length > count - at - 8)
            return count;
        int found = memcmp(bytes + at, "VP8", 3) == 0 && bytes[at + 3] != 'X';
        at += 8 + length;
        at += length % 2 && at < count;
        if (found)
            return at;
    }
    return count;
}

/* A still picture into `rgb`, rows `stride` bytes apart. */
static VP8StatusCode decode_still(const uint8_t *bytes, size_t count,
                                  uint8_t *rgb, size_t width, size_t height,
                                  size_t stride)
{
    WebPDecoderConfig config;
    VP8StatusCode status;
    WebPIDecoder *decoder;

    if (!WebPInitDecoderConfig(&config))
        return VP8_STATUS_INVALID_PARAM;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = rgb;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (height - 1) + 3 * width;
    /* Row by row, so that what was there of a cut file is in its place. */
    decoder = WebPIDecode(NULL, 0, &config);
    if (!decoder)
        return VP8_STATUS_OUT_OF_MEMORY;
    status = WebPIUpdate(decoder, bytes, count);
    WebPIDelete(decoder);
    WebPFreeDecBuffer(&config.output);
    return status;
}

/* The first picture of an animation, in its place on the canvas. */
static VP8StatusCode decode_first(const WebPDemuxer *demuxer, image *out)
{
    size_t x, y, width, height;
    VP8StatusCode status = VP8_STATUS_BITSTREAM_ERROR;
    WebPIterator frame;

    if (!WebPDemuxGetFrame(demuxer, 1, &frame))
        return VP8_STATUS_NOT_ENOUGH_DATA;
    x = (size_t)frame.x_offset;
    y = (size_t)frame.y_offset;
    width = (size_t)frame.width;
    height = (size_t)frame.height;
    if (x < out->width && width <= out->width - x && y < out->height &&
        height <= out->height - y) {
        if (width < out->width || height < out->height)
            memset(out->rgb, 0, 3 * out->width * out->height);
        status = decode_still(frame.fragment.bytes, frame.fragment.size,
                              out->rgb + 3 * (y * out->width + x), width,
                              height, 3 * out->width);
    }
    WebPDemuxReleaseIterator(&frame);
    return status;
}

/* One chunk, NULL if there is none; valid as long as the file's bytes. */
static const uint8_t *find_chunk(const WebPDemuxer *demuxer, const char *name,
                                 size_t *length)
{
    WebPChunkIterator found;
    const uint8_t *bytes = NULL;

    if (WebPDemuxGetChunk(demuxer, name, 1, &found)) {
        bytes = found.chunk.bytes;
        *length = found.chunk.size;
        WebPDemuxReleaseChunkIterator(&found);
    }
    return bytes;
}

static int read_orientation(const WebPDemuxer *demuxer)
{
    image_tags tags = { NULL, NULL, 0, 0 };

    tags.exif = find_chunk(demuxer, "EXIF", &tags.exif_bytes);
    tags.xmp = find_chunk(demuxer, "XMP ", &tags.xmp_bytes);
    return image_orientation(&tags);
}

/* Without a demuxer it is what comes first that is shown. */
static VP8StatusCode decode_picture(const WebPDemuxer *demuxer,
                                    const uint8_t *bytes, size_t count,
                                    int has_animation, image *out)
{
    if (!has_animation)
        return decode_still(bytes, picture_end(bytes, count), out->rgb,
                            out->width, out->height, 3 * out->width);
    return demuxer ? decode_first(demuxer, out) : VP8_STATUS_BITSTREAM_ERROR;
}

/* libwebp by itself decodes a picture whatever stands around it; Pillow, which
 * goes by the chunks, refuses what its demuxer does not follow. So is done here
 * (and said as VP8_STATUS_USER_ABORT, which libwebp has no use for then). */
int image_decode_webp(const uint8_t *bytes, size_t count,
                      const image_options *options, image *out,
                      int *orientation, char why[IMAGE_WHY])
{
    WebPData data = { bytes, count };
    WebPBitstreamFeatures features;
    WebPDemuxer *demuxer = NULL;
    VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
    int failed;

    *orientation = 1;
    if (status == VP8_STATUS_OK && !options->lenient && is_cut(bytes, count))
        status = VP8_STATUS_NOT_ENOUGH_DATA;
    if (status != VP8_STATUS_OK)
        return refuse(status, why);
    failed = image_check_size((size_t)features.width, (size_t)features.height,
                              options, count, PIXELS_PER_BYTE, why);
    if (!failed)
        failed = image_allocate(out, (size_t)features.width,
                                (size_t)features.height, options, why);
    if (failed)
        return failed;
    /* What is wrong in the file, if it has no chunks, is not memory. */
    errno = 0;
    demuxer = WebPDemuxPartial(&data, NULL);
    if (!demuxer && errno == ENOMEM)
        return refuse(VP8_STATUS_OUT_OF_MEMORY, why);
    status = demuxer || options->lenient
        ? decode_picture(demuxer, bytes, count, features.has_animation, out)
        : VP8_STATUS_USER_ABORT;
    if (demuxer && options->exif)
        *orientation = read_orientation(demuxer);
    WebPDemuxDelete(demuxer);
    if (status == VP8_STATUS_OK)
        return 0;
    failed = refuse(status, why);
    return failed == -1 && options->lenient ? 0 : failed;
}
