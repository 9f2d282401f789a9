/* SPDX-License-Identifier: MIT */
/* Changes of JSON that leave it JSON, mostly: a value for another, of the same
 * text, of another's, or one that readers may not expect. */
#include "mutants.h"

#include <string.h>

enum { LONGEST = 1 << 11 };

typedef struct span {
    size_t at, count;
} span;

/* Where the string that begins at `at` ends. */
static size_t string_end(const fuzz_input *in, size_t at)
{
    for (at++; at < in->size && in->bytes[at] != '"'; at++)
        at += in->bytes[at] == '\\';
    return at < in->size ? at + 1 : in->size;
}

/* Where the list or object does, or what is too long to be moved. */
static size_t nest_end(const fuzz_input *in, size_t at)
{
    size_t depth = 0, most = at + LONGEST;

    while (at < in->size && at < most) {
        uint8_t c = in->bytes[at];

        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at = c == '"' ? string_end(in, at) : at + 1;
        if (depth == 0)
            break;
    }
    return at < in->size ? at : in->size;
}

static int is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '+' || c == '.' || c == 'E';
}

/* A value or a member's name behind some place; of none the count is 0. */
static span find_value(const fuzz_input *in, uint64_t *seed)
{
    size_t at = fuzz_below(seed, in->size), end;

    while (at < in->size && !strchr("\"{[,:", in->bytes[at]))
        at++;
    while (at < in->size && strchr(",: \n", in->bytes[at]))
        at++;
    if (at >= in->size)
        return (span){0, 0};
    end = at;
    if (in->bytes[at] == '"')
        end = string_end(in, at);
    else if (in->bytes[at] == '{' || in->bytes[at] == '[')
        end = nest_end(in, at);
    else
        while (end < in->size && is_plain(in->bytes[end]))
            end++;
    return (span){at, end - at};
}

static const char *const values[] = {
    "null", "true", "false", "0", "1", "-1", "2", "3", "4", "16", "1e308",
    "-1e308", "1e-300", "0.5", "-0.0", "255", "256", "65536", "2147483647",
    "2147483648", "4294967296", "9223372036854775807",
    "-9223372036854775808", "18446744073709551616", "1e999", "\"\"", "\"0\"",
    "\"a\"", "\"\\u0000\"", "\"\\ud800\"", "\"\xe2\x96\x81\"", "\"\xff\"",
    "\"../x\"", "[]", "{}", "[[]]", "[null]", "[0]", "[1,1]", "[0,0]",
    "{\"\":0}", "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"
};

/* One more behind it, or it alone in a list or an object. */
static void wrap(fuzz_input *in, span v, const char *before,
                 const char *after)
{
    fuzz_replace(in, v.at + v.count, 0, after, strlen(after));
    fuzz_replace(in, v.at, 0, before, strlen(before));
}

/* With a comma, so that what is left is a list or an object. */
static void leave_out(fuzz_input *in, span v)
{
    size_t end = v.at + v.count;

    if (end < in->size && in->bytes[end] == ',')
        v.count++;
    else if (v.at && in->bytes[v.at - 1] == ',')
        v = (span){v.at - 1, v.count + 1};
    fuzz_replace(in, v.at, v.count, NULL, 0);
}

static void copy(fuzz_input *in, span to, size_t gone, const fuzz_input *from,
                 span v)
{
    uint8_t bytes[LONGEST];

    /* What did not fit in has not moved what is to be copied. */
    if (v.count > LONGEST || v.at > from->size ||
        v.count > from->size - v.at)
        return;
    memcpy(bytes, from->bytes + v.at, v.count);
    fuzz_replace(in, to.at, gone, bytes, v.count);
}

int fuzz_mutate_json(fuzz_input *in, const fuzz_input *other, uint64_t *seed)
{
    const char *value =
        values[fuzz_below(seed, sizeof(values) / sizeof(*values))];
    span v = {0, 0};

    if (!memchr(in->bytes, '"', in->size) && in->size &&
        in->bytes[0] != '[')
        return 0;
    for (int i = 0; i < 8 && v.count == 0; i++)
        v = find_value(in, seed);
    if (v.count == 0)
        return 0;
    switch (fuzz_below(seed, 8)) {
    case 0:
        leave_out(in, v);
        break;
    case 1: /* twice */
        fuzz_replace(in, v.at, 0, ",", 1);
        copy(in, v, 0, in, (span){v.at + 1, v.count});
        break;
    case 2:
        wrap(in, v, "[", "]");
        break;
    case 3:
        wrap(in, v, "{\"a\":", "}");
        break;
    case 4:
        copy(in, v, v.count, in, find_value(in, seed));
        break;
    case 5:
        copy(in, v, v.count, other, find_value(other, seed));
        break;
    default:
        fuzz_replace(in, v.at, v.count, value, strlen(value));
    }
    return 1;
}
