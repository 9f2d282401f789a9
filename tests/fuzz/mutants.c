/* SPDX-License-Identifier: MIT */
/* Random changes, and what makes files with sums in them whole again: a reader
 * that checks sums first would see nothing but wrong ones. */
#include "config.h"

#include "mutants.h"

#include <string.h>
#include <zlib.h>

enum { MOST_INFLATED = 1 << 22 };

/* splitmix64 */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t below(uint64_t *seed, size_t limit)
{
    return limit ? (size_t)(draw(seed) % limit) : 0;
}

/* ---- changes ------------------------------------------------------------- */

/* Puts `count` bytes in at `at`, moving what follows; or as many as fit. */
static void insert(fuzz_input *in, size_t at, const uint8_t *bytes,
                   size_t count)
{
    if (count > in->space - in->size)
        count = in->space - in->size;
    memmove(in->bytes + at + count, in->bytes + at, in->size - at);
    memcpy(in->bytes + at, bytes, count);
    in->size += count;
}

static void take_out(fuzz_input *in, size_t at, size_t count)
{
    if (count > in->size - at)
        count = in->size - at;
    memmove(in->bytes + at, in->bytes + at + count, in->size - at - count);
    in->size -= count;
}

/* A number of 1, 2, 4 or 8 bytes, of either order, that limits are made of. */
static void put_number(fuzz_input *in, size_t at, uint64_t *seed)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 7, 8, 16, 255, 256, 32767, 32768, 65535, 65536, 0x7fffffff,
        0x80000000, UINT32_MAX, (uint64_t)1 << 32, INT64_MAX, UINT64_MAX - 7,
        UINT64_MAX
    };
    uint64_t number = numbers[below(seed, sizeof(numbers) / sizeof(*numbers))];
    size_t bytes = (size_t)1 << below(seed, 4), big = below(seed, 2);

    for (size_t i = 0; i < bytes && at + i < in->size; i++)
        in->bytes[at + i] = (uint8_t)(number >> 8 * (big ? bytes - 1 - i : i));
}

/* A digit of a text, or another character of one, for another. */
static void change_text(fuzz_input *in, size_t at, uint64_t *seed)
{
    static const char characters[] = "0123456789-+.eE\"[]{}:,\\un ";

    for (size_t i = 0; i < 64 && at + i < in->size; i++)
        if (in->bytes[at + i] >= '0' && in->bytes[at + i] <= '9') {
            at += i;
            break;
        }
    in->bytes[at] = (uint8_t)characters[below(seed, sizeof(characters) - 1)];
}

void fuzz_mutate(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    for (size_t n = 1 + below(seed, 4); n-- > 0 && in->size;) {
        /* Headers are where most is decided. */
        size_t at = below(seed, below(seed, 2) || in->size < 256 ? in->size
                                                                 : 256);
        size_t count = 1 + below(seed, 32), from = below(seed, other->size);

        switch (below(seed, 8)) {
        case 0:
            in->bytes[at] ^= (uint8_t)(1u << below(seed, 8));
            break;
        case 1:
            in->bytes[at] = (uint8_t)draw(seed);
            break;
        case 2:
            put_number(in, at, seed);
            break;
        case 3:
            change_text(in, at, seed);
            break;
        case 4:
            take_out(in, at, count);
            break;
        case 5:
            in->size = at;
            break;
        case 6: {
            uint8_t again[32];

            count = count < in->size - at ? count : in->size - at;
            memcpy(again, in->bytes + at, count);
            insert(in, at, again, count);
            break;
        }
        default:
            count *= 8;
            count = count < other->size - from ? count : other->size - from;
            insert(in, at, other->bytes + from, count);
        }
    }
}

/* ---- repairs ------------------------------------------------------------- */

static uint32_t little(const uint8_t *b, size_t bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | b[bytes];
    return value;
}

static void put_little(uint8_t *b, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(value >> 8 * i);
}

static void repair_png(fuzz_input *in)
{
    for (size_t at = 8; in->size - at >= 12;) {
        uint8_t *b = in->bytes + at;
        size_t length = (size_t)b[0] << 24 | (size_t)b[1] << 16 |
                        (size_t)b[2] << 8 | b[3];

        if (length > in->size - at - 12)
            return;
        uint32_t sum = (uint32_t)crc32(0, b + 4, (uInt)(length + 4));
        for (size_t i = 0; i < 4; i++)
            b[8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

/* The sum of a member's data, inflated; 0 if that cannot be. */
static int sum_of(const uint8_t *data, size_t size, uint32_t method,
                  uint32_t *sum)
{
    static uint8_t out[MOST_INFLATED];
    z_stream z = {0};
    int code;

    *sum = (uint32_t)crc32(0, data, (uInt)size);
    if (method == 0)
        return 1;
    if (method != 8 || inflateInit2(&z, -15) != Z_OK)
        return 0;
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = sizeof(out);
    code = inflate(&z, Z_FINISH);
    *sum = (uint32_t)crc32(0, out, (uInt)z.total_out);
    inflateEnd(&z);
    return code == Z_STREAM_END;
}

/* Sums of the members that the directory in `in` lists and that lie in it. */
static void repair_zip(fuzz_input *in)
{
    uint8_t *b = in->bytes;

    for (size_t at = 0; at + 46 <= in->size; at++) {
        size_t size, from;
        uint32_t sum;

        if (memcmp(b + at, "PK\1\2", 4))
            continue;
        size = little(b + at + 20, 4);
        from = little(b + at + 42, 4);
        if (from > in->size || in->size - from < 30 ||
            memcmp(b + from, "PK\3\4", 4))
            continue;
        size_t data = from + 30 + little(b + from + 26, 2) +
                      little(b + from + 28, 2);
        if (data > in->size || size > in->size - data ||
            !sum_of(b + data, size, little(b + at + 10, 2), &sum))
            continue;
        put_little(b + at + 16, sum, 4);
        put_little(b + from + 14, sum, 4);
    }
}

/* The header is as long as its braces say. */
static void repair_safetensors(fuzz_input *in)
{
    size_t depth = 0, at = 8;

    for (; at < in->size; at++) {
        depth += in->bytes[at] == '{';
        if (in->bytes[at] == '}' && --depth == 0)
            break;
    }
    while (at + 1 < in->size && in->bytes[at + 1] == ' ')
        at++;
    if (at < in->size)
        put_little(in->bytes, at + 1 - 8, 8);
}

void fuzz_repair(fuzz_input *in)
{
    if (in->size < 16)
        return;
    if (!memcmp(in->bytes, "\x89PNG", 4))
        repair_png(in);
    else if (!memcmp(in->bytes, "PK", 2))
        repair_zip(in);
    else if (in->bytes[8] == '{')
        repair_safetensors(in);
}
