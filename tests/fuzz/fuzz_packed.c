/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive of pictures: read to its end or refused in one line;
 * what the coder is given then comes to an end, whatever it is. */
#include "config.h"

#include "fuzz.h"
#include "../../src/bytes/packed.h"
#include "../../src/bytes/range_coder.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH = 64 };

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
    if (more < 0 && why[0] == '\0')
        abort();
    return 0;
}
