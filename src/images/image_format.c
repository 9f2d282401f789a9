/* SPDX-License-Identifier: MIT */
/* Kinds of files, told apart by the bytes they begin with. */
#include <ctype.h>
#include <string.h>

#include "image_decoders.h"

#define BEGINS(bytes) bytes, sizeof(bytes) - 1

/* Those that are read, and those that people have in their place. */
static const image_format formats[] = {
    { "PNG", BEGINS("\x89PNG\r\n\x1a\n"), 0, image_decode_png },
    { "JPEG", BEGINS("\xff\xd8\xff"), 0, image_decode_jpeg },
    { "WebP", BEGINS("RIFF????WEBP"), 0, image_decode_webp },
    { "a GIF", BEGINS("GIF87a"), 0, NULL },
    { "a GIF", BEGINS("GIF89a"), 0, NULL },
    { "an AVIF picture", BEGINS("????ftypavif"), 0, NULL },
    { "an AVIF picture", BEGINS("????ftypavis"), 0, NULL },
    { "a HEIC picture", BEGINS("????ftyphei"), 0, NULL },
    { "a HEIC picture", BEGINS("????ftyphev"), 0, NULL },
    { "a HEIF picture", BEGINS("????ftypmif1"), 0, NULL },
    { "a HEIF picture", BEGINS("????ftypmsf1"), 0, NULL },
    { "a film (MP4 or the like)", BEGINS("????ftyp"), 0, NULL },
    { "a TIFF", BEGINS("II*\0"), 0, NULL },
    { "a TIFF", BEGINS("MM\0*"), 0, NULL },
    { "a BMP", BEGINS("BM????\0\0\0\0"), 0, NULL },
    { "a JPEG 2000", BEGINS("\0\0\0\x0cjP  \r\n\x87\n"), 0, NULL },
    { "a JPEG 2000", BEGINS("\xff\x4f\xff\x51"), 0, NULL },
    { "a JPEG XL", BEGINS("\0\0\0\x0cJXL \r\n\x87\n"), 0, NULL },
    { "a JPEG XL", BEGINS("\xff\x0a"), 0, NULL },
    { "a Photoshop file", BEGINS("8BPS"), 0, NULL },
    { "a PDF", BEGINS("%PDF-"), 0, NULL },
    { "a zip archive", BEGINS("PK\x03\x04"), 0, NULL },
    { "gzipped", BEGINS("\x1f\x8b"), 0, NULL },
    { "a git-lfs pointer, not the file itself (git lfs pull brings it)",
      BEGINS("version https://git-lfs"), 0, NULL },
    { "an HTML page", BEGINS("<!doctype html"), 1, NULL },
    { "an HTML page", BEGINS("<html"), 1, NULL },
    { "an SVG drawing", BEGINS("<svg"), 1, NULL },
    { "XML", BEGINS("<?xml"), 1, NULL },
};

static int begins(const image_format *format, const uint8_t *bytes,
                  size_t count)
{
    if (format->text) {
        if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
            bytes += 3;
            count -= 3;
        }
        for (; count > 0 && isspace(*bytes); count--)
            bytes++;
    }
    if (count < format->length)
        return 0;
    for (size_t i = 0; i < format->length; i++) {
        uint8_t wanted = (uint8_t)format->begins[i];
        uint8_t found = format->text ? (uint8_t)tolower(bytes[i]) : bytes[i];

        if (wanted != '?' && found != wanted)
            return 0;
    }
    return 1;
}

const image_format *image_format_of(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (begins(&formats[i], bytes, count))
            return &formats[i];
    return NULL;
}
