/* SPDX-License-Identifier: MIT */
/* Changes of what is in a zip, which is written anew around it: sums, sizes and
 * places are right, so that readers look at what is inside. */
#include "config.h"

#include "mutants.h"

#include <string.h>
#include <zlib.h>

enum { MOST = 64, NAME = 200, INSIDE = 1 << 18 };

typedef struct member {
    const uint8_t *name, *data; /* as they lie in the zip */
    size_t name_size, size;
    uint32_t method;
} member;

size_t fuzz_inflate(const uint8_t *bytes, size_t size, uint8_t *to,
                    size_t most)
{
    z_stream z = {0};
    int code;

    if (inflateInit2(&z, -15) != Z_OK)
        return SIZE_MAX;
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = to;
    z.avail_out = (uInt)most;
    code = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return code == Z_STREAM_END ? (size_t)z.total_out : SIZE_MAX;
}

/* What the directory lists and is there. */
static size_t read_members(const fuzz_input *in, member *list)
{
    const uint8_t *b = in->bytes;
    size_t count = 0;

    for (size_t at = 0; at + 46 <= in->size && count < MOST; at++) {
        if (b[at] != 'P' || memcmp(b + at, "PK\1\2", 4))
            continue;
        size_t size = (size_t)fuzz_little(b + at + 20, 4);
        size_t name = (size_t)fuzz_little(b + at + 28, 2);
        size_t from = (size_t)fuzz_little(b + at + 42, 4);
        if (name > in->size - at - 46 || from > in->size ||
            in->size - from < 30 || memcmp(b + from, "PK\3\4", 4))
            continue;
        size_t data = from + 30 + (size_t)fuzz_little(b + from + 26, 2) +
                      (size_t)fuzz_little(b + from + 28, 2);
        if (data > in->size || size > in->size - data)
            continue;
        list[count++] = (member){b + at + 46, b + data, name, size,
                                 (uint32_t)fuzz_little(b + at + 10, 2)};
    }
    return count;
}

/* Its bytes as they were before they were packed; 0 if they cannot be had. */
static int unpack(const member *m, fuzz_input *to)
{
    to->size = m->size;
    if (m->method == 8)
        to->size = fuzz_inflate(m->data, m->size, to->bytes, to->space);
    else if (m->size <= to->space && m->size)
        memcpy(to->bytes, m->data, m->size);
    return to->size != SIZE_MAX && to->size <= to->space;
}

/* Deflated, if it was and becomes no longer than the room for it. */
static size_t pack(const fuzz_input *from, uint32_t *method, uint8_t *to,
                   size_t room)
{
    z_stream z = {0};
    size_t size;

    if (*method == 8 && deflateInit2(&z, 1, 8, -9, 1, 0) == Z_OK) {
        z.next_in = from->bytes;
        z.avail_in = (uInt)from->size;
        z.next_out = to;
        z.avail_out = (uInt)room;
        int code = deflate(&z, Z_FINISH);
        size = z.total_out;
        deflateEnd(&z);
        if (code == Z_STREAM_END)
            return size;
    }
    *method = 0;
    memcpy(to, from->bytes, from->size);
    return from->size;
}

/* ---- writing ------------------------------------------------------------- */

typedef struct writer {
    uint8_t *bytes;
    size_t size, space, directory_size, count;
    uint8_t directory[MOST * (46 + NAME)];
} writer;

/* What both records of a member have: from the method to the extra field's
 * length. */
static void put_facts(uint8_t *b, uint32_t method, uint32_t sum, size_t packed,
                      size_t size, size_t name)
{
    memset(b, 0, 22);
    fuzz_put_little(b, method, 2);
    fuzz_put_little(b + 6, sum, 4);
    fuzz_put_little(b + 10, packed, 4);
    fuzz_put_little(b + 14, size, 4);
    fuzz_put_little(b + 18, name, 2);
}

static void put_member(writer *w, const member *m, const fuzz_input *inside)
{
    uint8_t *local = w->bytes + w->size, *entry;
    size_t name = m->name_size < NAME ? m->name_size : NAME, packed;
    uint32_t method = m->method;
    uint32_t sum = (uint32_t)crc32(0, inside->bytes, (uInt)inside->size);

    if (w->count == MOST || w->space - w->size < 30 + name + inside->size)
        return;
    memcpy(local, "PK\3\4\24\0\0\0", 8);
    memcpy(local + 30, m->name, name);
    packed = pack(inside, &method, local + 30 + name,
                  w->space - w->size - 30 - name);
    put_facts(local + 8, method, sum, packed, inside->size, name);
    entry = w->directory + w->directory_size;
    memset(entry, 0, 46);
    memcpy(entry, "PK\1\2\24\3\24\0\0\0", 10);
    put_facts(entry + 10, method, sum, packed, inside->size, name);
    fuzz_put_little(entry + 42, w->size, 4);
    memcpy(entry + 46, m->name, name);
    w->directory_size += 46 + name;
    w->size += 30 + name + packed;
    w->count++;
}

static int put_end(writer *w)
{
    uint8_t *end = w->bytes + w->size + w->directory_size;

    if (w->space - w->size < w->directory_size + 22)
        return 0;
    memcpy(w->bytes + w->size, w->directory, w->directory_size);
    memset(end, 0, 22);
    memcpy(end, "PK\5\6", 4);
    fuzz_put_little(end + 8, w->count, 2);
    fuzz_put_little(end + 10, w->count, 2);
    fuzz_put_little(end + 12, w->directory_size, 4);
    fuzz_put_little(end + 16, w->size, 4);
    w->size += w->directory_size + 22;
    return 1;
}

/* ---- changes ------------------------------------------------------------- */

/* As a file of its own: of the same name in the other zip, if there is one. */
static void change_member(fuzz_input *inside, const member *m,
                          const fuzz_input *other, uint64_t *seed)
{
    static uint8_t bytes[INSIDE];
    member list[MOST];
    size_t count = read_members(other, list), pick = fuzz_below(seed, count);
    fuzz_input second = {bytes, 0, sizeof(bytes)};

    for (size_t i = 0; i < count; i++)
        if (list[i].name_size == m->name_size &&
            !memcmp(list[i].name, m->name, m->name_size))
            pick = i;
    if (count == 0 || !unpack(&list[pick], &second))
        second.size = 0;
    fuzz_mutate(inside, second.size ? &second : inside, seed);
}

int fuzz_mutate_zip(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    static uint8_t bytes[INSIDE], written[INSIDE];
    static writer w;
    static int within;                  /* a zip in a zip is bytes */
    member list[MOST];
    size_t count, one, what = fuzz_below(seed, 12);

    if (within || in->size < 4 || memcmp(in->bytes, "PK\3\4", 4) ||
        (count = read_members(in, list)) == 0)
        return 0;
    within = 1;
    w.bytes = written;
    w.size = w.directory_size = w.count = 0;
    w.space = in->space < sizeof(written) ? in->space : sizeof(written);
    one = fuzz_below(seed, count);
    for (size_t i = 0; i < count; i++) {
        fuzz_input inside = {bytes, 0, sizeof(bytes)};

        if (!unpack(&list[i], &inside) || (what == 0 && i == one))
            continue;
        if (what == 1 && i == one)      /* by another's name */
            list[i].name = list[fuzz_below(seed, count)].name;
        if (what == 2 && i == one)      /* twice */
            put_member(&w, &list[i], &inside);
        if (what == 3 && i == one)
            list[i].method = 8 - list[i].method;
        if (what > 3 && i == one && inside.size)
            change_member(&inside, &list[i], other, seed);
        put_member(&w, &list[i], &inside);
    }
    within = 0;
    if (!put_end(&w))
        return 0;
    memcpy(in->bytes, written, in->size = w.size);
    return 1;
}
