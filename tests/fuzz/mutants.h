/* SPDX-License-Identifier: MIT */
/* Changes of inputs that get past what would refuse them at once. */
#ifndef FUZZ_MUTANTS_H
#define FUZZ_MUTANTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct fuzz_input {
    uint8_t *bytes;        /* of a block of `space` */
    size_t size, space;
} fuzz_input;

/* Changes it in a few places by the numbers that follow *seed, perhaps with
 * bytes of `other`; it grows no further than its space. */
void fuzz_mutate(fuzz_input *input, const fuzz_input *other, uint64_t *seed);

/* Sums and lengths of PNG, zip and safetensors are made what they have to be
 * again; anything else is left alone. */
void fuzz_repair(fuzz_input *input);

#endif
