/* SPDX-License-Identifier: MIT */
/* A PNG file's chunks: checksums, EXIF and XMP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "image_png_chunks.h"

enum {
    SIGNATURE_BYTES = 8,
    CHUNK_BYTES = 12,      /* length, type and checksum */
    MAX_TEXT_BYTES = 1 << 20
};

typedef struct chunk {
    const uint8_t *type;   /* four letters */
    const uint8_t *data;
    size_t length;
} chunk;

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8
           | p[3];
}

static int is_type(const chunk *c, const char *type)
{
    return memcmp(c->type, type, 4) == 0;
}

/* The chunk at *at, which goes on to the next; 0 where no whole one is. */
static int next_chunk(const uint8_t *bytes, size_t count, size_t *at,
                      chunk *out)
{
    if (*at > count || count - *at < CHUNK_BYTES)
        return 0;
    out->length = get32(bytes + *at);
    out->type = bytes + *at + 4;
    out->data = out->type + 4;
    if (out->length > count - *at - CHUNK_BYTES)
        return 0;
    *at += CHUNK_BYTES + out->length;
    return 1;
}

static int is_spoilt(const chunk *c)
{
    uLong sum = crc32(0, c->type, 4);

    /* A length is of 31 bits, or no chunk would be left of it. */
    sum = crc32(sum, c->data, (uInt)c->length);
    return sum != get32(c->data + c->length);
}

/* What a last chunk that is not whole has of pixel data. */
static png_cut find_cut(const uint8_t *bytes, size_t count, size_t at)
{
    png_cut cut = { 0, 0 };
    size_t length;

    if (count - at < 8 || memcmp(bytes + at + 4, "IDAT", 4) != 0)
        return cut;
    length = get32(bytes + at);
    if (length > count - at - 8) {
        cut.at = at;
        cut.length = count - at - 8;
    }
    return cut;
}

enum png_damage png_chunks_check(const uint8_t *bytes, size_t count,
                                 png_cut *cut, char why[IMAGE_WHY])
{
    enum png_damage damage = PNG_WHOLE;
    size_t at = SIGNATURE_BYTES, from = at;
    int pixels = 0;
    chunk c;

    memset(cut, 0, sizeof(*cut));
    for (; next_chunk(bytes, count, &at, &c); from = at) {
        pixels |= is_type(&c, "IDAT");
        if (damage == PNG_WHOLE && is_spoilt(&c)) {
            damage = pixels ? PNG_OVERLOOKED : PNG_REFUSED;
            snprintf(why, IMAGE_WHY, "damaged near byte %zu of %zu: the "
                     "checksum of a chunk is wrong", from, count);
        }
        if (is_type(&c, "IEND"))
            return damage;
    }
    *cut = find_cut(bytes, count, from);
    if (damage == PNG_WHOLE) {
        damage = PNG_OVERLOOKED;
        snprintf(why, IMAGE_WHY, "damaged near byte %zu of %zu: the end is "
                 "missing", from, count);
    }
    return damage;
}

/* ---- what the file says of itself ---------------------------------------- */

/* Texts of their own memory, the last of each name. */
typedef struct texts {
    uint8_t *profile, *xmp;
    size_t profile_bytes, xmp_bytes;
    int no_memory;
} texts;

/* The length of what ends with a zero byte; `count` if nothing does. */
static size_t to_zero(const uint8_t *p, size_t count)
{
    const uint8_t *end = memchr(p, 0, count);

    return end ? (size_t)(end - p) : count;
}

/* A copy, unpacked if it was packed; NULL if that fails. */
static uint8_t *unpack(const uint8_t *p, size_t count, int packed,
                       size_t *length, int *no_memory)
{
    uLongf room = packed ? MAX_TEXT_BYTES : (uLongf)count;
    uint8_t *out = malloc(room + 1);
    int result = Z_OK;

    if (!out) {
        *no_memory = 1;
        return NULL;
    }
    if (packed)
        result = uncompress(out, &room, p, (uLong)count);
    else
        memcpy(out, p, count);
    if (result != Z_OK) {
        *no_memory |= result == Z_MEM_ERROR;
        free(out);
        return NULL;
    }
    *length = room;
    return out;
}

/* The text of an iTXt chunk, after two flags, a language and a translated
 * name; -1 if it is not one. */
static int skip_international(const uint8_t **p, size_t *count, int *packed)
{
    if (*count < 2 || ((*p)[0] && (*p)[1]))
        return -1;
    *packed = (*p)[0] != 0;
    *p += 2;
    *count -= 2;
    for (int i = 0; i < 2; i++) {
        size_t length = to_zero(*p, *count);

        if (length == *count)
            return -1;
        *p += length + 1;
        *count -= length + 1;
    }
    return 0;
}

static void take_text(const chunk *c, texts *t)
{
    size_t name = to_zero(c->data, c->length), count = c->length - name;
    const uint8_t *p = c->data + name;
    int packed = is_type(c, "zTXt"), profile, failed = 0;
    uint8_t *text;

    profile = name == 21 && memcmp(c->data, "Raw profile type exif", name) == 0;
    if (!profile &&
        !(name == 17 && memcmp(c->data, "XML:com.adobe.xmp", name) == 0))
        return;
    if (count < 1)
        return;
    p++;
    count--;
    if (is_type(c, "iTXt"))
        failed = skip_international(&p, &count, &packed);
    else if (packed && count > 0) {
        failed = *p++;
        count--;
    }
    text = failed ? NULL : unpack(p, count, packed, &count, &t->no_memory);
    if (text && profile) {
        free(t->profile);
        t->profile = text;
        t->profile_bytes = count;
    } else if (text) {
        free(t->xmp);
        t->xmp = text;
        t->xmp_bytes = count;
    }
}

/* A profile is three lines that say what it is, and then hexadecimal. In
 * place; returns how many bytes it is. */
static size_t read_profile(uint8_t *text, size_t count)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    size_t at = 0, nibbles = 0;

    for (int line = 0; line < 3; line++) {
        const uint8_t *end = memchr(text + at, '\n', count - at);

        if (!end)
            return 0;
        at = (size_t)(end - text) + 1;
    }
    for (; at < count; at++) {
        const char *digit = text[at] ? strchr(digits, text[at]) : NULL;
        uint8_t value;

        if (!digit)
            continue;
        value = (uint8_t)((digit - digits) & 15);
        if (nibbles % 2 == 0)
            text[nibbles / 2] = (uint8_t)(value << 4);
        else
            text[nibbles / 2] |= value;
        nibbles++;
    }
    return nibbles / 2;
}

int png_chunks_orientation(const uint8_t *bytes, size_t count)
{
    image_tags tags = { NULL, NULL, 0, 0 };
    texts t = { NULL, NULL, 0, 0, 0 };
    size_t at = SIGNATURE_BYTES;
    int orientation;
    chunk c;

    while (next_chunk(bytes, count, &at, &c) && !is_type(&c, "IEND")) {
        if (is_type(&c, "eXIf")) {
            tags.exif = c.data;
            tags.exif_bytes = c.length;
        } else if (is_type(&c, "tEXt") || is_type(&c, "zTXt") ||
                   is_type(&c, "iTXt")) {
            take_text(&c, &t);
        }
    }
    if (!tags.exif && t.profile) {
        tags.exif = t.profile;
        tags.exif_bytes = read_profile(t.profile, t.profile_bytes);
    }
    tags.xmp = t.xmp;
    tags.xmp_bytes = t.xmp_bytes;
    orientation = t.no_memory ? 0 : image_orientation(&tags);
    free(t.profile);
    free(t.xmp);
    return orientation;
}
