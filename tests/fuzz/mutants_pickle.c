/* SPDX-License-Identifier: MIT */
/* Changes of a pickle that leave it one: what it does is taken out, done twice,
 * elsewhere, or with another argument. [Python, Lib/pickletools.py] */
#include "mutants.h"

#include <string.h>

enum { MOST = 4096, LONGEST = 512 };

typedef struct operation {
    size_t at, count;      /* its letter and what follows */
    size_t head;           /* bytes before its text or number */
    int text;              /* it is a text behind its length of head - 1 bytes,
                            * or a line */
} operation;

static size_t line_end(const uint8_t *b, size_t at, size_t size)
{
    const uint8_t *end = at < size ? memchr(b + at, '\n', size - at) : NULL;

    return end ? (size_t)(end - b) + 1 : 0;
}

/* Bytes of the number or the length behind a letter, 0 of those that have
 * none, -1 of letters that mean nothing. */
static int number_bytes(uint8_t letter)
{
    static const char none[] = "(.012NQR)]}abdelostu\x81\x85\x86\x87\x88\x89"
                               "\x8f\x90\x91\x92\x93\x94\x97\x98";
    static const struct {
        char letters[16];
        int bytes;
    } kinds[] = {
        {"KqhUC\x80\x82\x8c\x8a", 1}, {"M\x83", 2}, {"JrjXBT\x8b\x84", 4},
        {"G\x8d\x8e\x95\x96", 8}
    };

    for (size_t i = 0; letter && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strchr(kinds[i].letters, (char)letter))
            return kinds[i].bytes;
    return letter && strchr(none, (char)letter) ? 0 : -1;
}

/* The operation at `at`; of none the count is 0. */
static operation read_operation(const fuzz_input *in, size_t at)
{
    const uint8_t *b = in->bytes;
    operation o = {at, 0, 1, 0};
    uint8_t letter = b[at];
    int bytes = number_bytes(letter);

    if (letter && strchr("ci", letter)) {
        size_t end = line_end(b, at + 1, in->size);

        end = end ? line_end(b, end, in->size) : 0;
        o.text = 1;
        o.count = end ? end - at : 0;
    } else if (letter && strchr("ILFSVPpg", letter)) {
        size_t end = line_end(b, at + 1, in->size);

        o.text = 1;
        o.count = end ? end - at : 0;
    } else if (bytes >= 0 && in->size - at > (size_t)bytes) {
        o.head = 1 + (size_t)bytes;
        o.count = o.head;
        if (letter && strchr("UCXBT\x8a\x8b\x8c\x8d\x8e\x96", letter)) {
            uint64_t length = fuzz_little(b + at + 1, (size_t)bytes);

            o.text = 1;
            o.count = length <= in->size - at - o.head
                          ? o.head + (size_t)length : 0;
        }
    }
    return o;
}

/* Those of all pickles that follow one another from `at` on. */
static size_t read_all(const fuzz_input *in, size_t at, operation *list)
{
    size_t count = 0;

    while (at < in->size && count < MOST) {
        list[count] = read_operation(in, at);
        if (list[count].count == 0)
            break;
        at += list[count++].count;
    }
    return count;
}

/* Where pickles begin: some files of these tests leave their first out. */
static size_t begin(const fuzz_input *in)
{
    for (size_t at = 0; at < 2 && at + 1 < in->size; at++)
        if (in->bytes[at] == 0x80 && in->bytes[at + 1] <= 5)
            return at;
    return in->size;
}

static void change_argument(fuzz_input *in, operation o, uint64_t *seed)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 3, 4, 64, 127, 128, 255, 256, 65535, 65536, 0x7fffffff,
        0x80000000, UINT32_MAX, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX
    };
    uint64_t number =
        numbers[fuzz_below(seed, sizeof(numbers) / sizeof(*numbers))];
    size_t length = o.count - o.head;

    if (o.text && length) {
        size_t at = o.at + o.head + fuzz_below(seed, length);

        in->bytes[at] = fuzz_below(seed, 2) ? (uint8_t)number
                                            : in->bytes[at] ^ 1;
    } else if (o.head > 1) {
        if (fuzz_below(seed, 2))
            number = fuzz_little(in->bytes + o.at + 1, o.head - 1) +
                     fuzz_below(seed, 3) - 1;
        fuzz_put_little(in->bytes + o.at + 1, number, o.head - 1);
    }
}

/* A run of another's operations, or of its own, in the place of `gone`. */
static void copy(fuzz_input *in, operation to, size_t gone,
                 const fuzz_input *from, uint64_t *seed)
{
    static operation list[MOST];
    size_t count = read_all(from, begin(from), list), first, last;
    uint8_t bytes[LONGEST];

    if (count == 0)
        return;
    first = fuzz_below(seed, count);
    last = first + fuzz_below(seed, 6);
    last = last < count ? last : count - 1;
    size_t length = list[last].at + list[last].count - list[first].at;
    if (length > LONGEST)
        return;
    memcpy(bytes, from->bytes + list[first].at, length);
    fuzz_replace(in, to.at, gone, bytes, length);
}

int fuzz_mutate_pickle(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    static const uint8_t letters[] =
        "(.012NQR)]}abdelostu\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94";
    static operation list[MOST];
    size_t count = read_all(in, begin(in), list);
    operation o;

    if (count < 3)
        return 0;
    o = list[fuzz_below(seed, count)];
    switch (fuzz_below(seed, 7)) {
    case 0:
        fuzz_replace(in, o.at, o.count, NULL, 0);
        break;
    case 1:
        fuzz_replace(in, o.at, fuzz_below(seed, 2) ? o.count : 0,
                     letters + fuzz_below(seed, sizeof(letters) - 1), 1);
        break;
    case 2:
        copy(in, o, o.count, in, seed);
        break;
    case 3:
        copy(in, o, 0, in, seed);
        break;
    case 4:
        copy(in, o, fuzz_below(seed, 2) ? o.count : 0, other, seed);
        break;
    default:
        change_argument(in, o, seed);
    }
    return 1;
}
