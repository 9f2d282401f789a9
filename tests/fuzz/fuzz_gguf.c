/* SPDX-License-Identifier: MIT */
/* Any bytes as a .gguf file, and as the image tower that it may hold. */
#include "config.h"

#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(data, size);
    fuzz_checkpoint(data, size);
    return 0;
}
