/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a checkpoint: opened and read whole, or refused in one line.
 * An input that starts with 'H' is a header, up to the first NUL, and its
 * data: the length before it is put in here, so that a change of the header
 * does not always end at a length that no longer fits.
 */
#include "config.h"

#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end;
    uint8_t *bytes;
    size_t header, rest, i;

    if (size == 0 || data[0] != 'H') {
        fuzz_checkpoint(data, size);
        return 0;
    }
    end = memchr(data, 0, size);
    header = (end ? (size_t)(end - data) : size) - 1;
    rest = end ? size - header - 2 : 0;
    bytes = malloc(8 + header + rest);
    if (!bytes)
        return 0;
    for (i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)header >> 8 * i);
    memcpy(bytes + 8, data + 1, header);
    if (rest)
        memcpy(bytes + 8 + header, end + 1, rest);
    fuzz_checkpoint(bytes, 8 + header + rest);
    free(bytes);
    return 0;
}
