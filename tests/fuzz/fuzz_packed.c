/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive of pictures: read to its end or refused in one line;
 * what the coder is given then comes to an end, whatever it is. What was read
 * is written and read again: the same, and so are the bytes that the coder
 * made, encoded and decoded. */
#include "config.h"

#include "fuzz.h"
#include "../../src/bytes/packed.h"
#include "../../src/bytes/range_coder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 64 };

static void require(int condition)
{
    if (!condition)
        abort();
}

static void encode(const uint8_t *bytes,
                   const uint32_t frequency[RANGE_VALUES])
{
    range_encoder e = {.bytes = NULL};
    range_decoder d;

    range_encode_begin(&e);
    for (size_t i = 0; i < LENGTH; i++) {
        range_part part = {0, frequency[bytes[i]]};
        for (size_t k = 0; k < bytes[i]; k++)
            part.before += frequency[k];
        range_encode(&e, part);
    }
    range_encode_end(&e);
    range_decode_begin(&d, e.bytes, e.count);
    for (size_t i = 0; i < LENGTH; i++)
        require(range_decode(&d, frequency) == bytes[i]);
    free(e.bytes);
}

static void decode(const packed_picture *p)
{
    float probabilities[RANGE_VALUES];
    uint32_t frequency[RANGE_VALUES];
    uint8_t bytes[LENGTH];
    range_decoder d;

    for (size_t i = 0; i < RANGE_VALUES; i++)
        probabilities[i] = i % 7 ? 1.0f / RANGE_VALUES : 0.0f;
    range_frequencies(probabilities, frequency);
    range_decode_begin(&d, p->bytes, p->count);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = range_decode(&d, frequency);
    packed_sum(p, bytes, LENGTH);
    encode(bytes, frequency);
}

/* Reads an archive, which must be whole, and writes it. */
static char *written(const uint8_t *data, size_t size, size_t *count)
{
    static packed_reader r;
    static packed_writer w;
    static packed_picture p;
    packed_header h;
    char why[PACKED_WHY], *bytes = NULL;
    uint32_t sums;
    int more;

    require(packed_read_begin(&r, data, size, &h, why) == 0);
    FILE *file = open_memstream(&bytes, count);
    require(file != NULL);
    packed_write_begin(&w, file, &h);
    while ((more = packed_read(&r, &p, &sums, why)) == 1)
        packed_write(&w, &p);
    require(more == 0);
    packed_write_end(&w);
    require(fclose(file) == 0);
    return bytes;
}

/* Numbers may be longer than they need to be, and the sums wrong that only
 * pixels tell; what is written of that is written again as it is. */
static void write_again(const uint8_t *data, size_t size)
{
    size_t count, again;
    char *once = written(data, size, &count);
    char *twice = written((const uint8_t *)once, count, &again);

    require(count == again && memcmp(once, twice, count) == 0);
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static packed_reader r;
    static packed_picture p;
    packed_header h;
    char why[PACKED_WHY] = "";
    uint32_t sums;
    int more;

    if (packed_read_begin(&r, data, size, &h, why) != 0) {
        if (why[0] == '\0')
            abort();
        return 0;
    }
    while ((more = packed_read(&r, &p, &sums, why)) == 1) {
        if (p.bytes < data || p.bytes + p.count > data + size ||
            strlen(p.name) > PACKED_NAME)
            abort();
        packed_name_is_safe(p.name);
        decode(&p);
    }
    require(more == 0 || why[0] != '\0');
    if (more == 0)
        write_again(data, size);
    return 0;
}
