/* SPDX-License-Identifier: MIT */
/* Random changes of bytes, and which others there are. */
#include "config.h"

#include "mutants.h"

#include <string.h>

/* splitmix64 */
TM_WRAPS uint64_t fuzz_draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

size_t fuzz_below(uint64_t *seed, size_t limit)
{
    return limit ? (size_t)(fuzz_draw(seed) % limit) : 0;
}

uint64_t fuzz_little(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

void fuzz_put_little(uint8_t *bytes, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

void fuzz_replace(fuzz_input *in, size_t at, size_t gone, const void *bytes,
                  size_t count)
{
    if (at > in->size || gone > in->size - at ||
        in->size - gone + count > in->space)
        return;
    memmove(in->bytes + at + count, in->bytes + at + gone,
            in->size - at - gone);
    if (count)
        memcpy(in->bytes + at, bytes, count);
    in->size += count - gone;
}

/* ---- bytes --------------------------------------------------------------- */

/* A number of 1, 2, 4 or 8 bytes, of either order, that limits are made of. */
static void put_number(fuzz_input *in, size_t at, uint64_t *seed)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 7, 8, 16, 255, 256, 32767, 32768, 65535, 65536, 0x7fffffff,
        0x80000000, UINT32_MAX, (uint64_t)1 << 32, INT64_MAX, UINT64_MAX - 7,
        UINT64_MAX
    };
    uint64_t number =
        numbers[fuzz_below(seed, sizeof(numbers) / sizeof(*numbers))];
    size_t bytes = (size_t)1 << fuzz_below(seed, 4), big = fuzz_below(seed, 2);

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
    in->bytes[at] =
        (uint8_t)characters[fuzz_below(seed, sizeof(characters) - 1)];
}

enum { RUN = 256 };

/* Bytes of an input, which may be the same one. */
static void copy(fuzz_input *in, size_t at, const fuzz_input *from,
                 size_t first, size_t count)
{
    uint8_t bytes[RUN];

    count = count < from->size - first ? count : from->size - first;
    if (count == 0)
        return;
    memcpy(bytes, from->bytes + first, count);
    fuzz_replace(in, at, 0, bytes, count);
}

static void change_bytes(fuzz_input *in, const fuzz_input *other,
                         uint64_t *seed)
{
    /* Headers are where most is decided. */
    size_t at = fuzz_below(seed, fuzz_below(seed, 2) || in->size < 256
                                     ? in->size : 256);
    size_t count = 1 + fuzz_below(seed, RUN / 8);
    size_t from = fuzz_below(seed, other->size);

    switch (fuzz_below(seed, 8)) {
    case 0:
        in->bytes[at] ^= (uint8_t)(1u << fuzz_below(seed, 8));
        break;
    case 1:
        in->bytes[at] = (uint8_t)fuzz_draw(seed);
        break;
    case 2:
        put_number(in, at, seed);
        break;
    case 3:
        change_text(in, at, seed);
        break;
    case 4:
        count = count < in->size - at ? count : in->size - at;
        fuzz_replace(in, at, count, NULL, 0);
        break;
    case 5:
        in->size = at;
        break;
    case 6:
        copy(in, at, in, at, count);
        break;
    default:
        copy(in, at, other, from, 8 * count);
    }
}

/* ---- either -------------------------------------------------------------- */

/* Of what is several kinds at once, such as a folder with JSON and messages,
 * any may be changed. */
static int change_meaning(fuzz_input *in, const fuzz_input *other,
                          uint64_t *seed)
{
    return fuzz_mutate_zip(in, other, seed) ||
           fuzz_mutate_tar(in, other, seed) ||
           fuzz_mutate_pickle(in, other, seed) ||
           (fuzz_below(seed, 2) && fuzz_mutate_messages(in, seed)) ||
           fuzz_mutate_json(in, other, seed);
}

void fuzz_mutate(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    for (size_t n = 1 + fuzz_below(seed, 4); n-- > 0 && in->size;)
        if (fuzz_below(seed, 2) || !change_meaning(in, other, seed))
            change_bytes(in, other, seed);
}
