/* SPDX-License-Identifier: MIT */
/*
 * EXIF and XMP: which way up a picture is, read as Pillow's
 * ImageOps.exif_transpose reads it.
 *
 * EXIF is a TIFF file of tags; XMP is XML, where it counts only if EXIF says
 * nothing. Whatever type a tag was written in, its first value counts.
 */
#include <stdlib.h>
#include <string.h>

#include "image_decoders.h"

enum { ORIENTATION_TAG = 0x0112, ENTRY_BYTES = 12, TYPES = 17 };

/* Bytes of one value of a TIFF type; 0 for what is no type. */
static const uint8_t type_bytes[TYPES] = {
    0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8
};

enum {
    TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_RATIONAL = 5, TYPE_SBYTE = 6,
    TYPE_SSHORT = 8, TYPE_SLONG = 9, TYPE_SRATIONAL = 10, TYPE_FLOAT = 11,
    TYPE_DOUBLE = 12, TYPE_IFD = 13, TYPE_LONG8 = 16
};

typedef struct tiff {
    const uint8_t *bytes;
    size_t count;
    int big;               /* the bytes of a number begin with the highest */
} tiff;

static uint64_t number(const tiff *t, const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | p[t->big ? i : bytes - 1 - i];
    return value;
}

/* 2 to 8 where the value is one of them, 1 where it is anything else: no
 * number, a share of one, out of range. */
static int orientation_of(const tiff *t, unsigned type, const uint8_t *value)
{
    uint64_t whole = number(t, value, type_bytes[type]), over;
    uint32_t bits;
    float single;
    double real;

    switch (type) {
    case TYPE_FLOAT:
        bits = (uint32_t)whole;
        memcpy(&single, &bits, sizeof(single));
        real = (double)single;
        break;
    case TYPE_DOUBLE:
        memcpy(&real, &whole, sizeof(real));
        break;
    case TYPE_RATIONAL:
    case TYPE_SRATIONAL:
        over = number(t, value + 4, 4);
        whole = number(t, value, 4);
        real = over ? (double)(int64_t)whole / (double)(int64_t)over : 0.0;
        break;
    case TYPE_SHORT:
    case TYPE_LONG:
    case TYPE_SBYTE:
    case TYPE_SSHORT:
    case TYPE_SLONG:
    case TYPE_IFD:
    case TYPE_LONG8:
        real = (double)whole;
        break;
    default:
        return 1;
    }
    return real >= 2.0 && real <= 8.0 && real == (double)(int)real ? (int)real
                                                                   : 1;
}

/* Looks through the first folder of tags; 0 if none of them is it. What lies
 * outside of the block ends the search, as it ends Pillow's. */
static int search_tags(const tiff *t, size_t at)
{
    size_t entries, taken = 0;

    if (at > t->count || t->count - at < 2)
        return 0;
    entries = (size_t)number(t, t->bytes + at, 2);
    at += 2;
    for (; entries > 0 && t->count - at >= ENTRY_BYTES;
         entries--, at += ENTRY_BYTES) {
        const uint8_t *entry = t->bytes + at, *value = entry + 8;
        unsigned type = (unsigned)number(t, entry + 2, 2);
        uint64_t size = number(t, entry + 4, 4);

        if (type >= TYPES || type_bytes[type] == 0)
            continue;
        size *= type_bytes[type];
        if (size > 4) {
            size_t offset = (size_t)number(t, value, 4);

            if (size > t->count - taken)
                continue;
            taken += (size_t)size;
            if (offset > t->count || size > t->count - offset)
                return 0;
            value = t->bytes + offset;
        }
        if (size > 0 && number(t, entry, 2) == ORIENTATION_TAG)
            return orientation_of(t, type, value);
    }
    return 0;
}

static int exif_orientation(const uint8_t *exif, size_t count)
{
    static const char prefix[6] = "Exif\0";
    tiff t;

    /* Some writers put the prefix of a JPEG segment twice, or into a PNG. */
    for (int i = 0; i < 2 && count >= sizeof(prefix) &&
                    memcmp(exif, prefix, sizeof(prefix)) == 0; i++) {
        exif += sizeof(prefix);
        count -= sizeof(prefix);
    }
    if (count < 8 || (memcmp(exif, "II*", 4) != 0 &&
                      memcmp(exif, "MM\0*", 4) != 0 &&
                      memcmp(exif, "II\0*", 4) != 0 &&
                      memcmp(exif, "MM*", 4) != 0))
        return 0;
    t.bytes = exif;
    t.count = count;
    t.big = exif[0] == 'M';
    return search_tags(&t, (size_t)number(&t, exif + 4, 4));
}

/* The digit in tiff:Orientation="6" or <tiff:Orientation>6<; 0 if there is no
 * such place, 1 if it is no orientation that turns. */
static int xmp_orientation(const uint8_t *xmp, size_t count)
{
    static const char name[] = "tiff:Orientation";
    const size_t length = sizeof(name) - 1;

    for (; count > length; xmp++, count--) {
        const uint8_t *rest = memchr(xmp, name[0], count - length);
        size_t equals;

        if (!rest)
            return 0;
        count -= (size_t)(rest - xmp);
        xmp = rest;
        if (memcmp(xmp, name, length) != 0)
            continue;
        rest += length;
        equals = count - length >= 3 && memcmp(rest, "=\"", 2) == 0 ? 2 : 1;
        if (equals == 1 && *rest != '>')
            continue;
        if (count - length > equals && rest[equals] >= '0' &&
            rest[equals] <= '9')
            return rest[equals] >= '2' && rest[equals] <= '8'
                ? rest[equals] - '0' : 1;
    }
    return 0;
}

int image_orientation(const image_tags *tags)
{
    int found = tags->exif ? exif_orientation(tags->exif, tags->exif_bytes)
                           : 0;

    if (!found && tags->xmp)
        found = xmp_orientation(tags->xmp, tags->xmp_bytes);
    return found ? found : 1;
}
