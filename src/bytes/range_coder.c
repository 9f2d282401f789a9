/* SPDX-License-Identifier: MIT */
/* Bytes by their probabilities. Ends of ranges are numbers modulo 2^64. */
#include "config.h"

#include "range_coder.h"

#include "../base/memory.h"

static const uint64_t top = UINT64_C(1) << 56, bottom = UINT64_C(1) << 48;

/* ---- frequencies --------------------------------------------------------- */

void range_frequencies(const float *p, uint32_t frequency[RANGE_VALUES])
{
    const float shared = (float)((1 << RANGE_BITS) - RANGE_VALUES);
    int32_t left = 1 << RANGE_BITS, largest = 0;
    size_t most = 0;

    /* 256 numbers of up to 2^20 are far from 2^31; signed, and the place of the
     * largest apart, compilers take several at once. */
    for (size_t i = 0; i < RANGE_VALUES; i++) {
        /* Neither a NaN nor what is above 1 is a probability. */
        float share = p[i] > 0.0f ? p[i] < 1.0f ? p[i] : 1.0f : 0.0f;
        int32_t own = 1 + (int32_t)(share * shared);

        frequency[i] = (uint32_t)own;
        left -= own;
        largest = own > largest ? own : largest;
    }
    while (frequency[most] != (uint32_t)largest)
        most++;
    /* The likeliest byte has at least a 256th: what rounding leaves over, or
     * has too much, is little of that. */
    if (largest + left > 0) {
        frequency[most] = (uint32_t)(largest + left);
        return;
    }
    for (size_t i = 0; i < RANGE_VALUES; i++)
        frequency[i] = (1 << RANGE_BITS) / RANGE_VALUES;
}

/* Whether the first byte is settled; where the range has become too narrow to
 * settle it, the range is cut off at the next value of it. */
TM_WRAPS static int settled(uint64_t low, uint64_t *range)
{
    if ((low ^ (low + *range)) < top)
        return 1;
    if (*range >= bottom)
        return 0;
    *range = -low & (bottom - 1);
    return 1;
}

/* ---- in ------------------------------------------------------------------ */

static void put(range_encoder *e, uint8_t byte)
{
    if (e->count == e->capacity)
        e->bytes = memory_grow(e->bytes, e->count, &e->capacity, 1);
    e->bytes[e->count++] = byte;
}

void range_encode_begin(range_encoder *e)
{
    *e = (range_encoder){.range = UINT64_MAX};
}

TM_WRAPS
void range_encode(range_encoder *e, range_part part)
{
    uint64_t unit = e->range >> RANGE_BITS;

    e->low += part.before * unit;
    e->range = part.own * unit;
    while (settled(e->low, &e->range)) {
        put(e, (uint8_t)(e->low >> 56));
        e->low <<= 8;
        e->range <<= 8;
    }
}

TM_WRAPS
void range_encode_end(range_encoder *e)
{
    uint64_t value = e->low;

    /* Of all in the range the one with most zero bytes at its end. */
    for (int bits = 56; bits > 0; bits -= 8) {
        uint64_t mask = (UINT64_C(1) << bits) - 1;
        uint64_t round = (e->low + mask) & ~mask;

        if (round >= e->low && round - e->low < e->range) {
            value = round;
            break;
        }
    }
    for (int i = 0; i < 8; i++, value <<= 8)
        put(e, (uint8_t)(value >> 56));
    while (e->count > 0 && e->bytes[e->count - 1] == 0)
        e->count--;
}

/* ---- out ----------------------------------------------------------------- */

static uint64_t next(range_decoder *d)
{
    return d->bytes < d->end ? *d->bytes++ : 0;
}

TM_WRAPS
void range_decode_begin(range_decoder *d, const uint8_t *bytes, size_t count)
{
    *d = (range_decoder){.range = UINT64_MAX, .bytes = bytes,
                         .end = bytes + count};
    for (int i = 0; i < 8; i++)
        d->code = d->code << 8 | next(d);
}

TM_WRAPS
uint8_t range_decode(range_decoder *d, const uint32_t frequency[RANGE_VALUES])
{
    uint64_t unit = d->range >> RANGE_BITS, at = (d->code - d->low) / unit;
    uint64_t before = 0;
    size_t i = 0;

    /* What was damaged may lie beyond the last. */
    while (i < RANGE_VALUES - 1 && before + frequency[i] <= at)
        before += frequency[i++];
    d->low += before * unit;
    d->range = frequency[i] * unit;
    while (settled(d->low, &d->range)) {
        d->code = d->code << 8 | next(d);
        d->low <<= 8;
        d->range <<= 8;
    }
    return (uint8_t)i;
}
