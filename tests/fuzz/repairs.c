/* SPDX-License-Identifier: MIT */
/* What makes files with sums in them whole again: a reader that checks sums
 * first would see nothing but wrong ones. */
#include "config.h"

#include "mutants.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { MOST_INFLATED = 1 << 22, BLOCK = 512 };

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
static int sum_of(const uint8_t *data, size_t size, uint64_t method,
                  uint32_t *sum)
{
    static uint8_t out[MOST_INFLATED];

    if (method == 8) {
        size = fuzz_inflate(data, size, out, sizeof(out));
        data = out;
    }
    if ((method != 0 && method != 8) || size == SIZE_MAX)
        return 0;
    *sum = (uint32_t)crc32(0, data, (uInt)size);
    return 1;
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
        size = (size_t)fuzz_little(b + at + 20, 4);
        from = (size_t)fuzz_little(b + at + 42, 4);
        if (from > in->size || in->size - from < 30 ||
            memcmp(b + from, "PK\3\4", 4))
            continue;
        size_t data = from + 30 + (size_t)fuzz_little(b + from + 26, 2) +
                      (size_t)fuzz_little(b + from + 28, 2);
        if (data > in->size || size > in->size - data ||
            !sum_of(b + data, size, fuzz_little(b + at + 10, 2), &sum))
            continue;
        fuzz_put_little(b + at + 16, sum, 4);
        fuzz_put_little(b + from + 14, sum, 4);
    }
}

/* The sums of records, wherever they are. */
static void repair_tar(fuzz_input *in)
{
    for (size_t at = 0; in->size - at >= BLOCK; at += BLOCK) {
        uint8_t *b = in->bytes + at;
        unsigned sum = 8 * ' ';

        if (memcmp(b + 257, "ustar", 5))
            continue;
        for (size_t i = 0; i < BLOCK; i++)
            sum += i >= 148 && i < 156 ? 0u : b[i];
        snprintf((char *)b + 148, 8, "%06o", sum);
        b[155] = ' ';
    }
}

/* ---- safetensors --------------------------------------------------------- */

/* Where a text begins in the object that goes on from `at`, SIZE_MAX if it
 * ends before. */
static size_t find_in_object(const fuzz_input *in, size_t at, const char *text)
{
    size_t length = strlen(text);

    for (; at + length <= in->size && in->bytes[at] != '}'; at++)
        if (!memcmp(in->bytes + at, text, length))
            return at;
    return SIZE_MAX;
}

/* The number of elements that a list of sizes from `at` on is of. */
static uint64_t elements(const fuzz_input *in, size_t at)
{
    uint64_t count = 1, one = 0;
    int digits = 0;

    for (; at < in->size && in->bytes[at] != ']'; at++)
        if (in->bytes[at] >= '0' && in->bytes[at] <= '9') {
            one = one * 10 + (uint64_t)(in->bytes[at] - '0');
            digits = 1;
        } else if (digits) {
            count *= one;
            one = 0;
            digits = 0;
        }
    return digits ? count * one : count;
}

/* Offsets as types and shapes have them, one tensor after another, of a header
 * that is written as the format's own library does. */
static void repair_offsets(fuzz_input *in)
{
    static const char dtype[] = "{\"dtype\":\"", shape[] = "\"shape\":[",
                      offsets[] = "\"data_offsets\":[";
    uint64_t used = 0;

    for (size_t at = 0; at + sizeof(dtype) < in->size; at++) {
        char text[48];
        uint64_t bytes;
        size_t sizes, from, end;

        if (memcmp(in->bytes + at, dtype, sizeof(dtype) - 1))
            continue;
        at += sizeof(dtype) - 1;
        sizes = find_in_object(in, at, shape);
        from = find_in_object(in, at, offsets);
        end = from == SIZE_MAX ? SIZE_MAX : find_in_object(in, from, "]");
        if (sizes == SIZE_MAX || end == SIZE_MAX)
            continue;
        bytes = in->bytes[at] == 'F' && in->bytes[at + 1] == '3' ? 4
              : in->bytes[at] == 'F' || in->bytes[at] == 'B' ? 2
              : in->bytes[at + 1] == '6' ? 8 : 1;
        bytes *= elements(in, sizes + sizeof(shape) - 1);
        from += sizeof(offsets) - 1;
        snprintf(text, sizeof(text), "%llu,%llu", (unsigned long long)used,
                 (unsigned long long)(used + bytes));
        fuzz_replace(in, from, end - from, text, strlen(text));
        used += bytes;
    }
}

/* The header is as long as its braces say. */
static void repair_length(fuzz_input *in)
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
        fuzz_put_little(in->bytes, at + 1 - 8, 8);
}

void fuzz_repair(fuzz_input *in)
{
    if (in->size < 16)
        return;
    if (!memcmp(in->bytes, "\x89PNG", 4)) {
        repair_png(in);
    } else if (!memcmp(in->bytes, "PK", 2)) {
        repair_zip(in);
    } else if (in->size >= BLOCK && !memcmp(in->bytes + 257, "ustar", 5)) {
        repair_tar(in);
    } else if (in->bytes[8] == '{') {
        repair_offsets(in);
        repair_length(in);
    } else if (in->bytes[0] == 'H' || in->bytes[0] == '@') {
        repair_offsets(in);
    }
}
