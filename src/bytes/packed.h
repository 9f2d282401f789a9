/* SPDX-License-Identifier: MIT */
/*
 * The file that compress writes and expand reads. Numbers are little-endian, or
 * of 7 bits a byte, the lowest first, the last byte below 128.
 *
 *   89 'T' 'M' 'B' 0d 0a 1a 0a
 *   length of the header, 4 bytes; the header, JSON; its CRC-32, 4 bytes
 *   of every picture, in order:
 *     1 + bytes that its name shares with the name before (7 bits a byte)
 *     length of the rest of its name, the rest
 *     length of what the coder gave, that
 *     CRC-32 of its name, of what the coder gave, and of its bytes in the
 *     model's order; 4 bytes
 *   0; number of pictures (7 bits a byte); CRC-32 of all pictures' CRC-32s
 */
#ifndef TOMERGE_PACKED_H
#define TOMERGE_PACKED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PACKED_WHY = 200, PACKED_NAME = 4096 };

/* What made the file, and has to read it. */
typedef struct packed_header {
    uint64_t digest;       /* of the model's file */
    uint64_t arithmetic;   /* of probabilities that it gives; see
                            * byte_model_arithmetic */
    char model[64];        /* its name, for messages */
    char tier[32], dtype[8];
    size_t width, height;
    size_t window, group;  /* of merging, or 0 */
} packed_header;

typedef struct packed_picture {
    char name[PACKED_NAME + 1];
    const uint8_t *bytes;  /* of the coder */
    size_t count;
    uint32_t sum;          /* as the file has it */
} packed_picture;

/* As the sum of a picture is made; `pixels` [length] in the model's order. */
uint32_t packed_sum(const packed_picture *p, const uint8_t *pixels,
                    size_t length);

/* ---- writing ------------------------------------------------------------- */

typedef struct packed_writer {
    FILE *file;
    char last[PACKED_NAME + 1];
    size_t pictures;
    uint32_t sums;
} packed_writer;

/* Whoever closes the file learns of errors. */
void packed_write_begin(packed_writer *w, FILE *file, const packed_header *h);
void packed_write(packed_writer *w, const packed_picture *p);
void packed_write_end(packed_writer *w);

/* ---- reading ------------------------------------------------------------- */

typedef struct packed_reader {
    const uint8_t *bytes, *at, *end;
    char last[PACKED_NAME + 1];
    size_t pictures;       /* so far */
} packed_reader;

/* bytes [count] must outlive the reader. 0, or -1 with a line in
 * why[PACKED_WHY]. */
int packed_read_begin(packed_reader *r, const uint8_t *bytes, size_t count,
                      packed_header *h, char *why);

/* The next picture: 1; 0 at the end, of which *sums is what all sums must be;
 * -1 with a line in why[PACKED_WHY]. Names are as they come. */
int packed_read(packed_reader *r, packed_picture *p, uint32_t *sums,
                char *why);

/* The sum of pictures' sums, one after another. */
uint32_t packed_add_sum(uint32_t sums, uint32_t sum);

/* 1 if a name leads to a file below the folder it is meant for. */
int packed_name_is_safe(const char *name);

#endif
