/* SPDX-License-Identifier: MIT */
/* Archives of pictures, as they lie in a file; see packed.h. */
#include "config.h"

#include "packed.h"

#include "../base/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const uint8_t magic[8] = {0x89, 'T', 'M', 'B', 0x0d, 0x0a, 0x1a, 0x0a};

enum { MOST_HEADER = 1 << 16 };

/* zlib counts in uInt. */
static uint32_t add(uint32_t sum, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    while (count > 0) {
        uInt now = count < 1 << 30 ? (uInt)count : 1 << 30;

        sum = (uint32_t)crc32(sum, at, now);
        at += now;
        count -= now;
    }
    return sum;
}

static void to_le32(uint32_t value, uint8_t out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t from_le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

uint32_t packed_add_sum(uint32_t sums, uint32_t sum)
{
    uint8_t bytes[4];

    to_le32(sum, bytes);
    return add(sums, bytes, 4);
}

uint32_t packed_sum(const packed_picture *p, const uint8_t *pixels,
                    size_t length)
{
    uint32_t sum = add(0, p->name, strlen(p->name));

    return add(add(sum, p->bytes, p->count), pixels, length);
}

int packed_name_is_safe(const char *name)
{
    if (name[0] == '\0')
        return 0;
    for (;;) {
        size_t length = strcspn(name, "/");

        if (length == 0 || (length == 1 && name[0] == '.') ||
            (length == 2 && name[0] == '.' && name[1] == '.'))
            return 0;
        if (name[length] == '\0')
            return 1;
        name += length + 1;
    }
}

/* ---- writing ------------------------------------------------------------- */

static void put_le32(FILE *file, uint32_t value)
{
    uint8_t bytes[4];

    to_le32(value, bytes);
    fwrite(bytes, 1, 4, file);
}

static void put_size(FILE *file, size_t value)
{
    while (value >= 128) {
        putc((int)(value & 127) | 128, file);
        value >>= 7;
    }
    putc((int)value, file);
}

static json_t *hash_json(uint64_t hash)
{
    char text[17];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    return json_string(text);
}

void packed_write_begin(packed_writer *w, FILE *file, const packed_header *h)
{
    json_t *json = json_pack(
        "{s:o,s:o,s:o,s:s,s:s,s:I,s:I}", "model", report_string(h->model),
        "digest", hash_json(h->digest), "arithmetic",
        hash_json(h->arithmetic), "cpu", h->tier, "dtype", h->dtype, "width",
        (json_int_t)h->width, "height", (json_int_t)h->height);
    if (h->group) {
        json_object_set_new(json, "window", json_integer(
            (json_int_t)h->window));
        json_object_set_new(json, "group", json_integer(
            (json_int_t)h->group));
    }
    char *text = json_dumps(json, JSON_COMPACT);
    size_t length = strlen(text);

    memset(w, 0, sizeof(*w));
    w->file = file;
    fwrite(magic, 1, sizeof(magic), file);
    put_le32(file, (uint32_t)length);
    fwrite(text, 1, length, file);
    put_le32(file, add(0, text, length));
    free(text);
    json_decref(json);
}

void packed_write(packed_writer *w, const packed_picture *p)
{
    size_t shared = 0, rest;

    while (p->name[shared] && p->name[shared] == w->last[shared])
        shared++;
    rest = strlen(p->name) - shared;
    put_size(w->file, 1 + shared);
    put_size(w->file, rest);
    fwrite(p->name + shared, 1, rest, w->file);
    put_size(w->file, p->count);
    fwrite(p->bytes, 1, p->count, w->file);
    put_le32(w->file, p->sum);
    memcpy(w->last, p->name, sizeof(w->last));
    w->pictures++;
    w->sums = packed_add_sum(w->sums, p->sum);
}

void packed_write_end(packed_writer *w)
{
    put_size(w->file, 0);
    put_size(w->file, w->pictures);
    put_le32(w->file, w->sums);
}

/* ---- reading ------------------------------------------------------------- */

static int cut(const packed_reader *r, char *why)
{
    snprintf(why, PACKED_WHY, "it ends at byte %zu, in picture %zu",
             (size_t)(r->end - r->bytes), r->pictures + 1);
    return -1;
}

static int wrong(const packed_reader *r, const char *what, char *why)
{
    snprintf(why, PACKED_WHY, "damaged at byte %zu, in picture %zu: %s",
             (size_t)(r->at - r->bytes), r->pictures + 1, what);
    return -1;
}

/* A number of at most 9 bytes. */
static int get_size(packed_reader *r, size_t *value, char *why)
{
    uint64_t all = 0;

    for (int shift = 0; r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;

        all |= (uint64_t)(byte & 127) << shift;
        if (byte < 128 && all <= SIZE_MAX / 2) {
            *value = (size_t)all;
            return 0;
        }
        if (byte < 128 || shift == 56)
            return wrong(r, "no number", why);
    }
    return cut(r, why);
}

static int copy_text(const json_t *json, const char *key, char *to,
                     size_t room)
{
    const char *text = json_string_value(json_object_get(json, key));

    if (!text || strlen(text) >= room)
        return -1;
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

static int get_hash(const json_t *json, const char *key, uint64_t *hash)
{
    char text[17], *end;

    if (copy_text(json, key, text, sizeof(text)) != 0 || strlen(text) != 16)
        return -1;
    *hash = strtoull(text, &end, 16);
    return *end == '\0' ? 0 : -1;
}

static int get_count(const json_t *json, const char *key, size_t *value)
{
    const json_t *found = json_object_get(json, key);

    if (!json_is_integer(found) || json_integer_value(found) < 1 ||
        json_integer_value(found) > 1 << 24)
        return -1;
    *value = (size_t)json_integer_value(found);
    return 0;
}

static int read_header(const uint8_t *text, size_t length, packed_header *h)
{
    json_t *json = json_loadb((const char *)text, length,
                              JSON_REJECT_DUPLICATES, NULL);
    int failed = !json_is_object(json) ||
                 copy_text(json, "model", h->model, sizeof(h->model)) ||
                 copy_text(json, "cpu", h->tier, sizeof(h->tier)) ||
                 copy_text(json, "dtype", h->dtype, sizeof(h->dtype)) ||
                 get_hash(json, "digest", &h->digest) ||
                 get_hash(json, "arithmetic", &h->arithmetic) ||
                 get_count(json, "width", &h->width) ||
                 get_count(json, "height", &h->height);

    if (!failed && json_object_get(json, "group"))
        failed = get_count(json, "window", &h->window) ||
                 get_count(json, "group", &h->group);

    json_decref(json);
    return failed ? -1 : 0;
}

int packed_read_begin(packed_reader *r, const uint8_t *bytes, size_t count,
                      packed_header *h, char *why)
{
    size_t before = sizeof(magic) + 4, length;

    memset(r, 0, sizeof(*r));
    memset(h, 0, sizeof(*h));
    r->bytes = bytes;
    r->end = bytes + count;
    if (count < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0) {
        snprintf(why, PACKED_WHY, "it is no archive that compress wrote");
        return -1;
    }
    length = count >= before ? from_le32(bytes + sizeof(magic)) : 0;
    if (count < before || length > count - before ||
        count - before - length < 4) {
        snprintf(why, PACKED_WHY, length > MOST_HEADER ? "its header is "
                 "damaged" : "it ends in its header");
        return -1;
    }
    r->at = bytes + before + length;
    if (length > MOST_HEADER ||
        add(0, bytes + before, length) != from_le32(r->at) ||
        read_header(bytes + before, length, h) != 0) {
        snprintf(why, PACKED_WHY, "its header is damaged");
        return -1;
    }
    r->at += 4;
    return 0;
}

static int read_end(packed_reader *r, uint32_t *sums, char *why)
{
    size_t pictures;

    if (get_size(r, &pictures, why) != 0)
        return -1;
    if (r->end - r->at < 4)
        return cut(r, why);
    if (pictures != r->pictures)
        return wrong(r, "another number of pictures", why);
    *sums = from_le32(r->at);
    r->at += 4;
    return r->at == r->end ? 0 : wrong(r, "more than the end", why);
}

int packed_read(packed_reader *r, packed_picture *p, uint32_t *sums, char *why)
{
    size_t shared, rest;

    if (get_size(r, &shared, why) != 0)
        return -1;
    if (shared == 0)
        return read_end(r, sums, why);
    shared--;
    if (get_size(r, &rest, why) != 0)
        return -1;
    if (shared > strlen(r->last) || rest > PACKED_NAME - shared)
        return wrong(r, "its name", why);
    if ((size_t)(r->end - r->at) < rest)
        return cut(r, why);
    memcpy(p->name, r->last, shared);
    memcpy(p->name + shared, r->at, rest);
    p->name[shared + rest] = '\0';
    if (strlen(p->name) != shared + rest)
        return wrong(r, "its name", why);
    r->at += rest;
    if (get_size(r, &p->count, why) != 0)
        return -1;
    if ((size_t)(r->end - r->at) < 4 ||
        (size_t)(r->end - r->at) - 4 < p->count)
        return cut(r, why);
    p->bytes = r->at;
    p->sum = from_le32(r->at + p->count);
    r->at += p->count + 4;
    memcpy(r->last, p->name, sizeof(r->last));
    r->pictures++;
    return 1;
}
