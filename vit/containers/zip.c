/* SPDX-License-Identifier: MIT */
/* Zip archives: the directory at the end, and where the entries lie. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "zip.h"

/* Lengths of the records without what varies, and their signatures. */
enum {
    END = 22, LOCATOR = 20, END64 = 56, ENTRY = 46, LOCAL = 30,
    COMMENT_MAX = 65535
};
#define SIGN_END 0x06054b50u
#define SIGN_LOCATOR 0x07064b50u
#define SIGN_END64 0x06064b50u
#define SIGN_ENTRY 0x02014b50u
#define SIGN_LOCAL 0x04034b50u

typedef struct directory {
    const unsigned char *file;
    size_t begin, end;                      /* of the entries' records */
    uint64_t count;
} directory;

/* ---- the end of the archive ---------------------------------------------- */

/* Where the end record is: the last one whose comment fills the file. */
static int find_end(const vit_mapping *mapping, size_t *end,
                    const vit_report *report)
{
    size_t count = mapping->count;
    size_t first = count > END + COMMENT_MAX ? count - END - COMMENT_MAX : 0;
    size_t behind;              /* the record's last byte */

    for (behind = count; behind >= first + END; behind--) {
        const unsigned char *b = mapping->bytes + (behind - END);

        if (vit_le32(b) == SIGN_END && vit_le16(b + 20) == count - behind) {
            *end = behind - END;
            return 0;
        }
    }
    return tomevit_fail(report, TOMEVIT_EFORMAT, "the zip archive of %zu bytes "
                        "has no directory at its end: cut short", count);
}

/* The zip64 record, if the locator before the end record names one. */
static int find_end64(const unsigned char *file, size_t end,
                      const unsigned char **end64, const vit_report *report)
{
    uint64_t at;

    *end64 = NULL;
    if (end < LOCATOR || vit_le32(file + end - LOCATOR) != SIGN_LOCATOR)
        return 0;
    at = vit_le64(file + end - LOCATOR + 8);
    if (end < LOCATOR + END64 || at > end - LOCATOR - END64 ||
        vit_le32(file + at) != SIGN_END64)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip: expected the zip64 "
                            "end record at byte %llu, found none",
                            (unsigned long long)at);
    *end64 = file + at;
    return 0;
}

static int find_directory(const vit_mapping *mapping, directory *d,
                          const vit_report *report)
{
    const unsigned char *file = mapping->bytes, *end64;
    uint64_t begin, bytes;
    size_t end = 0;
    int code = find_end(mapping, &end, report);

    if (code || (code = find_end64(file, end, &end64, report)))
        return code;
    d->file = file;
    d->count = end64 ? vit_le64(end64 + 32) : vit_le16(file + end + 10);
    bytes = end64 ? vit_le64(end64 + 40) : vit_le32(file + end + 12);
    begin = end64 ? vit_le64(end64 + 48) : vit_le32(file + end + 16);
    if (begin > end || bytes > end - begin)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip: its directory of "
                            "%llu bytes at byte %llu does not lie before its "
                            "end record at byte %zu", (unsigned long long)bytes,
                            (unsigned long long)begin, end);
    d->begin = (size_t)begin;
    d->end = (size_t)(begin + bytes);
    if (d->count > bytes / ENTRY)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip: a directory of %llu "
                            "bytes cannot hold %llu entries",
                            (unsigned long long)bytes,
                            (unsigned long long)d->count);
    return 0;
}

/* ---- entries ------------------------------------------------------------- */

typedef struct record {
    uint64_t packed, size, local;
} record;

/* The zip64 field of an entry, empty if it has none; 0 if cut short. */
static int find_wide(const unsigned char **field, size_t *count)
{
    const unsigned char *b = *field;
    size_t left = *count;

    while (left >= 4) {
        size_t length = vit_le16(b + 2);

        if (length > left - 4)
            return 0;
        *field = b + 4;
        *count = length;
        if (vit_le16(b) == 1)
            return 1;
        b += 4 + length;
        left -= 4 + length;
    }
    *count = 0;
    return 1;
}

/* In that field stand, in this order, the numbers that exceed 32 bits. */
static int widen(record *r, const unsigned char *field, size_t count)
{
    uint64_t *const wide[] = {&r->size, &r->packed, &r->local};
    size_t i, at = 0;

    if (!find_wide(&field, &count))
        return 0;
    for (i = 0; i < 3; i++)
        if (*wide[i] == UINT32_MAX) {
            if (count - at < 8)
                return 0;
            *wide[i] = vit_le64(field + at);
            at += 8;
        }
    return 1;
}

/* Where the data lies: behind the local header, before the directory. */
static int locate(vit_zip_entry *e, const record *r, const directory *d,
                  const vit_report *report)
{
    uint64_t local = r->local, begin;

    if (d->begin < LOCAL || local > d->begin - LOCAL ||
        vit_le32(d->file + local) != SIGN_LOCAL)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": "
                            "expected its header at byte %llu, found none",
                            e->name, (unsigned long long)local);
    begin = local + LOCAL + vit_le16(d->file + local + 26) +
            vit_le16(d->file + local + 28);
    if (begin > d->begin || r->packed > d->begin - begin)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": its "
                            "%llu bytes at byte %llu do not lie before the "
                            "directory at byte %zu", e->name,
                            (unsigned long long)r->packed,
                            (unsigned long long)begin, d->begin);
    e->bytes = d->file + begin;
    e->packed = (size_t)r->packed;
    return 0;
}

/* Stored as it is, or deflated to a size that deflate can reach. */
static int check_method(vit_zip_entry *e, unsigned flags, unsigned method,
                        uint64_t size, const vit_report *report)
{
    enum { ENCRYPTED = 1, STORED = 0, DEFLATED = 8, MOST = 1032 };

    if (flags & ENCRYPTED)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\" is "
                            "encrypted", e->name);
    if (method != STORED && method != DEFLATED)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": "
                            "expected it stored or deflated, found "
                            "compression method %u", e->name, method);
    e->deflated = method == DEFLATED;
    e->size = (size_t)size;
    if (size > SIZE_MAX || (e->deflated ? size / MOST > e->packed
                                        : size != e->packed))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": "
                            "%zu bytes cannot hold the %llu that it should "
                            "have", e->name, e->packed,
                            (unsigned long long)size);
    return 0;
}

/* Reads the record at *at and moves on behind it. */
static int read_entry(vit_zip *zip, vit_zip_entry *e, const directory *d,
                      size_t *at, const vit_report *report)
{
    const unsigned char *b = d->file + *at;
    size_t left = d->end - *at, name, extra;
    record r;
    int code;

    if (left < ENTRY || vit_le32(b) != SIGN_ENTRY ||
        left - ENTRY < (size_t)vit_le16(b + 28) + vit_le16(b + 30) +
                       vit_le16(b + 32))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip: expected an entry "
                            "of the directory at byte %zu, found none", *at);
    name = vit_le16(b + 28);
    extra = vit_le16(b + 30);
    *at += ENTRY + name + extra + vit_le16(b + 32);
    e->name = tomevit_region_text(&zip->region, (const char *)b + ENTRY, name);
    if (!e->name)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for a zip directory");
    if (strlen(e->name) != name)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": its "
                            "name holds a NUL", e->name);
    e->crc = vit_le32(b + 16);
    r.packed = vit_le32(b + 20);
    r.size = vit_le32(b + 24);
    r.local = vit_le32(b + 42);
    if (!widen(&r, b + ENTRY + name, extra))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": its "
                            "extra fields are cut short", e->name);
    code = locate(e, &r, d, report);
    return code ? code : check_method(e, vit_le16(b + 8), vit_le16(b + 10),
                                      r.size, report);
}

/* ---- all entries --------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const vit_zip_entry *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->packed < y->packed ? -1 : x->packed > y->packed;
}

static int by_name(const void *a, const void *b)
{
    const vit_zip_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Entries that share bytes would let a small file stand for a huge one. */
static int check_all(vit_zip *zip, const vit_report *report)
{
    vit_zip_entry *e = zip->entries;
    size_t i;

    qsort(e, zip->count, sizeof(*e), by_place);
    for (i = 1; i < zip->count; i++)
        if (e[i - 1].bytes + e[i - 1].packed > e[i].bytes)
            return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entries "
                                "\"%.80s\" and \"%.80s\" overlap",
                                e[i - 1].name, e[i].name);
    qsort(e, zip->count, sizeof(*e), by_name);
    for (i = 1; i < zip->count; i++)
        if (!strcmp(e[i - 1].name, e[i].name))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\" "
                                "is there twice", e[i].name);
    return 0;
}

static int by_pointed_place(const void *a, const void *b)
{
    return by_place(*(const vit_zip_entry *const *)a,
                    *(const vit_zip_entry *const *)b);
}

/* For the sums of what is used in place. */
static int list_places(vit_zip *zip, const vit_report *report)
{
    size_t i;

    zip->places = calloc(zip->count + 1, sizeof(*zip->places));
    zip->checked = calloc(zip->count + 1, sizeof(*zip->checked));
    if (!zip->places || !zip->checked)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for a zip directory");
    for (i = 0; i < zip->count; i++)
        zip->places[i] = &zip->entries[i];
    qsort(zip->places, zip->count, sizeof(*zip->places), by_pointed_place);
    return 0;
}

int tomevit_zip_open(vit_zip *zip, const vit_mapping *mapping,
                     const vit_report *report)
{
    directory d = {0};
    size_t at;
    int code;

    memset(zip, 0, sizeof(*zip));
    code = find_directory(mapping, &d, report);
    if (code)
        return code;
    zip->entries = calloc((size_t)d.count + 1, sizeof(*zip->entries));
    if (!zip->entries)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory for a zip directory");
    for (at = d.begin; zip->count < d.count; zip->count++) {
        code = read_entry(zip, &zip->entries[zip->count], &d, &at, report);
        if (code)
            return code;
    }
    code = check_all(zip, report);
    return code ? code : list_places(zip, report);
}

void tomevit_zip_close(vit_zip *zip)
{
    free(zip->entries);
    free(zip->places);
    free(zip->checked);
    tomevit_region_free(&zip->region);
    memset(zip, 0, sizeof(*zip));
}

const vit_zip_entry *tomevit_zip_find(const vit_zip *zip, const char *name)
{
    vit_zip_entry wanted = {.name = name};

    return zip->count ? bsearch(&wanted, zip->entries, zip->count,
                                sizeof(wanted), by_name) : NULL;
}
