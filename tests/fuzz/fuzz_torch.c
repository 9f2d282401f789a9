/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a file of PyTorch. An input that starts with 'P', but is no zip,
 * is what follows the first three pickles of a stream, which are put before it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_tensors.h"

static const uint8_t start[] =
    "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    "\x80\2M\xe9\3."
    "\x80\2}X\x0d\0\0\0little_endian\x88s.";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t before = sizeof(start) - 1;
    uint8_t *bytes;

    if (size == 0 || data[0] != 'P' || (size > 1 && data[1] == 'K')) {
        fuzz_tensors(data, size);
        return 0;
    }
    bytes = malloc(before + size - 1);
    if (!bytes)
        return 0;
    memcpy(bytes, start, before);
    memcpy(bytes + before, data + 1, size - 1);
    fuzz_tensors(bytes, before + size - 1);
    free(bytes);
    return 0;
}
