/* SPDX-License-Identifier: MIT */
/* The same changes for libFuzzer, half of the time: of two inputs that it tries
 * one after the other the first is what the second takes from. */
#include "fuzz.h"
#include "mutants.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
                               unsigned number);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
                               unsigned number)
{
    static uint8_t bytes[1 << 16];
    static fuzz_input other = {bytes, 0, sizeof(bytes)};
    fuzz_input input = {data, size, most};
    uint64_t seed = number;

    if (number % 2 || size == 0 || other.size == 0)
        size = LLVMFuzzerMutate(data, size, most);
    else {
        fuzz_mutate(&input, &other, &seed);
        if (number % 4)
            fuzz_repair(&input);
        size = input.size;
    }
    if (size && size <= sizeof(bytes))
        memcpy(bytes, data, other.size = size);
    return size;
}
