/* SPDX-License-Identifier: MIT */
/* Changes of a tar that leave it one: of a member's record or of what is in it,
 * with the size that it then has. Sums are for fuzz_repair. [POSIX, pax] */
#include "mutants.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 512, MOST = 64, INSIDE = 1 << 16 };

typedef struct member {
    size_t at, size, room; /* its record; its bytes, and those with padding */
} member;

static size_t read_octal(const uint8_t *b, size_t count)
{
    size_t value = 0;

    for (; count-- > 0 && *b >= '0' && *b <= '7'; b++)
        value = value * 8 + (size_t)(*b - '0');
    return value;
}

static size_t read_members(const fuzz_input *in, member *list)
{
    size_t count = 0, at = 0;

    while (in->size - at >= BLOCK && count < MOST &&
           !memcmp(in->bytes + at + 257, "ustar", 5)) {
        size_t size = read_octal(in->bytes + at + 124, 11);
        size_t room = (size + BLOCK - 1) / BLOCK * BLOCK;

        if (room > in->size - at - BLOCK)
            break;
        list[count++] = (member){at, size, room};
        at += BLOCK + room;
    }
    return count;
}

static void change_record(fuzz_input *in, size_t at, uint64_t *seed)
{
    static const char *const names[] = {
        "0.jpg", "0.cls", "0.json", "a/0.txt", "./b", "/c.png", "../d.png", "",
        "long/", "\xff.jpg", "classes.txt"
    };
    static const char kinds[] = "0125LKxgSV\0";
    uint8_t *b = in->bytes + at;

    switch (fuzz_below(seed, 4)) {
    case 0:
        memset(b, 0, 100);
        strcpy((char *)b, names[fuzz_below(seed, sizeof(names) /
                                                     sizeof(*names))]);
        break;
    case 1:
        b[156] = (uint8_t)kinds[fuzz_below(seed, sizeof(kinds) - 1)];
        break;
    case 2:
        b[124 + fuzz_below(seed, 12)] = (uint8_t)('0' + fuzz_below(seed, 9));
        break;
    default:
        b[fuzz_below(seed, BLOCK)] = (uint8_t)fuzz_draw(seed);
    }
}

static void change_inside(fuzz_input *in, member m, const fuzz_input *other,
                          uint64_t *seed)
{
    static uint8_t bytes[INSIDE];
    static int within;                  /* a tar in a tar is bytes */
    fuzz_input inside = {bytes, m.size, sizeof(bytes) - BLOCK};
    char octal[12];
    size_t room;

    if (within || m.size == 0 || m.size > INSIDE / 2)
        return;
    within = 1;
    memcpy(bytes, in->bytes + m.at + BLOCK, m.size);
    fuzz_mutate(&inside, other, seed);
    within = 0;
    room = (inside.size + BLOCK - 1) / BLOCK * BLOCK;
    if (in->size - m.room + room > in->space)
        return;
    memset(bytes + inside.size, 0, room - inside.size);
    fuzz_replace(in, m.at + BLOCK, m.room, bytes, room);
    snprintf(octal, sizeof(octal), "%011zo", inside.size);
    memcpy(in->bytes + m.at + 124, octal, 11);
}

int fuzz_mutate_tar(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    static uint8_t copy[INSIDE];
    member list[MOST], m;
    size_t count = read_members(in, list), length;

    if (count == 0)
        return 0;
    m = list[fuzz_below(seed, count)];
    length = BLOCK + m.room;
    switch (fuzz_below(seed, 5)) {
    case 0:
        fuzz_replace(in, m.at, length, NULL, 0);
        break;
    case 1:
        if (length > INSIDE)
            break;
        memcpy(copy, in->bytes + m.at, length);
        fuzz_replace(in, list[fuzz_below(seed, count)].at, 0, copy, length);
        break;
    case 2:
        change_inside(in, m, other, seed);
        break;
    default:
        change_record(in, m.at, seed);
    }
    return 1;
}
