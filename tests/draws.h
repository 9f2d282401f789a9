/* SPDX-License-Identifier: MIT */
/* Numbers for tests, the same on every machine, and sums of what they gave. */
#ifndef TOMERGE_TESTS_DRAWS_H
#define TOMERGE_TESTS_DRAWS_H

#include "../tomerge/build.h"

#include <stddef.h>
#include <stdint.h>

/* The next state of a linear congruential generator, whose upper bits are the
 * better ones [Press et al., Numerical Recipes, 7.1]. */
TM_WRAPS static inline uint32_t draw_32(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* The same of 64 bits [Knuth's MMIX]. */
TM_WRAPS static inline uint64_t draw_64(uint64_t *state)
{
    return *state = *state * 6364136223846793005u + 1442695040888963407u;
}

/* FNV-1a, a step. */
static const uint64_t hash_basis = 14695981039346656037u;

TM_WRAPS static inline uint64_t hash_more(uint64_t hash, uint32_t value)
{
    return (hash ^ value) * 1099511628211u;
}

#endif
