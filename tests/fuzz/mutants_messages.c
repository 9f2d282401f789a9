/* SPDX-License-Identifier: MIT */
/* Changes of messages as SentencePiece's models are: fields behind a number
 * and a length, which stay as long as they say.
 * [Protocol Buffers, Encoding] */
#include "mutants.h"

#include <string.h>

enum { MOST = 2048, LONGEST = 512 };

typedef struct field {
    size_t at, head, count; /* its bytes, `head` of them before its value */
    unsigned wire;
} field;

/* The number at *at, which is then behind it; 0 with *at = end if it is cut. */
static uint64_t read_number(const uint8_t *b, size_t *at, size_t end)
{
    uint64_t value = 0;

    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = b[(*at)++];

        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    *at = end;
    return 0;
}

static size_t write_number(uint8_t *b, uint64_t value)
{
    size_t count = 0;

    for (; value > 127; value >>= 7)
        b[count++] = (uint8_t)(value | 128);
    b[count++] = (uint8_t)value;
    return count;
}

/* The fields of a message; 0 if it is none. */
static size_t read_fields(const fuzz_input *in, size_t at, size_t end,
                          field *list)
{
    size_t count = 0;

    while (at < end && count < MOST) {
        field f = {at, 0, 0, 0};
        uint64_t tag = read_number(in->bytes, &at, end), length = 0;

        f.wire = (unsigned)(tag & 7);
        f.head = at - f.at;
        if (f.wire == 2) {
            length = read_number(in->bytes, &at, end);
            f.head = at - f.at;
        } else if (f.wire == 0) {
            read_number(in->bytes, &at, end);
        } else if (f.wire == 1 || f.wire == 5) {
            length = f.wire == 1 ? 8 : 4;
        }
        if (tag < 8 || f.wire == 3 || f.wire == 4 || f.wire > 5 ||
            length > end - at)
            return 0;
        at += (size_t)length;
        f.count = at - f.at;
        list[count++] = f;
    }
    return count;
}

/* The bytes of a message of `f` with `count` others in it. */
static void set_value(fuzz_input *in, field f, const uint8_t *value,
                      size_t count)
{
    uint8_t bytes[LONGEST + 24];
    size_t at = f.at, used;
    uint64_t tag = read_number(in->bytes, &at, f.at + f.count);

    used = write_number(bytes, tag);
    used += write_number(bytes + used, count);
    if (count)
        memcpy(bytes + used, value, count);
    fuzz_replace(in, f.at, f.count, bytes, used + count);
}

static void change_number(fuzz_input *in, field f, uint64_t *seed)
{
    static const uint64_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 127, 128, 255,
                                       INT32_MAX, UINT32_MAX, UINT64_MAX};
    uint64_t number =
        numbers[fuzz_below(seed, sizeof(numbers) / sizeof(*numbers))];
    uint8_t bytes[16];

    if (f.wire == 0)
        fuzz_replace(in, f.at + f.head, f.count - f.head, bytes,
                     write_number(bytes, number));
    else
        for (size_t i = f.head; i < f.count; i++)
            in->bytes[f.at + i] = (uint8_t)fuzz_draw(seed);
}

/* What is in it: fields of its own, or a text. */
static void change_inside(fuzz_input *in, field f, uint64_t *seed)
{
    static field list[MOST];
    uint8_t value[LONGEST];
    size_t count = f.count - f.head, fields;
    fuzz_input inside = {value, count, sizeof(value)};
    field g;

    if (count > LONGEST / 2 || count == 0)
        return;
    memcpy(value, in->bytes + f.at + f.head, count);
    fields = read_fields(&inside, 0, count, list);
    g = list[fuzz_below(seed, fields)];
    if (fields == 0 || fuzz_below(seed, 4) == 0)
        value[fuzz_below(seed, count)] = (uint8_t)fuzz_draw(seed);
    else if (fuzz_below(seed, 3) == 0)
        fuzz_replace(&inside, g.at, g.count, NULL, 0);
    else if (g.wire == 2)
        set_value(&inside, g, (const uint8_t *)"\xe2\x96\x81" "ab",
                  fuzz_below(seed, 6));
    else
        change_number(&inside, g, seed);
    set_value(in, f, value, inside.size);
}

/* From the line that names the model, if it is a folder of files. */
static size_t begin(const fuzz_input *in)
{
    static const char name[] = "@spiece.model\n";
    size_t length = sizeof(name) - 1;

    for (size_t at = 0; at + length < in->size; at++)
        if (in->bytes[at] == '@' && !memcmp(in->bytes + at, name, length))
            return at + length;
    return in->size;
}

int fuzz_mutate_messages(fuzz_input *in, uint64_t *seed)
{
    static field list[MOST];
    size_t count = read_fields(in, begin(in), in->size, list);
    uint8_t copy[LONGEST];
    field f;

    if (count == 0)
        return 0;
    f = list[fuzz_below(seed, count)];
    switch (fuzz_below(seed, 5)) {
    case 0:
        fuzz_replace(in, f.at, f.count, NULL, 0);
        break;
    case 1:
        if (f.count <= LONGEST) {
            memcpy(copy, in->bytes + f.at, f.count);
            fuzz_replace(in, list[fuzz_below(seed, count)].at, 0, copy,
                         f.count);
        }
        break;
    default:
        if (f.wire == 2)
            change_inside(in, f, seed);
        else
            change_number(in, f, seed);
    }
    return 1;
}
