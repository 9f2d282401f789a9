/* SPDX-License-Identifier: MIT */
/* Any bytes as a .npz file. */
#include "config.h"

#include "fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(data, size);
    return 0;
}
