/* SPDX-License-Identifier: MIT */
/*
 * Bytes by their probabilities: a range coder of 64 bits without carries
 * [Martin, 1979; Subbotin, 1999], in whole numbers from the probabilities on.
 */
#ifndef TOMERGE_RANGE_CODER_H
#define TOMERGE_RANGE_CODER_H

#include <stddef.h>
#include <stdint.h>

enum { RANGE_VALUES = 256, RANGE_BITS = 20 };

/* Frequencies that sum to 2^RANGE_BITS, none of them 0: the same from the same
 * bits of p[256], whatever they are. */
void range_frequencies(const float *p, uint32_t frequency[RANGE_VALUES]);

/* The part of a byte: those of smaller ones, and its own. */
typedef struct range_part {
    uint32_t before, own;
} range_part;

typedef struct range_encoder {
    uint64_t low, range;
    uint8_t *bytes;        /* owned; NULL at first */
    size_t count, capacity;
} range_encoder;

void range_encode_begin(range_encoder *e);
void range_encode(range_encoder *e, range_part part);
/* As few bytes as tell it from all others, no zeros at the end. */
void range_encode_end(range_encoder *e);

/* Beyond its bytes there are zeros. */
typedef struct range_decoder {
    uint64_t low, range, code;
    const uint8_t *bytes, *end;
} range_decoder;

void range_decode_begin(range_decoder *d, const uint8_t *bytes, size_t count);
uint8_t range_decode(range_decoder *d,
                     const uint32_t frequency[RANGE_VALUES]);

#endif
